"""PURE: why a session ended, or a QR is asked for although nobody unlinked it: a verdict, and the evidence for it.

The verdict decides nothing: what is done about a lost session stands in the lifecycle. It tells a person at 3 a.m.
whether to look at the phone or at this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.contract import Ending, Verdict


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the bot knows beside the page. Everything may be unknown; bytes, and names of files below the volume.

    All since the session was READY last, newest last: `refusals`, what the volume refused or had damaged, as in
    `mirror.json: ENOSPC`; `browser_ends`, how browsers ended that nobody closed; `memory_kills`, processes that the
    kernel ended for want of memory. `clean_stop`: the previous run of the bot closed its browser itself.
    """

    stage: str | None = None
    last_ready: str | None = None
    browser: str | None = None
    browser_before: str | None = None
    free_bytes: int | None = None
    needed_bytes: int | None = None
    read_only: bool = False
    refusals: Sequence[str] = ()
    browser_ends: Sequence[str] = ()
    memory_kills: int = 0
    clean_stop: bool | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """`evidence`: short `name=value` lines without secrets, what decided first."""

    verdict: Verdict
    evidence: tuple[str, ...]


def judge(ending: Ending, signals: Sequence[str], known: Circumstances) -> Ruling:
    """`signals`: the evidence lines of the look at the page that ended the session (`signals.evidence_of`)."""
    verdict, deciding = _decide(ending, signals, known)
    lines = [*deciding, *(line for line in (*signals, *_lines(known)) if line not in deciding)]
    return Ruling(verdict, tuple(lines))


_SURE = {
    Ending.PHONE: Verdict.PHONE,
    Ending.OWN_COMMAND: Verdict.OWN_COMMAND,
    Ending.ACCOUNT: Verdict.ACCOUNT,
}


def _decide(ending: Ending, signals: Sequence[str], known: Circumstances) -> tuple[Verdict, list[str]]:
    if ending in _SURE:
        return _SURE[ending], [line for line in signals if line.startswith("post_logout=")]
    if 0 < _major(known.browser) < _major(known.browser_before):
        return Verdict.DOWNGRADE, [f"browser={known.browser}", f"browser_before={known.browser_before}"]
    storage = [
        *(line for line in signals if line == "post_logout=storage_failed"),
        *(f"refused={what}" for what in known.refusals),
        *(["file_system=read-only"] if known.read_only else []),
        *([_room(known)] if _is_full(known) else []),
    ]
    if storage:
        return Verdict.STORAGE, storage
    # A browser that was ended in the middle of a write is the one cause of loss that leaves no other trace.
    if known.memory_kills:
        return Verdict.STORAGE, [f"memory_kills={known.memory_kills}"]
    return Verdict.UNKNOWN, []


def _lines(known: Circumstances) -> list[str]:
    told: list[tuple[str, object]] = [
        ("marker", known.stage),
        ("last_ready", known.last_ready),
        ("browser", known.browser),
        ("browser_before", known.browser_before if known.browser_before != known.browser else None),
        ("stop_before", {True: "clean", False: "not clean", None: None}[known.clean_stop]),
        ("memory_kills", known.memory_kills or None),
        *(("browser_end", end) for end in known.browser_ends),
    ]
    lines = [f"{name}={value}" for name, value in told if value is not None]
    return [*lines, _room(known)] if known.free_bytes is not None else lines


def _room(known: Circumstances) -> str:
    return f"free={(known.free_bytes or 0) / 1024**2:.0f}MiB"


def _is_full(known: Circumstances) -> bool:
    return known.free_bytes is not None and known.free_bytes < (known.needed_bytes or 0)


def _major(version: str | None) -> int:
    """0: not known."""
    head = (version or "").split(".")[0]
    return int(head) if head.isdigit() else 0
