"""PURE: what to do next while somebody is to scan a QR, and the QR as lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.contract import State

BORDER = 2  # modules; a phone's camera is content with two where the surroundings are light


class Next(StrEnum):
    """WAIT: a code may come. PAIRED: somebody scanned. NONE: no code is there, and none is to be expected."""

    WAIT = "wait"
    PAIRED = "paired"
    NONE = "none"


_SCANNED = frozenset({State.PAIRING, State.SYNCING, State.READY})
_BY_NAME = {state.value: state for state in State}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`key`: of the catalogue's [qr], the reason for NONE."""

    next: Next
    key: str = ""


def verdict(state: str, *, session_present: bool, shown_before: bool) -> Verdict:
    """For a bot that shows no code now. `shown_before`: it showed us one, so that a session is news."""
    if session_present and shown_before:
        return Verdict(Next.PAIRED)
    found = _BY_NAME.get(state)
    if session_present:
        return Verdict(Next.NONE, "already_paired" if found in _SCANNED else "has_session")
    if found is None or found.permanent or found is State.STOPPING:
        return Verdict(Next.NONE, "none_comes")
    return Verdict(Next.WAIT)


def half_blocks(
    modules: Sequence[Sequence[int]], *, border: int = BORDER, inverted: bool = False
) -> list[str]:
    """Two rows of modules a line, light border included; dark is drawn, or light when `inverted` (for a dark
    terminal without colours)."""
    empty = [False] * (len(modules[0]) + 2 * border)
    side = [False] * border
    rows = [empty] * border + [[*side, *map(bool, row), *side] for row in modules] + [empty] * border
    if len(rows) % 2:
        rows.append(empty)
    drawn = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    return [
        "".join(drawn[upper != inverted, lower != inverted] for upper, lower in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    ]
