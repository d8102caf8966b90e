"""PURE: hands each event, each belief and each deadline to the part that knows what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot import stimuli as s
from bot.contract import (
    BotExit,
    EventName,
    Level,
    QrCause,
    ReconnectHow,
    ReconnectSettings,
    RestartReason,
    State,
)
from bot.lifecycle.core import Core, Due, Outage, Page
from bot.lifecycle.keep import Keep
from bot.lifecycle.loss import Loss
from bot.lifecycle.person import Person
from bot.lifecycle.qr import Qr
from bot.lifecycle.repair import Repair
from bot.lifecycle.rise import Rise
from bot.lifecycle.table import PERSON, TABLE, Act
from bot.lifecycle.window import Window
from bot.signals import Belief, Kind
from bot.waits import Waits


class Lifecycle:
    """`random` gives [0, 1), for the jitter of waits."""

    def __init__(self, settings: ReconnectSettings, random: Callable[[], float]) -> None:
        core = self._core = Core(settings, random)
        window = self._window = Window(core)
        qr = self._qr = Qr(core, window)
        repair = self._repair = Repair(core, window)
        loss = self._loss = Loss(core, window, qr, repair)
        person = self._person = Person(core, repair)
        keep = self._keep = Keep(core)
        rise = self._rise = Rise(core, qr, repair, loss, keep)
        self._missing: tuple[tuple[str, ...], float] = ((), 0.0)
        self._missing_told: tuple[str, ...] = ()
        self._handlers: dict[type, Callable[[Any], None]] = {
            s.Started: self._on_started,
            s.Launched: window.on_launched,
            s.LaunchFailed: window.on_launch_failed,
            s.Navigated: window.on_navigated,
            s.NavigationFailed: repair.on_navigation_failed,
            s.SnapshotTaken: self._on_snapshot,
            s.ProbeFailed: repair.on_probe_failed,
            s.PageCrashed: repair.on_page_crashed,
            s.BrowserGone: repair.on_browser_gone,
            s.NetworkChecked: repair.on_network_checked,
            s.QrRefreshed: qr.on_refreshed,
            s.QrRequested: qr.on_requested,
            s.PairingCodeShown: qr.on_pairing_code,
            s.Unlinked: loss.on_unlinked,
            s.LogoutRequested: loss.on_logout_requested,
            s.Restored: loss.on_restored,
            s.GenerationRequested: keep.on_requested,
            s.Kept: keep.on_kept,
            s.StorageFailed: loss.on_storage_failed,
            s.StorageUnsafe: qr.on_storage_unsafe,
            s.ReloadRequested: self._on_reload_requested,
            s.StopRequested: self._on_stop_requested,
            s.Tick: self._on_tick,
        }
        self._dues: dict[Due, Callable[[], None]] = {
            Due.LAUNCH: window.launch,
            Due.NAVIGATE: window.navigate,
            Due.DROP: repair.due_drop,
            Due.REPAIR: repair.due_check,
            Due.CHECK: repair.due_check,
            Due.COME_BACK: repair.escalate,
            Due.READY: repair.due_ready,
            Due.INCOMPLETE: repair.due_incomplete,
            Due.LOST: loss.due_lost,
            Due.CONFIRM: rise.due_confirm,
            Due.CONFLICT: person.due_conflict,
            Due.QR_REFRESH: qr.refresh,
            Due.QR_TEXT: qr.refresh,
            Due.UNLINK: loss.due_unlink,
            Due.CALM: rise.due_calm,
            Due.GENERATION: keep.due,
        }
        self._acts: dict[Act, Callable[[Belief], None]] = {
            Act.LISTEN: repair.listen,
            Act.WONDER: rise.unknown,
            Act.SUSPECT: rise.connecting,
            Act.ASK: loss.needs_qr,
            Act.SYNC: rise.authenticated,
            Act.RISE: rise.connected,
            Act.LOG_OUT: loss.unlinked,
            Act.CLIMB: loss.client_logout,
            Act.CONTEST: person.contest,
            Act.STOP: person.stop,
        }

    def handle(self, event: s.Event, now: float) -> list[s.Effect]:
        """What is to be done about `event`, in order. `now`: seconds of a clock that never goes back."""
        core = self._core
        core.now, core.effects = now, []
        if core.state is not State.STOPPING:
            self._handlers[type(event)](event)
        return core.effects

    # --- what others may know ----------------------------------------------------------------------------

    @property
    def waits(self) -> Waits:
        return self._core.waits

    @property
    def state(self) -> State:
        return self._core.state

    @property
    def page(self) -> Page:
        return self._core.page

    @property
    def belief(self) -> Belief | None:
        return self._core.belief

    @property
    def outage(self) -> Outage | None:
        return self._core.outage

    @property
    def attempts(self) -> int:
        return self._core.attempts

    @property
    def owns_session(self) -> bool:
        return self._core.owns_session

    @property
    def can_log_out(self) -> bool:
        return self._loss.can_log_out

    @property
    def can_be_copied(self) -> bool:
        """Whether a live copy of the session may be taken now."""
        return self._keep.quiet

    @property
    def cause(self) -> QrCause | None:
        """Of the open QR episode."""
        return self._qr.cause

    @property
    def codes(self) -> int:
        """Shown in the open QR episode so far."""
        return self._qr.codes

    @property
    def wake_at(self) -> float | None:
        """When `handle(Tick(), now)` is to be called; None: there is nothing to wait for."""
        return min(self._core.due.values(), default=None)

    def due_in(self, due: Due, now: float) -> float | None:
        """Seconds until `due`; None when nothing of the kind is planned."""
        at = self._core.due.get(due)
        return None if at is None else max(0.0, at - now)

    def silent_for(self, now: float) -> float | None:
        """Seconds since the open page last answered; None where no page is meant to answer."""
        meant = self._core.page in (Page.NAVIGATING, Page.OPEN)
        return now - self._window.answered_at if meant else None

    # --- events ------------------------------------------------------------------------------------------

    def _on_started(self, event: s.Started) -> None:
        core = self._core
        core.since = core.now
        core.owns_session = event.session_present
        if event.store_created:
            core.emit(EventName.SESSION_CREATE, Level.SUCCESS, "session_create", session=core.session)
        if event.session_present:
            core.emit(EventName.BOT_SESSION, Level.SUCCESS, "session_found", session=core.session)
            core.unlinking = event.unlinking
            core.outage = Outage(core.now, ReconnectHow.RESTART)
            self._rise.clock = core.now
            self._repair.tell_reconnect("reconnect_restart")
        else:
            if not event.store_created:
                core.emit(EventName.BOT_SESSION, Level.INFO, "session_none", session=core.session)
            self._qr.start(event.next_cause)
            if event.episode is not None:
                self._qr.resume(event.episode, event.episode_codes)
        self._window.launch()

    def _on_tick(self, _: s.Tick) -> None:
        core = self._core
        for due, _at in sorted(core.due.items(), key=lambda item: item[1]):
            if core.due.get(due, core.now + 1) <= core.now:
                del core.due[due]
                self._dues[due]()

    def _on_snapshot(self, event: s.SnapshotTaken) -> None:
        core = self._core
        if core.page in (Page.NAVIGATING, Page.OPEN):
            self._window.heard()
        if core.page is not Page.OPEN:
            return  # what a document says that is being left counts no more
        belief = core.belief = event.belief
        kind = belief.kind
        self._window.keys_seen |= bool(belief.session_keys)
        self._window.linked |= kind in (Kind.AUTHENTICATED, Kind.CONNECTED)
        if TABLE[kind].get(core.state) is not Act.SUSPECT:
            core.cancel(Due.DROP)
        if kind not in (Kind.NEEDS_QR, Kind.UNKNOWN):
            core.cancel(Due.LOST, Due.QR_TEXT)
        if kind is not Kind.UNKNOWN:
            core.cancel(Due.INCOMPLETE)
        if kind is not Kind.CONNECTED:
            core.cancel(Due.CONFIRM)
        if kind is not Kind.CONFLICT:
            core.cancel(Due.CONFLICT)
        act = TABLE[kind].get(core.state)
        if act is not None:
            self._acts[act](belief)
        self._watch_signals(belief)

    def _watch_signals(self, belief: Belief) -> None:
        """Modules appear one by one while a page loads: what is missing is told when it has settled."""
        core = self._core
        if belief.missing != self._missing[0]:
            self._missing = (belief.missing, core.now)
        settled = core.now - self._missing[1] >= core.waits.network_check
        if core.state in (State.READY, State.WAITING_FOR_QR_SCAN) and settled:
            if belief.missing and belief.missing != self._missing_told:
                missing = list(belief.missing)
                core.emit(EventName.SIGNAL_MISSING, Level.WARNING, "signal_missing", missing=missing)
            self._missing_told = belief.missing

    def _on_reload_requested(self, _: s.ReloadRequested) -> None:
        core, window = self._core, self._window
        core.emit(EventName.BOT_CONTROL, Level.INFO, "control_reload")
        self._person.forgive()
        core.failures = core.attempts = 0
        if core.state in (*PERSON, State.FAILED):
            if core.outage is not None:
                core.outage.how = ReconnectHow.RELAUNCH
            window.count_restart(RestartReason.CONTROL)
            window.close(*self._loss.unfinished())
            core.cancel(*Due)
            window.launch()
        elif core.page in (Page.BLANK, Page.OPEN):
            if core.state is State.READY:
                core.outage = Outage(core.now, ReconnectHow.RELOAD)
                core.enter(State.RECONNECTING)
            elif core.outage is not None:
                core.outage.how = ReconnectHow.RELOAD
            window.reload()
        elif core.page is Page.NONE and Due.LAUNCH in core.due:
            window.launch()

    def _on_stop_requested(self, event: s.StopRequested) -> None:
        core = self._core
        was_ready = core.state is State.READY
        key = f"shutdown_{core.session}"
        core.emit(EventName.SHUTDOWN, Level.INFO, key, signal=event.signal, session=core.session)
        core.enter(State.STOPPING)
        core.hide_qr()
        core.due.clear()
        core.do(s.CloseBrowser())
        if was_ready:
            core.do(s.TakeGeneration())
        core.do(s.Exit(BotExit.OK))
