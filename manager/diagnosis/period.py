"""PURE: what people write after `--since`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(rf"(\d{{1,6}})([{''.join(_UNITS)}])")


def since(text: str, now: datetime, here: Callable[[datetime], datetime]) -> datetime:
    """`90m`, `24h`, `7d`, `2w` before `now`; a date or a date and time (RFC 3339). `here`: what a time without a zone
    means where it is read; `now`'s offset would be wrong before the clocks were changed.

    Raises ValueError for anything else, and for what is not before `now`.
    """
    if found := _SPAN.fullmatch(text.strip().lower()):
        seconds = int(found[1]) * _UNITS[found[2]]
        try:
            return now - timedelta(seconds=seconds)
        except OverflowError as error:
            raise ValueError(text) from error
    moment = datetime.fromisoformat(text.strip())
    moment = moment if moment.tzinfo else here(moment)
    if moment > now:
        raise ValueError(text)
    return moment
