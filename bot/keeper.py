"""The runner's hands on the volume: what is written of the session, moved and copied, and what the volume refused."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

from bot import stimuli as s
from bot.contract import EventName, Level
from bot.events import EventLog
from bot.generations import GenerationResult, Moment
from bot.metrics import BotMetrics
from bot.preflight import session_error
from bot.problem import Problem
from bot.session import Session, SessionError
from bot.text import Catalogue
from bot.witness import Witness

_COPY_SECONDS = {Moment.CLOSED: 5, Moment.LAUNCH: 60, Moment.LIVE: 300}
_NO_COPY = {  # what a person should hear of; the other reasons are no fault
    "no_space": "event.no_copy_no_space",
    "no_mirror": "event.no_copy_no_mirror",
    "damaged": "event.no_copy_damaged",
    "moving": "event.no_copy_moving",
}
_WARNING_PAUSE = 60
_REMIND_SECONDS = 3600


class Keeper:
    """`post`: how the lifecycle hears of it."""

    def __init__(
        self,
        session: Session,
        log: EventLog,
        metrics: BotMetrics,
        say: Catalogue,
        post: Callable[[s.Event], None],
    ) -> None:
        self._session, self._log, self._metrics, self._say, self._post = session, log, metrics, say, post
        self.witness = Witness(session)
        self._told: dict[str, float] = {}
        self._looking = asyncio.Lock()
        self._look_now = asyncio.Event()
        self._storage: tuple[StrEnum | None, float] = None, 0.0
        self._wanted_elsewhere = threading.Event()
        self._asking: list[asyncio.Future[GenerationResult]] = []

    # --- at once ------------------------------------------------------------------------------------------

    def mark(self, write: Callable[[], object]) -> bool:
        """What the volume refuses is told, and the bot goes on. Whether it was written."""
        try:
            write()
        except (Problem, OSError) as error:
            self._refused(error)
            return False
        return True

    def _refused(self, error: Problem | OSError) -> None:
        problem = self._in_words(error)
        said = problem.say(self._say)
        self.witness.refused(problem.trace if isinstance(problem, SessionError) else said.message)
        self.warn(said.message, said.hint, said.fix)

    def _in_words(self, error: Problem | OSError) -> Problem:
        """What the system refused, with its hint and its fix, wherever in the volume's work it did."""
        if isinstance(error, Problem):
            return error
        return session_error(error, self._session.folder, self._session.client_id)

    def warn(self, problem: str, hint: str = "", fix: str = "") -> None:
        """Said once a minute at most: a full disk meets every write."""
        now = time.monotonic()
        if now - self._told.get(problem, -_WARNING_PAUSE) < _WARNING_PAUSE:
            return
        self._told[problem] = now
        fields = {"problem": problem} | {k: v for k, v in (("hint", hint), ("fix", fix)) if v}
        self._log.emit(EventName.STORAGE_WARNING, Level.WARNING, "storage_warning", fields)

    def tell_reports(self) -> None:
        if erased := self._session.erased:
            self._session.erased = None
            told: dict[str, object] = {"removed": list(erased.names), "bytes": erased.bytes}
            told |= {"generations": erased.generations, "aside": erased.asides}
            self._log.emit(EventName.SESSION_ERASED, Level.SUCCESS, "session_erased", told)
            self.show_generations()
        while self._session.reports:
            report = self._session.reports.pop(0)
            if report.kind.startswith("damaged"):
                self.witness.refused(f"{report.path.name}: {report.kind}")
            fields = {"kind": report.kind, "path": str(report.path), "detail": report.detail}
            key = f"session_report_{report.kind}"
            self._log.emit(EventName.STORAGE_WARNING, Level.WARNING, key, fields)

    # --- what takes time ----------------------------------------------------------------------------------

    async def mark_logged_out(self, reason: str) -> None:
        ruling = self.witness.ruling
        await asyncio.to_thread(self.mark, lambda: self._session.mark_logged_out(reason, ruling))

    async def set_aside(self, reason: str) -> None:
        try:
            await asyncio.to_thread(self._session.set_aside, reason)
        except (Problem, OSError) as error:
            self.failed(error)
        self.show_generations()

    async def erase(self, reason: str) -> None:
        ruling = self.witness.ruling
        try:
            await asyncio.to_thread(self._session.erase, reason, ruling)
        except (Problem, OSError) as error:
            self.failed(error)
        self.tell_reports()

    async def restore(self, reason: str) -> None:
        try:
            result = await asyncio.to_thread(self._session.restore_generation, reason)
        except (Problem, OSError) as error:
            # The copy is as good as before: a person mends the volume, nobody is asked for a scan.
            self.failed(error)
        else:
            self._post(s.Restored(s.Restore(result.outcome.value.lower()), result.number))

    # --- the volume ---------------------------------------------------------------------------------------

    @property
    def storage(self) -> str | None:
        """What the last look at the volume found, as a `SessionProblem`."""
        return self._storage[0].value if self._storage[0] else None

    async def watch(self, pause: float) -> None:
        """Looks at the volume every `pause` seconds, or when it is asked to, without end."""
        while True:
            self._look_now.clear()
            problem = await self._look_at_storage()
            if problem is not None and not problem.only_soon:
                self._post(s.StorageUnsafe())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), pause)

    def look_now(self) -> None:
        self._look_now.set()

    async def before_launch(self) -> SessionError | None:
        """Why a browser must not be started: it could lose the session, or one paired now could not be kept.

        Else the session that is there is copied first.
        """
        problem = await self._look_at_storage()
        if problem is not None and not problem.only_soon:
            return problem
        if self._session.info().present:
            await self.take_generation(Moment.LAUNCH)
        return None

    async def _look_at_storage(self) -> SessionError | None:
        problem: SessionError | None = None
        with suppress(OSError):
            async with self._looking:
                problem = await asyncio.to_thread(self._session.storage_problem)
            self._metrics.set(self._metrics.session_free, self._session.free_bytes())
        self._tell_storage(problem)
        return problem

    def _tell_storage(self, problem: SessionError | None) -> None:
        """Each kind when it comes, every hour while it stays, and when it is over."""
        now = time.monotonic()
        kind, at = self._storage
        if problem is None:
            if kind is not None:
                self._log.emit(EventName.STORAGE_WARNING, Level.INFO, "storage_well")
            self._storage = None, now
        elif problem.problem is not kind or now - at >= _REMIND_SECONDS:
            self._storage = problem.problem, now
            self._refused(problem)

    # --- copies -------------------------------------------------------------------------------------------

    async def take_generation(self, moment: Moment) -> None:
        """CLOSED: the browser was closed cleanly."""
        result = GenerationResult(False, reason="interrupted")
        try:
            result = await self._copy(moment)
        finally:
            if moment is Moment.LIVE:
                self._answer(result)
                self._post(s.Kept(result.taken or result.reason == "unchanged"))

    def give_way(self) -> None:
        """A copy that is being made is called off: there is something more urgent to do."""
        self._wanted_elsewhere.set()

    async def ask_for_generation(self) -> GenerationResult:
        """A live copy, because somebody wants one now."""
        asking: asyncio.Future[GenerationResult] = asyncio.get_running_loop().create_future()
        self._asking.append(asking)
        self._post(s.GenerationRequested())
        return await asking

    def refuse_generation(self) -> None:
        self._answer(GenerationResult(False, reason="in_doubt"))

    def show_generations(self) -> None:
        """In the metrics."""
        metrics, newest = self._metrics, self._session.newest_generation()
        metrics.set(metrics.last_generation, newest.taken_at.timestamp() if newest else 0)
        metrics.set(metrics.generation_bytes, self._session.generation_bytes())

    def _answer(self, result: GenerationResult) -> None:
        asking, self._asking = self._asking, []
        for each in asking:
            if not each.done():
                each.set_result(result)

    async def _copy(self, moment: Moment) -> GenerationResult:
        """In a thread that ends before this does: what is done next may move the very files that are copied."""
        self._wanted_elsewhere.clear()
        work = asyncio.ensure_future(
            asyncio.to_thread(self._session.take_generation, moment, self._wanted_elsewhere.is_set)
        )
        try:
            await asyncio.wait([work], timeout=_COPY_SECONDS[moment])
        finally:
            self._wanted_elsewhere.set()
            await asyncio.wait([work])
        try:
            result = work.result()
        except (Problem, OSError) as error:
            self._refused(error)
            return GenerationResult(False, reason="failed")
        self._tell_copy(moment, result)
        return result

    def _tell_copy(self, moment: Moment, result: GenerationResult) -> None:
        if result.taken:
            fields = {"generation": result.number, "bytes": result.bytes, "moment": moment.value}
            self._log.emit(EventName.SESSION_KEPT, Level.INFO, "session_kept", fields)
            self.show_generations()
        elif key := _NO_COPY.get(result.reason):
            self.warn(self._say(key, size=f"{result.bytes / 1024**2:.1f} MiB"))

    def failed(self, error: Problem | OSError) -> None:
        """The bot cannot go on until a person has mended the volume."""
        said = self._in_words(error).say(self._say)
        self._post(s.StorageFailed(said.message, said.hint, said.fix))
