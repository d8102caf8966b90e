"""Performs what the lifecycle asks for, and tells it what came of it.

One loop hands events to the lifecycle. Quick effects are performed at once; those that take time (the browser, moving
files) go one after the other through the operator. Closing the browser abandons whatever the browser was doing.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bot import episode
from bot import stimuli as s
from bot.browser import Browser, BrowserError, NavigationError, ProbeError
from bot.contract import BotExit, BotSettings, EventName, Level, QrCause, State
from bot.driver import Driver
from bot.events import EventLog
from bot.generations import Moment
from bot.keeper import Keeper
from bot.lifecycle import Lifecycle
from bot.metrics import BotMetrics
from bot.session import Session
from bot.text import Catalogue
from bot.verdict import Ruling
from bot.watcher import Watcher

_ABANDONABLE = (s.Launch, s.Navigate, s.Reload, s.CheckNetwork, s.RefreshQr, s.Takeover, s.Unlink)
_SLOW = (
    *_ABANDONABLE,
    s.CloseBrowser,
    s.MarkLoggedOut,
    s.SetAside,
    s.Erase,
    s.RestoreGeneration,
    s.TakeGeneration,
    s.Exit,
)
_CLOSE_SECONDS = 12
EPISODE_FILE = "episode.json"


class Runner:
    """One bot. `session` is open and locked; the runner closes the browser, its caller the session."""

    def __init__(
        self, settings: BotSettings, session: Session, log: EventLog, metrics: BotMetrics, say: Catalogue
    ) -> None:
        self.settings, self.session, self.log, self.metrics, self.say = settings, session, log, metrics, say
        self.lifecycle = Lifecycle(settings.reconnect, random.random)
        self.browser: Browser | None = None
        self.qr_text: str | None = None
        self.qr_number = 0
        self.qr_since: datetime | None = None
        self.qr_changed = asyncio.Event()
        self.state_since = datetime.now(UTC)
        self.connected_since: datetime | None = None
        self._queue: asyncio.Queue[tuple[int | None, s.Event]] = asyncio.Queue()
        self._operations: deque[s.Effect] = deque()
        self._operation_there = asyncio.Event()
        self._current: tuple[s.Effect, asyncio.Task[None]] | None = None
        self._launch = 0  # of the browser we listen to; a higher number silences what older ones still say
        self.watcher = Watcher(settings, self.lifecycle, metrics)
        self._closed_cleanly = False
        self.keeper = Keeper(session, log, metrics, say, self.post)
        self.witness = self.keeper.witness
        self._exit: BotExit | None = None
        self._episode_file = session.folder / EPISODE_FILE
        self._episode_requests = 0

    # --- the loop ---------------------------------------------------------------------------------------

    async def run(self, driver: Driver) -> BotExit:
        """Until a stop is asked for, or there can be no browser. Never leaves a browser behind."""
        work = [self._operate(driver), self.keeper.watch(self.lifecycle.waits.storage_look)]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            self.keeper.tell_reports()
            self.keeper.show_generations()
            self.post(self._started())
            while self._exit is None:
                self._handle(await self._next_event())
            return self._exit
        finally:
            for task in tasks:
                task.cancel()
            await self._close_browser()

    def post(self, event: s.Event, launch: int | None = None) -> None:
        self._queue.put_nowait((launch, event))

    def stop(self, signal_name: str) -> None:
        self.post(s.StopRequested(signal_name))

    def _started(self) -> s.Started:
        info = self.session.info()
        present = info.present
        open_episode = None if present else episode.load(self._episode_file)
        if open_episode is not None:
            self._episode_requests = open_episode.requests
            self.metrics.count(s.Tally.QR_REQUESTS, open_episode.cause.value, open_episode.requests)
        self.metrics.set(self.metrics.session_present, float(present))
        self.metrics.set(self.metrics.unclean_end, float(self.session.stopped_cleanly is False))
        self.metrics.enter(State.STARTING)
        return s.Started(
            session_present=present,
            store_created=self.session.created,
            next_cause=_next_cause(info.ended),
            episode=open_episode.cause if open_episode else None,
            episode_codes=open_episode.codes if open_episode else 0,
            unlinking=info.unlinking,
        )

    async def _next_event(self) -> s.Event:
        while True:
            wake_at = self.lifecycle.wake_at
            timeout = None if wake_at is None else max(0.0, wake_at - time.monotonic())
            try:
                launch, event = await asyncio.wait_for(self._queue.get(), timeout)
            except TimeoutError:
                return s.Tick()
            if launch is None or launch == self._launch:
                return event

    def _handle(self, event: s.Event) -> None:
        effects = self.lifecycle.handle(event, time.monotonic())
        slow_before = False
        for effect in effects:
            if isinstance(effect, s.CloseBrowser):
                self._abandon()
            if isinstance(effect, s.Emit):
                effect = self._with_evidence(effect)  # noqa: PLW2901  before its files move
            if isinstance(effect, _SLOW) or (slow_before and isinstance(effect, s.Emit)):
                slow_before = True
                self._operations.append(effect)
            else:
                self._perform_now(effect)
        if self._operations:
            self._operation_there.set()
            if self._current and self._current[0] == s.TakeGeneration(live=True):
                self.keeper.give_way()

    def _with_evidence(self, line: s.Emit) -> s.Emit:
        if line.inquest:
            fields = dict(line.fields)
            fields["evidence"] = [*self.witness.inquire(), *fields.get("evidence", ())]  # type: ignore[misc]
            return replace(line, fields=fields)
        return self._with_verdict(line)

    def _with_verdict(self, line: s.Emit) -> s.Emit:
        """Who caused a session's end: in the line that tells of it, and in those of the QRs that follow."""
        if line.ending is not None:
            signals = line.fields["evidence"]
            assert isinstance(signals, list)
            version = self.browser.version if self.browser else None
            ruling: Ruling | None = self.witness.rule(line.ending, signals, version)
        else:
            ruling = self.witness.ruling if line.name is EventName.WHATSAPP_QR else None
        if ruling is None:
            return line
        more: dict[str, object] = {"verdict": ruling.verdict.value, "evidence": list(ruling.evidence)}
        return replace(line, fields={**line.fields, **more})

    def _abandon(self) -> None:
        self._launch += 1
        self._operations = deque(op for op in self._operations if not isinstance(op, _ABANDONABLE))
        self.watcher.stop()
        if self._current is not None and isinstance(self._current[0], _ABANDONABLE):
            self._current[1].cancel()

    async def _operate(self, driver: Driver) -> None:
        while True:
            await self._operation_there.wait()
            if not self._operations:
                self._operation_there.clear()
                continue
            effect = self._operations.popleft()
            task = asyncio.create_task(self._perform(effect, driver))
            self._current = (effect, task)
            await asyncio.wait([task])
            self._current = None
            if not task.cancelled() and (error := task.exception()) is not None:
                self._operation_failed(effect, error)

    def _operation_failed(self, effect: s.Effect, error: BaseException) -> None:
        """What no adapter foresaw: the browser is taken for broken, the bot goes on with a new one."""
        note = f"{type(effect).__name__}: {type(error).__name__}"
        if isinstance(effect, s.Launch):
            self.post(s.LaunchFailed(False, BotExit.BROWSER_UNUSABLE, note), self._launch)
        elif isinstance(effect, _ABANDONABLE):
            self.post(s.BrowserGone(note), self._launch)
        elif isinstance(effect, s.SetAside | s.Erase | s.RestoreGeneration):
            if isinstance(error, OSError):
                self.keeper.failed(error)
            else:
                self.post(s.StorageFailed(f"{note}: {error}"))
        else:
            self.keeper.warn(f"{note}: {error}")

    # --- quick effects ----------------------------------------------------------------------------------

    def _perform_now(self, effect: s.Effect) -> None:
        match effect:
            case s.Emit(name, level, key, fields):
                self.log.emit(name, level, key, fields)
            case s.Enter(old, new):
                self._enter(old, new)
            case s.Count(what, label):
                self.metrics.count(what, label)
            case s.Observe(what, seconds):
                self.metrics.observe(what, seconds)
            case s.ShowQr(text, number):
                self._show_qr(text, number)
            case s.OpenEpisode() | s.CloseEpisode():
                self._episode_requests = 0
                if isinstance(effect, s.CloseEpisode):
                    episode.store(self._episode_file, None)
            case s.MarkPaired(wid):
                self.keeper.mark(lambda: self.session.mark_paired(wid))
                self._show_session()
            case s.MarkReady():
                version = self.browser.version if self.browser else None
                self.keeper.mark(lambda: self.session.mark_ready(version))
                self._show_session()
                self.witness.ready()
                self.keeper.show_generations()
            case s.MarkInDoubt():
                self.keeper.mark(self.session.mark_in_doubt)
                self.witness.inquire()  # what a restore puts aside can't be asked any more
            case s.KeepSession():
                self.keeper.mark(self.session.drop_erase)
            case s.RefuseGeneration():
                self.keeper.refuse_generation()

    def _enter(self, old: State, new: State) -> None:
        self.state_since = datetime.now(UTC)
        self.connected_since = self.state_since if new is State.READY else None
        self.metrics.enter(new)
        since = self.state_since.timestamp() if new is State.READY else 0
        self.metrics.set(self.metrics.connected_since, since)
        self._show_session()
        fields = {"from": old.value, "to": new.value}
        self.log.emit(EventName.BOT_STATE, Level.INFO, "state", fields)

    def _show_session(self) -> None:
        self.metrics.set(self.metrics.session_present, float(self.lifecycle.owns_session))

    def _show_qr(self, text: str | None, number: int) -> None:
        self.qr_text, self.qr_number = text, number
        self.qr_since = datetime.now(UTC) if text is not None else None
        self.qr_changed.set()
        self.qr_changed = asyncio.Event()
        cause = self.lifecycle.cause
        if text is not None:
            self.keeper.look_now()
        if text is not None and cause is not None:
            requests = self.metrics.value(s.Tally.QR_REQUESTS, cause.value)
            episode.store(self._episode_file, episode.Episode(cause, requests, number))

    def _mirror(self, launch: int, dump: dict[str, str]) -> None:
        if launch == self._launch:
            self.keeper.mark(lambda: self.session.store_mirror(dump))

    # --- effects that take time -------------------------------------------------------------------------

    async def _perform(self, effect: s.Effect, driver: Driver) -> None:  # noqa: PLR0912  one arm an effect
        match effect:
            case s.Emit():
                self._perform_now(effect)
            case s.Launch():
                await self._perform_launch(driver)
            case s.Navigate():
                await self._go(reload=False)
            case s.Reload():
                await self._go(reload=True)
            case s.CloseBrowser():
                await self._close_browser()
            case s.CheckNetwork():
                await self._check_network()
            case s.RefreshQr():
                await self._refresh_qr()
            case s.Takeover():
                await self._ask_page(self._open_browser().takeover())
            case s.Unlink():
                await self._unlink()
            case s.MarkLoggedOut(reason):
                await self.keeper.mark_logged_out(reason)
                self._show_session()
            case s.SetAside(reason):
                await self.keeper.set_aside(reason)
            case s.Erase(reason):
                await self.keeper.erase(reason)
                self._show_session()
            case s.RestoreGeneration(reason):
                await self.keeper.restore(reason)
            case s.TakeGeneration(live=True):
                await self.keeper.take_generation(Moment.LIVE)
            case s.TakeGeneration() if self._closed_cleanly:
                await self.keeper.take_generation(Moment.CLOSED)
            case s.Exit(code):
                self._exit = code
                self.post(s.Tick())

    def _open_browser(self) -> Browser:
        if self.browser is None:
            raise ProbeError("no browser")
        return self.browser

    async def _unlink(self) -> None:
        """A page that is silent, or gone to its logout's address already, may have told the server: only what it shows
        next decides.
        """
        launch = self._launch
        ok = self.keeper.mark(self.session.plan_erase)
        if ok:
            with suppress(ProbeError):
                ok = await self._open_browser().unlink()
        self.post(s.Unlinked(ok), launch)

    async def _ask_page(self, question: object) -> bool:
        try:
            return bool(await question)  # type: ignore[misc]
        except ProbeError:
            return False

    async def _perform_launch(self, driver: Driver) -> None:
        self._launch += 1
        launch = self._launch
        info = self.session.info()
        mirror = await asyncio.to_thread(self.session.load_mirror)
        await asyncio.to_thread(self.session.sweep)
        self.keeper.tell_reports()
        if refusal := await self.keeper.before_launch():
            said = refusal.say(self.say)
            self.post(s.LaunchFailed(False, refusal.exit, said.message, said.hint, said.fix), launch)
            return
        await asyncio.to_thread(self.session.browser_starts)
        self.browser = Browser(
            self.settings,
            on_change=self.watcher.look_now,
            on_crash=lambda: self.post(s.PageCrashed(self.witness.memory_note()), launch),
            on_gone=lambda: self._gone(launch),
            on_storage=lambda dump: self._mirror(launch, dump),
        )
        self._closed_cleanly = False
        try:
            # Without a session there is nothing that an older browser could lose.
            before = info.browser_version if info.present else None
            await self.browser.launch(driver, self.session.profile, mirror, before, self.session.mark_browser)
        except BrowserError as error:
            said = error.say(self.say)
            self.post(s.LaunchFailed(error.permanent, error.exit, said.message, said.hint, said.fix), launch)
        else:
            self.post(s.Launched(self.browser.version, mirror is not None), launch)

    def _gone(self, launch: int) -> None:
        note = self.browser.exit_note if self.browser else None
        self.witness.browser_ended(note or "unknown")
        self.post(s.BrowserGone(note or ""), launch)

    async def _go(self, *, reload: bool) -> None:
        """Nobody looks meanwhile: a look at a document that is being left may hang until it times out."""
        browser, launch = self._open_browser(), self._launch
        self.watcher.stop()
        try:
            await (browser.reload() if reload else browser.navigate())
        except NavigationError as error:
            self.post(s.NavigationFailed(error.code), launch)
            return
        except ProbeError:
            pass  # slow or hung: what the watcher hears (or doesn't) decides
        self.post(s.Navigated(), launch)
        self.watcher.start(browser, lambda event: self.post(event, launch))

    async def _check_network(self) -> None:
        timeout = self.lifecycle.waits.network_check
        launch = self._launch
        reachable = await self._open_browser().reachable(timeout)
        self.post(s.NetworkChecked(reachable), launch)

    async def _refresh_qr(self) -> None:
        launch = self._launch
        ok = await self._ask_page(self._open_browser().refresh_qr())
        self.post(s.QrRefreshed(ok), launch)

    async def _close_browser(self) -> None:
        self.watcher.stop()
        if self.browser is None:
            return
        browser, self.browser = self.browser, None
        self.watcher.shot = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                self._closed_cleanly = bool(await browser.close())
        if self._closed_cleanly:
            self.session.browser_closed()


def _next_cause(ended: str | None) -> QrCause:
    if ended is None:
        return QrCause.FIRST_PAIRING
    return QrCause.SESSION_LOST if ended == QrCause.SESSION_LOST else QrCause.LOGOUT


def events_file(folder: Path) -> Path:
    return folder / "events" / "events.jsonl"
