"""Keeps what befell the session since it was READY last, and says with it why it ended.

What decides is in `verdict.py`; here is the memory for it, and the look at the disk at that moment.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from bot import chromium, inquest, preflight
from bot.contract import Ending
from bot.session import Session
from bot.verdict import Circumstances, Ruling, judge

_KEPT = 5


class Witness:
    """`ruling`: the last one, from an earlier run too while nobody has paired the bot since."""

    def __init__(self, session: Session) -> None:
        self.ruling: Ruling | None = session.info().ruling
        self._session = session
        self._refusals: list[str] = []
        self._ends: list[str] = []
        self._kills = chromium.out_of_memory_kills() or 0

    def refused(self, what: str) -> None:
        """The volume refused a write, or damage was found on it."""
        self._refusals = list(dict.fromkeys([*self._refusals, what]))[-_KEPT:]

    def inquire(self) -> list[str]:
        """Which of the session's files the system refuses now; remembered, and given as evidence."""
        found = inquest.faults(self._session.folder, self._session.client_id)
        self._refusals = list(dict.fromkeys([*self._refusals, *found]))[-_KEPT:]
        return [f"refused={each}" for each in found]

    def browser_ended(self, note: str) -> None:
        self._ends = [*self._ends, note][-_KEPT:]

    def memory_note(self) -> str:
        """Of a page that crashed: whether the kernel has killed it, as far as it counts."""
        return "killed by the kernel: out of memory" if self._memory_kills() else ""

    def _memory_kills(self) -> int:
        return max(0, (chromium.out_of_memory_kills() or 0) - self._kills)

    def ready(self) -> None:
        """The session is well: what was before explains nothing any more."""
        self.ruling = None
        self._refusals, self._ends = [], []
        self._kills = chromium.out_of_memory_kills() or 0

    def rule(self, ending: Ending, signals: Sequence[str], browser: str | None) -> Ruling:
        self.ruling = judge(ending, signals, self._circumstances(browser))
        return self.ruling

    def _circumstances(self, browser: str | None) -> Circumstances:
        info, session = self._session.info(), self._session
        free, read_only = None, False
        with suppress(OSError):
            found = os.statvfs(session.folder)
            free, read_only = found.f_bavail * found.f_frsize, bool(found.f_flag & os.ST_RDONLY)
        return Circumstances(
            stage=info.stage,
            last_ready=_written(info.last_ready_at),
            browser=browser,
            browser_before=info.browser_version,
            free_bytes=free,
            needed_bytes=preflight.MIN_FREE_BYTES,
            read_only=read_only,
            refusals=tuple(self._refusals),
            browser_ends=tuple(self._ends),
            memory_kills=self._memory_kills(),
            clean_stop=session.stopped_cleanly,
        )


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
