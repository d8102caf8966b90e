"""The runner's hands on the volume: what is written of the session, moved and copied, and what the volume refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from bot import stimuli as s
from bot.contract import EventName, Level
from bot.events import EventLog
from bot.problem import Problem
from bot.session import Session
from bot.text import Catalogue
from bot.witness import Witness

_GENERATION_SECONDS = 5
_WARNING_PAUSE = 60


class Keeper:
    """`post`: how the lifecycle hears of it."""

    def __init__(
        self,
        session: Session,
        log: EventLog,
        say: Catalogue,
        witness: Witness,
        post: Callable[[s.Event], None],
    ) -> None:
        self._session, self._log, self._say, self._witness, self._post = session, log, say, witness, post
        self._told: dict[str, float] = {}

    # --- at once ------------------------------------------------------------------------------------------

    def mark(self, write: Callable[[], object]) -> None:
        """What the volume refuses is told, and the bot goes on."""
        try:
            write()
        except Problem as problem:
            said = problem.say(self._say)
            self._witness.refused(said.message)
            self.warn(said.message, said.hint, said.fix)
        except OSError as error:
            self.warn(str(error))

    def warn(self, problem: str, hint: str = "", fix: str = "") -> None:
        """Said once a minute at most: a full disk meets every write."""
        now = time.monotonic()
        if now - self._told.get(problem, -_WARNING_PAUSE) < _WARNING_PAUSE:
            return
        self._told[problem] = now
        fields = {"problem": problem} | {k: v for k, v in (("hint", hint), ("fix", fix)) if v}
        self._log.emit(EventName.STORAGE_WARNING, Level.WARNING, "storage_warning", fields)

    def tell_reports(self) -> None:
        while self._session.reports:
            report = self._session.reports.pop(0)
            if report.kind.startswith("damaged"):
                self._witness.refused(f"{report.path.name}: {report.kind}")
            fields = {"kind": report.kind, "path": str(report.path), "detail": report.detail}
            key = f"session_report_{report.kind}"
            self._log.emit(EventName.STORAGE_WARNING, Level.WARNING, key, fields)

    # --- what takes time ----------------------------------------------------------------------------------

    async def mark_logged_out(self, reason: str) -> None:
        ruling = self._witness.ruling
        await asyncio.to_thread(self.mark, lambda: self._session.mark_logged_out(reason, ruling))

    async def set_aside(self, reason: str) -> None:
        try:
            await asyncio.to_thread(self._session.set_aside, reason)
        except (Problem, OSError) as error:
            self._failed(error)

    async def restore(self, reason: str) -> None:
        try:
            result = await asyncio.to_thread(self._session.restore_generation, reason)
        except Problem as problem:
            # The copy is as good as before: a person makes room, nobody is asked for a scan.
            self._failed(problem)
        else:
            self._post(s.Restored(s.Restore(result.outcome.value.lower()), result.number))

    async def take_generation(self) -> None:
        """The browser was closed cleanly."""
        with suppress(TimeoutError, Problem, OSError):
            async with asyncio.timeout(_GENERATION_SECONDS):
                await asyncio.to_thread(self._session.take_generation)

    def _failed(self, error: Problem | OSError) -> None:
        if isinstance(error, Problem):
            said = error.say(self._say)
            self._post(s.StorageFailed(said.message, said.hint, said.fix))
        else:
            self._post(s.StorageFailed(str(error)))
