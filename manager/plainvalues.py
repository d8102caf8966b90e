"""PURE: values out of answers that may hold anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime


def moment(text: object) -> datetime | None:
    """RFC 3339 with any number of decimals; None for the engine's year 1, which means never."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(_six_decimals(text))
    except ValueError:
        return None
    return found if found.year > 1 and found.tzinfo else None


def _six_decimals(text: str) -> str:
    whole, point, rest = text.partition(".")
    if not point:
        return text
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{whole}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"


def whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def total(counts: object) -> int | None:
    if not isinstance(counts, Mapping):
        return None
    return sum(each for each in counts.values() if isinstance(each, int))
