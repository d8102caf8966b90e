"""PURE: one session's life. `Lifecycle.handle(event, now)` answers with effects; it reads no clock and does no I/O.

What a look at the page means is decided in `signals.py`; here it meets the state we are in, through one table
(`_TABLE`). The states a bot may go to from each state stand in `TRANSITIONS`; anything else is a bug and raises.
Deadlines are kept here: the runner calls `handle(Tick(), now)` when `wake_at` has come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, ClassVar

from bot import stimuli as s
from bot.contract import (
    BotExit,
    DisconnectReason,
    EventName,
    Level,
    QrCause,
    ReconnectHow,
    ReconnectSettings,
    State,
    mask_phone,
)
from bot.signals import Belief, Kind, LogoutReason
from bot.waits import Waits


class InvalidTransition(Exception):
    """The lifecycle tried to go where TRANSITIONS has no way: a bug in this file."""


_UP = (State.PAIRING, State.SYNCING, State.READY)
_PERMANENT = (State.CONFLICT, State.BANNED, State.OUTDATED, State.PROXY_BLOCKED)
_ENDS = (State.LOGGED_OUT, State.FAILED, State.STOPPING)
_COMING = (State.STARTING, State.WAITING_FOR_QR_SCAN, State.PAIRING, State.SYNCING, State.RECONNECTING)

TRANSITIONS: dict[State, frozenset[State]] = {
    State.STARTING: frozenset({State.WAITING_FOR_QR_SCAN, State.RECONNECTING, *_UP, *_PERMANENT, *_ENDS}),
    State.WAITING_FOR_QR_SCAN: frozenset(
        {State.RECONNECTING, *_UP, *_PERMANENT, State.FAILED, State.STOPPING}
    ),
    State.PAIRING: frozenset({State.RECONNECTING, State.SYNCING, State.READY, *_PERMANENT, *_ENDS}),
    State.SYNCING: frozenset({State.RECONNECTING, State.READY, *_PERMANENT, *_ENDS}),
    State.READY: frozenset({State.RECONNECTING, *_PERMANENT, *_ENDS}),
    State.RECONNECTING: frozenset(
        {State.STARTING, State.WAITING_FOR_QR_SCAN, *_UP, *_PERMANENT, *_ENDS},
    ),
    State.LOGGED_OUT: frozenset({State.STARTING, State.FAILED, State.STOPPING}),
    **{
        state: frozenset(
            {State.STARTING, State.WAITING_FOR_QR_SCAN, *_UP, *_PERMANENT, State.LOGGED_OUT, State.STOPPING}
        )
        for state in _PERMANENT
    },
    State.FAILED: frozenset({State.STARTING, State.STOPPING}),
    State.STOPPING: frozenset(),
}


class Page(Enum):
    """How far the browser is."""

    NONE = auto()
    LAUNCHING = auto()
    BLANK = auto()  # runs, but the page could not be fetched
    NAVIGATING = auto()
    OPEN = auto()
    RESTORING = auto()  # closed, a generation is being put back


class Due(StrEnum):
    LAUNCH = "launch"
    NAVIGATE = "navigate"
    DROP = "drop"
    REPAIR = "repair"
    CHECK = "check"
    COME_BACK = "come_back"
    READY = "ready"
    LOST = "lost"
    CONFIRM = "confirm"
    CONFLICT = "conflict"
    QR_REFRESH = "qr_refresh"
    QR_TEXT = "qr_text"
    UNLINK = "unlink"
    CALM = "calm"


@dataclass(slots=True)
class Outage:
    """From the loss of a connection (or the start of the process) to READY.

    `announced`: a WHATSAPP_DISCONNECT told it.
    """

    since: float
    how: ReconnectHow
    reason: DisconnectReason | None = None
    announced: bool = False


@dataclass(slots=True)
class Ladder:
    """What was tried against a lost session, each once, before anybody is asked for a scan."""

    mirror_tried: bool = False
    generations: set[int | None] | None = None
    exhausted: bool = False
    under_way: bool = False

    def seen(self, number: int | None) -> bool:
        self.generations = self.generations or set()
        known = number in self.generations
        self.generations.add(number)
        return known


class Lifecycle:
    def __init__(self, settings: ReconnectSettings, random: Callable[[], float]) -> None:
        self.settings = settings
        self.waits = Waits(settings, random)
        self.state = State.STARTING
        self.since = 0.0
        self.owns_session = False
        self.page = Page.NONE
        self.belief: Belief | None = None
        self.outage: Outage | None = None
        self.attempts = 0
        self.cause: QrCause | None = None  # of the open QR episode
        self.codes = 0
        self._next_cause = QrCause.FIRST_PAIRING
        self._qr_text: str | None = None
        self._qr_shown = False
        self._rounds = 0
        self._code_until = 0.0
        self._due: dict[Due, float] = {}
        self._failures = 0  # launches and crashes in a row
        self._launched_before = False
        self._with_mirror = False
        self._keys_seen = False
        self._answered_at = 0.0
        self._silent = 0
        self._suspect_since = 0.0
        self._away_since: float | None = None
        self._took_over = False
        self._ladder = Ladder()
        self._ready_clock: float | None = None
        self._unlinking = False
        self._missing: tuple[tuple[str, ...], float] = ((), 0.0)
        self._missing_told: tuple[str, ...] = ()
        self._passkey_told = False
        self._now = 0.0
        self._out: list[s.Effect] = []

    # --- the machine ------------------------------------------------------------------------------------

    @property
    def wake_at(self) -> float | None:
        return min(self._due.values(), default=None)

    def due_in(self, due: Due, now: float) -> float | None:
        """Seconds until `due`; None when nothing of the kind is planned."""
        return None if due not in self._due else max(0.0, self._due[due] - now)

    def silent_for(self, now: float) -> float | None:
        """Seconds since the open page last answered; None where no page is meant to answer."""
        return now - self._answered_at if self.page in (Page.NAVIGATING, Page.OPEN) else None

    def handle(self, event: s.Event, now: float) -> list[s.Effect]:
        """What is to be done about `event`, in order. `now`: seconds of a clock that never goes back."""
        self._now = now
        self._out = []
        if self.state is not State.STOPPING:
            self._HANDLERS[type(event)](self, event)
        return self._out

    def _do(self, *effects: s.Effect) -> None:
        self._out.extend(effects)

    def _emit(self, name: EventName, level: Level, key: str, **fields: object) -> None:
        self._do(s.Emit(name, level, key, {k: v for k, v in fields.items() if v is not None}))

    def _enter(self, state: State) -> None:
        if state is self.state:
            return
        if state not in TRANSITIONS[self.state]:
            raise InvalidTransition(f"{self.state} -> {state}")
        old, self.state, self.since = self.state, state, self._now
        self._do(s.Enter(old, state))

    def _after(self, due: Due, seconds: float) -> None:
        self._due[due] = self._now + seconds

    def _cancel(self, *dues: Due) -> None:
        for due in dues:
            self._due.pop(due, None)

    def _on_tick(self, _: s.Tick) -> None:
        for due, _at in sorted(self._due.items(), key=lambda item: item[1]):
            if self._due.get(due, self._now + 1) <= self._now:
                del self._due[due]
                self._DUES[due](self)

    # --- start, launch, navigate ------------------------------------------------------------------------

    def _on_started(self, event: s.Started) -> None:
        self.since = self._now
        self.owns_session = event.session_present
        session = self._session()
        if event.store_created:
            self._emit(EventName.SESSION_CREATE, Level.SUCCESS, "session_create", session=session)
        if event.session_present:
            self._emit(EventName.BOT_SESSION, Level.SUCCESS, "session_found", session=session)
            self.outage = Outage(self._now, ReconnectHow.RESTART)
            self._ready_clock = self._now
            self._told_reconnect("reconnect_restart")
        else:
            if not event.store_created:
                self._emit(EventName.BOT_SESSION, Level.INFO, "session_none", session=session)
            if event.episode is not None:
                self.cause, self.codes = event.episode, event.episode_codes
        self._launch()

    def _session(self) -> str:
        return "present" if self.owns_session else "absent"

    def _told_reconnect(self, key: str, **fields: object) -> None:
        how = self.outage.how if self.outage else ReconnectHow.PAGE
        self._emit(
            EventName.BOT_RECONNECT,
            Level.INFO,
            key,
            how=how.value,
            attempt=self.attempts,
            session=self._session(),
            sessionWasAvailable=self.owns_session,
            **fields,
        )

    def _launch(self) -> None:
        self._cancel(Due.LAUNCH)
        if self.state in (State.LOGGED_OUT, State.FAILED, *_PERMANENT):
            self._enter(State.STARTING)
        self.page = Page.LAUNCHING
        self._do(s.Launch())

    def _close(self, *then: s.Effect) -> None:
        self.page = Page.NONE
        self.belief = None
        self._hide_qr()
        self._cancel(*(due for due in Due if due not in (Due.LAUNCH, Due.CALM)))
        self._do(s.CloseBrowser(), *then)

    def _relaunch(self, after: float = 0.0, *then: s.Effect) -> None:
        self._close(*then)
        if after > 0:
            self._after(Due.LAUNCH, after)
        else:
            self._launch()

    def _on_launched(self, event: s.Launched) -> None:
        if self.page is not Page.LAUNCHING:
            return
        self._with_mirror = event.with_mirror
        self._keys_seen = False
        self._answered_at, self._silent = self._now, 0
        name = EventName.BROWSER_START if self._launched_before else EventName.BOT_INIT
        key = "browser_start" if self._launched_before else "bot_init"
        self._launched_before = True
        self._emit(name, Level.SUCCESS, key, browserVersion=event.version)
        self._navigate()

    def _navigate(self) -> None:
        self.page = Page.NAVIGATING
        self._cancel(Due.NAVIGATE)
        self._do(s.Navigate())

    def _on_launch_failed(self, event: s.LaunchFailed) -> None:
        if self.page is not Page.LAUNCHING:
            return
        self._failures += 1
        wait = None if event.permanent else max(self.waits.backoff(self._failures + 1), 0.2)
        self._emit(
            EventName.BOT_INIT,
            Level.ERROR,
            "bot_init_failed",
            problem=event.message,
            hint=event.hint or None,
            fix=event.fix or None,
            retryInSeconds=round(wait, 1) if wait is not None else None,
        )
        self._close()
        if wait is not None:
            self._after(Due.LAUNCH, wait)
            return
        self._enter(State.FAILED)
        if not self._launched_before:
            self._do(s.Exit(event.exit))

    def _on_navigated(self, _: s.Navigated) -> None:
        if self.page is not Page.NAVIGATING:
            return
        self.page = Page.OPEN
        self._answered_at, self._silent = self._now, 0
        if self.state is State.RECONNECTING:
            self._after(Due.REPAIR, self.waits.repair(self.attempts))
        elif self.state in (State.STARTING, State.PAIRING, State.SYNCING) and Due.READY not in self._due:
            self._after(Due.READY, self.settings.ready_deadline)

    def _on_navigation_failed(self, event: s.NavigationFailed) -> None:
        if self.page is not Page.NAVIGATING:
            return
        self.page = Page.BLANK
        self._away_since = self._away_since or self._now
        self._cancel(*(due for due in Due if due not in (Due.LAUNCH, Due.CALM)))
        self._drop(DisconnectReason.CONNECTION_ERROR, self._now, detail=event.code)
        if self._tired_of_waiting():
            self._repair_page("reconnect_")
        else:
            self._after(Due.NAVIGATE, self.waits.navigation_retry)

    # --- what a look at the page says -------------------------------------------------------------------

    def _on_snapshot(self, event: s.SnapshotTaken) -> None:
        if self.page not in (Page.NAVIGATING, Page.OPEN):
            return
        belief = self.belief = event.belief
        self._answered_at, self._silent = self._now, 0
        self._keys_seen = self._keys_seen or bool(belief.session_keys)
        kind = belief.kind
        if kind is not Kind.CONNECTING:
            self._cancel(Due.DROP)
        if kind not in (Kind.NEEDS_QR, Kind.UNKNOWN):
            self._cancel(Due.LOST, Due.QR_TEXT)
        if kind is not Kind.CONNECTED:
            self._cancel(Due.CONFIRM)
        if kind is not Kind.CONFLICT:
            self._cancel(Due.CONFLICT)
        action = _TABLE[kind].get(self.state)
        if action is not None:
            action(self, belief)
        self._watch_signals(belief)

    def _seen_unknown(self, belief: Belief) -> None:
        if belief.session_keys and not self.owns_session and self.state is State.WAITING_FOR_QR_SCAN:
            self._paired(belief)

    def _seen_connecting(self, belief: Belief) -> None:
        self._hide_qr()
        if belief.session_keys and not self.owns_session:
            self._paired(belief)
        if Due.DROP in self._due:
            if belief.offline:
                self._due[Due.DROP] = min(self._due[Due.DROP], self._suspect_since + self.waits.flicker)
            return
        self._suspect_since = self._now
        at_once = self.state in (State.READY, State.SYNCING) or belief.offline
        self._after(Due.DROP, self.waits.flicker if at_once else self.settings.network_wait)

    def _due_drop(self) -> None:
        self._drop(DisconnectReason.CONNECTION_ERROR, self._suspect_since)
        self._told_reconnect("reconnect_page")
        left = self._suspect_since + self.settings.network_wait - self._now
        self._after(Due.REPAIR, max(left, 0.0))

    def _seen_authenticated(self, belief: Belief) -> None:
        if not self.owns_session:
            if not belief.session_keys:
                return
            self._paired(belief)
        self._cancel(Due.REPAIR, Due.CHECK, Due.COME_BACK)
        if self.state is not State.SYNCING:
            self._enter(State.SYNCING)
        if Due.READY not in self._due:
            self._after(Due.READY, self.settings.ready_deadline)

    def _seen_connected(self, belief: Belief) -> None:
        if belief.certain:
            self._ready(belief)
        elif Due.CONFIRM not in self._due:
            self._after(Due.CONFIRM, self.waits.doubt)

    def _due_confirm(self) -> None:
        if self.belief is not None and self.belief.kind is Kind.CONNECTED:
            self._ready(self.belief)

    def _still_ready(self, _: Belief) -> None:
        """Nothing to do: the connection is what we believed it to be."""

    def _ready(self, belief: Belief) -> None:
        if self.state is State.READY:
            return
        if not self.owns_session:
            self._paired(belief)
        self._cancel(*(due for due in Due if due is not Due.CALM))
        self._do(s.MarkReady())
        fields: dict[str, object] = {"session": "present"}
        if outage := self.outage:
            self._do(s.Count(s.Tally.RECONNECTS, outage.how.value))
            fields |= {"how": outage.how.value, "seconds": round(self._now - outage.since, 3)}
            if outage.announced:
                self._do(s.Observe(s.Clocked.RECONNECT, self._now - outage.since))
        if self._ready_clock is not None:
            self._do(s.Observe(s.Clocked.READY, self._now - self._ready_clock))
            self._ready_clock = None
        if self._ladder.under_way:
            self._ladder.under_way = False
            self._do(s.Count(s.Tally.RESTORES, "ready"))
        if not belief.session_keys and belief.session_keys is not None:
            fields["evidence"] = list(belief.evidence)
        self.outage = None
        self._away_since = None
        self._enter(State.READY)
        self._emit(EventName.WHATSAPP_READY, Level.SUCCESS, "ready", **fields)
        self._after(Due.CALM, self.waits.calm)

    def _due_calm(self) -> None:
        if self.state is State.READY:
            self.attempts = self._failures = 0
            self._ladder = Ladder()

    def _paired(self, belief: Belief) -> None:
        """The device is registered. Marked on the volume before anybody is told."""
        self.owns_session = True
        self._hide_qr()
        self._cancel(Due.QR_REFRESH, Due.QR_TEXT, Due.LOST)
        self._qr_text, self._rounds, self.codes, self.cause = None, 0, 0, None
        self._ladder = Ladder()
        self._ready_clock = self._now
        self.outage = None
        self._do(s.MarkPaired(belief.wid), s.CloseEpisode())
        if self.state is not State.PAIRING:
            self._enter(State.PAIRING)
        phone = mask_phone(belief.wid) if belief.wid else None
        self._emit(EventName.WHATSAPP_PAIRED, Level.SUCCESS, "paired", phone=phone, session="present")
        self._after(Due.READY, self.settings.ready_deadline)

    # --- QR ---------------------------------------------------------------------------------------------

    def _seen_needs_qr(self, belief: Belief) -> None:
        if self.owns_session:
            if Due.LOST not in self._due:
                self._after(Due.LOST, self.waits.doubt if belief.certain else self.settings.network_wait)
            return
        self._wait_for_scan(belief)

    def _wait_for_scan(self, belief: Belief) -> None:
        self._cancel(Due.REPAIR, Due.CHECK, Due.COME_BACK, Due.READY, Due.DROP)
        self.outage = None
        self._enter(State.WAITING_FOR_QR_SCAN)
        if belief.passkey and not self._passkey_told:
            self._emit(EventName.WHATSAPP_PAIRING_CODE, Level.WARNING, "passkey")
        self._passkey_told = belief.passkey
        if belief.qr_text is not None and not belief.refs_used_up:
            self._show_qr(belief.qr_text)
            return
        self._hide_qr()
        if self._now < self._code_until:
            return
        if belief.refs_used_up:
            if Due.QR_REFRESH not in self._due:
                self._after(Due.QR_REFRESH, self.waits.qr_refresh(self._rounds))
        elif Due.QR_TEXT not in self._due:
            self._after(Due.QR_TEXT, self.settings.network_wait)

    def _show_qr(self, text: str) -> None:
        self._cancel(Due.QR_REFRESH, Due.QR_TEXT)
        if text == self._qr_text:
            if not self._qr_shown:
                self._qr_shown = True
                self._do(s.ShowQr(text, self.codes))
            return
        if self.cause is None:
            self.cause, self.codes = self._next_cause, 0
            self._do(s.OpenEpisode(self.cause), s.Count(s.Tally.QR_REQUESTS, self.cause.value))
        self.codes += 1
        self._qr_text, self._qr_shown = text, True
        self._do(s.Count(s.Tally.QR_CODES), s.ShowQr(text, self.codes))
        self._emit(
            EventName.WHATSAPP_QR,
            Level.INFO,
            "qr",
            cause=self.cause.value,
            number=self.codes,
            session="absent",
        )

    def _hide_qr(self) -> None:
        if self._qr_shown:
            self._qr_shown = False
            self._do(s.ShowQr(None))

    def _due_qr_refresh(self) -> None:
        if self.state is State.WAITING_FOR_QR_SCAN and self.page is Page.OPEN:
            self._rounds += 1
            self._do(s.RefreshQr())

    def _due_qr_text(self) -> None:
        """A page that asks for a scan and shows no code that can be read."""
        self._due_qr_refresh()

    def _on_qr_refreshed(self, event: s.QrRefreshed) -> None:
        if not event.ok and self.state is State.WAITING_FOR_QR_SCAN and self.page is Page.OPEN:
            self._reload()

    def _on_qr_requested(self, _: s.QrRequested) -> None:
        if Due.QR_REFRESH in self._due:
            self._due[Due.QR_REFRESH] = self._now
            self._on_tick(s.Tick())

    def _on_pairing_code(self, event: s.PairingCodeShown) -> None:
        self._code_until = self._now + event.seconds
        self._cancel(Due.QR_REFRESH, Due.QR_TEXT)
        self._emit(
            EventName.WHATSAPP_PAIRING_CODE, Level.INFO, "pairing_code", validForSeconds=round(event.seconds)
        )

    def _reload(self) -> None:
        self.page = Page.NAVIGATING
        self._do(s.Reload())

    # --- the connection is away -------------------------------------------------------------------------

    def _drop(self, reason: DisconnectReason, since: float, **fields: object) -> None:
        """RECONNECTING, and told once: what comes until READY belongs to the same outage."""
        self._hide_qr()
        self._announce(reason, since, session=self._session(), **fields)
        self._enter(State.RECONNECTING)

    def _announce(self, reason: DisconnectReason, since: float, *, session: str, **fields: object) -> None:
        if self.outage is None:
            self.outage = Outage(since, ReconnectHow.PAGE)
        if self.outage.announced and self.outage.reason is reason:
            return
        self.outage.announced, self.outage.reason = True, reason
        self._cancel(Due.CALM)
        self._do(s.Count(s.Tally.DISCONNECTS, reason.value))
        self._emit(
            EventName.WHATSAPP_DISCONNECT,
            Level.WARNING,
            "disconnect_" + reason.value.lower(),
            reason=reason.value,
            session=session,
            sessionWasAvailable=self.owns_session,
            **fields,
        )

    def _due_repair(self) -> None:
        if self.state is State.RECONNECTING and self.page is Page.OPEN:
            self._do(s.CheckNetwork())

    def _on_network_checked(self, event: s.NetworkChecked) -> None:
        if self.state is not State.RECONNECTING or self.page is not Page.OPEN:
            return
        if event.reachable is False:
            self._away_since = self._away_since or self._now
            if self._tired_of_waiting():
                self._escalate()
            else:
                self._after(Due.CHECK, self.waits.network_check)
        elif self._away_since is not None:
            self._away_since = None
            self.attempts = 0
            self._after(Due.COME_BACK, self.waits.flicker)
        else:
            self._escalate()

    def _tired_of_waiting(self) -> bool:
        """A browser can go on believing in a network that has changed under it: now and then it is asked anew."""
        if self._away_since is None or self._now - self._away_since < self.settings.backoff_max:
            return False
        self._away_since = self._now
        return True

    def _escalate(self) -> None:
        if self.state is State.RECONNECTING and self.page is Page.OPEN:
            self._repair_page("reconnect_")

    def _due_ready(self) -> None:
        """Neither READY nor a QR within the deadline, although the page answers."""
        if self.page is Page.OPEN and self.state in (State.STARTING, State.PAIRING, State.SYNCING):
            self._repair_page("never_ready_")

    def _repair_page(self, key: str) -> None:
        """First a reload, then a new browser each time."""
        self.attempts += 1
        how = ReconnectHow.RELOAD if self.attempts == 1 else ReconnectHow.RELAUNCH
        self.outage = self.outage or Outage(self._now, how)
        self.outage.how = how
        self._told_reconnect(key + how.value)
        if how is ReconnectHow.RELOAD:
            self._cancel(Due.READY)
            self._reload()
        else:
            self._do(s.Count(s.Tally.BROWSER_RESTARTS, "reconnect"))
            self._relaunch()

    # --- page and browser break -------------------------------------------------------------------------

    def _on_probe_failed(self, _: s.ProbeFailed) -> None:
        if self.page not in (Page.NAVIGATING, Page.OPEN):
            return
        self._silent += 1
        patience = 2 * self.settings.probe_timeout
        if self._silent >= 2 and self._now - self._answered_at >= 0.95 * patience:
            self._emit(
                EventName.PAGE_HUNG, Level.ERROR, "page_hung", seconds=round(self._now - self._answered_at, 1)
            )
            self._broken(DisconnectReason.PAGE_HUNG)

    def _on_page_crashed(self, _: s.PageCrashed) -> None:
        if self.page in (Page.BLANK, Page.NAVIGATING, Page.OPEN):
            self._emit(EventName.PAGE_CRASHED, Level.ERROR, "page_crashed")
            self._broken(DisconnectReason.PAGE_CRASHED)

    def _on_browser_gone(self, event: s.BrowserGone) -> None:
        if self.page in (Page.LAUNCHING, Page.BLANK, Page.NAVIGATING, Page.OPEN):
            self._emit(EventName.BROWSER_LOST, Level.ERROR, "browser_lost", detail=event.note or None)
            self._broken(DisconnectReason.BROWSER_LOST)

    def _broken(self, reason: DisconnectReason) -> None:
        if self.state in _PERMANENT:
            self._close()
            return
        self._failures += 1
        self._do(s.Count(s.Tally.BROWSER_RESTARTS, reason.value.lower()))
        self._drop(reason, self._now)
        assert self.outage is not None
        self.outage.how = ReconnectHow.RELAUNCH
        wait = self.waits.backoff(self._failures)
        self._told_reconnect("reconnect_relaunch", retryInSeconds=round(wait, 1) if wait else None)
        self._relaunch(wait)

    # --- the session is gone ----------------------------------------------------------------------------

    def _seen_unlinked(self, belief: Belief) -> None:
        if self.owns_session:
            self._logout(str(belief.logout_reason or LogoutReason.PHONE), belief)
        else:
            self._wait_for_scan(belief)

    def _seen_client_logout(self, belief: Belief) -> None:
        if not self.owns_session:
            self._wait_for_scan(belief)
            return
        if belief.logout_reason is LogoutReason.STORAGE:
            self._emit(
                EventName.STORAGE_WARNING, Level.ERROR, "page_storage_failed", evidence=list(belief.evidence)
            )
        self._climb(belief, generation_first=True)

    def _logout(self, reason: str, belief: Belief | None) -> None:
        evidence = list(belief.evidence) if belief else None
        self._unlinking = False
        self.outage = None
        self._announce(DisconnectReason.LOGOUT, self._now, session="absent", evidence=evidence)
        self.outage = None
        self.owns_session = False
        self.cause, self._next_cause = None, QrCause.LOGOUT
        self._qr_text = None
        self._enter(State.LOGGED_OUT)
        wait = self.settings.logout_wait
        told = s.Emit(
            EventName.WHATSAPP_LOGOUT,
            Level.WARNING,
            "logout",
            {"reason": reason, "session": "absent", "newQrInSeconds": wait},
        )
        self._close(s.MarkLoggedOut(reason), s.SetAside("logout"), told)
        self._after(Due.LAUNCH, wait)

    def _due_lost(self) -> None:
        if self.belief is not None and self.belief.kind is Kind.NEEDS_QR and self.owns_session:
            self._climb(self.belief)

    def _climb(self, belief: Belief, *, generation_first: bool = False) -> None:
        """The page asks for a scan and nothing proves a logout: what we kept is tried before a person is asked."""
        ladder = self._ladder
        if ladder.under_way:
            ladder.under_way = False
            self._do(s.Count(s.Tally.RESTORES, "failed"))
        self._drop(DisconnectReason.SESSION_LOST, self._now, evidence=list(belief.evidence))
        assert self.outage is not None
        self.outage.how = ReconnectHow.RELAUNCH
        mirror_helps = not ladder.mirror_tried and (self._keys_seen or not self._with_mirror)
        if mirror_helps and (ladder.exhausted or not generation_first):
            ladder.mirror_tried = ladder.under_way = True
            self._emit(EventName.SESSION_RESTORE, Level.WARNING, "restore_mirror", kind="mirror")
            self._relaunch()
        elif not ladder.exhausted:
            self._close(s.RestoreGeneration("session_lost"))
            self.page = Page.RESTORING
        else:
            self._give_up(list(belief.evidence))

    def _on_restored(self, event: s.Restored) -> None:
        if self.page is not Page.RESTORING:
            return
        if event.outcome is s.Restore.RESTORED and not self._ladder.seen(event.number):
            self._ladder.under_way = True
            self._emit(
                EventName.SESSION_RESTORE,
                Level.WARNING,
                "restore_generation",
                kind="generation",
                generation=event.number,
            )
            self._launch()
            return
        if event.outcome is not s.Restore.RESTORED:
            self._do(s.Count(s.Tally.RESTORES, event.outcome.value))
        self._ladder.exhausted = True
        if not self._ladder.mirror_tried and self._keys_seen:
            self._ladder.mirror_tried = self._ladder.under_way = True
            self._emit(EventName.SESSION_RESTORE, Level.WARNING, "restore_mirror", kind="mirror")
            self._launch()
        else:
            self._give_up([])

    def _give_up(self, evidence: list[str]) -> None:
        self._emit(
            EventName.SESSION_LOST, Level.ERROR, "session_lost", evidence=evidence or None, session="absent"
        )
        self.owns_session = False
        self.outage = None
        self.cause, self._next_cause = None, QrCause.SESSION_LOST
        self._qr_text = None
        self._close(s.MarkLoggedOut("session_lost"), s.SetAside("session_lost"))
        self._enter(State.STARTING)
        self._launch()

    def _on_storage_failed(self, event: s.StorageFailed) -> None:
        self._emit(
            EventName.STORAGE_WARNING,
            Level.ERROR,
            "storage_failed",
            problem=event.message,
            hint=event.hint or None,
            fix=event.fix or None,
        )
        self._cancel(*Due)
        self._close()
        self._enter(State.FAILED)

    # --- a person is needed -----------------------------------------------------------------------------

    def _seen_conflict(self, belief: Belief) -> None:
        if self.settings.takeover and not self._took_over:
            self._took_over = True
            self._drop(DisconnectReason.CONFLICT, self._now)
            self._emit(
                EventName.WHATSAPP_CONFLICT, Level.WARNING, "conflict_takeover", session=self._session()
            )
            self._do(s.Takeover())
            self._after(Due.CONFLICT, self.settings.network_wait / 2)
        elif Due.CONFLICT not in self._due:
            self._stopped(belief)

    def _due_conflict(self) -> None:
        if self.belief is not None and self.belief.kind is Kind.CONFLICT:
            self._stopped(self.belief)

    def _stopped(self, belief: Belief) -> None:
        state, reason, name = _STOPS[belief.kind]
        if self.state is state:
            return
        self._cancel(*Due)
        self._hide_qr()
        self._announce(reason, self._now, session=self._session(), evidence=list(belief.evidence))
        self._enter(state)
        key = "account_locked" if belief.logout_reason is LogoutReason.LOCKED else state.value.lower()
        self._emit(name, Level.ERROR, key, session=self._session(), userAction=state.user_action.value)

    # --- commands ---------------------------------------------------------------------------------------

    def _on_reload_requested(self, _: s.ReloadRequested) -> None:
        self._emit(EventName.BOT_CONTROL, Level.INFO, "control_reload")
        self._took_over = False
        self._failures = self.attempts = 0
        if self.state in (*_PERMANENT, State.FAILED, State.LOGGED_OUT):
            if self.state is not State.LOGGED_OUT:
                self._close()
            self._cancel(*Due)
            self._launch()
        elif self.page is Page.OPEN:
            if self.state is State.READY:
                self._drop_for_reload()
            self._reload()
        elif self.page is Page.BLANK:
            self._navigate()
        elif self.page is Page.NONE and Due.LAUNCH in self._due:
            self._launch()

    def _drop_for_reload(self) -> None:
        self.outage = Outage(self._now, ReconnectHow.RELOAD)
        self._enter(State.RECONNECTING)

    @property
    def can_log_out(self) -> bool:
        return self.owns_session and self.page is Page.OPEN and self.state in (State.READY, State.SYNCING)

    def _on_logout_requested(self, _: s.LogoutRequested) -> None:
        if self.can_log_out and not self._unlinking:
            self._unlinking = True
            self._emit(EventName.BOT_CONTROL, Level.INFO, "control_logout")
            self._do(s.Unlink())

    def _on_unlinked(self, event: s.Unlinked) -> None:
        if not self._unlinking or not self.owns_session:
            return
        if event.ok:
            self._after(Due.UNLINK, self.waits.unlink)
        else:
            self._unlinking = False
            self._emit(EventName.BOT_CONTROL, Level.WARNING, "control_logout_failed", session=self._session())

    def _due_unlink(self) -> None:
        if self._unlinking and self.owns_session and self.page is not Page.NONE:
            self._logout("own_command", self.belief)

    def _on_stop_requested(self, event: s.StopRequested) -> None:
        was_ready = self.state is State.READY
        self._emit(EventName.SHUTDOWN, Level.INFO, "shutdown", signal=event.signal, session=self._session())
        self._enter(State.STOPPING)
        self._hide_qr()
        self._due.clear()
        self._do(s.CloseBrowser())
        if was_ready:
            self._do(s.TakeGeneration())
        self._do(s.Exit(BotExit.OK))

    # --- signals that vanished --------------------------------------------------------------------------

    def _watch_signals(self, belief: Belief) -> None:
        if belief.missing != self._missing[0]:
            self._missing = (belief.missing, self._now)
        settled = self._now - self._missing[1] >= self.waits.network_check
        if self.state in (State.READY, State.WAITING_FOR_QR_SCAN) and settled:
            if belief.missing and belief.missing != self._missing_told:
                self._emit(
                    EventName.SIGNAL_MISSING, Level.WARNING, "signal_missing", missing=list(belief.missing)
                )
            self._missing_told = belief.missing

    _HANDLERS: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        s.Started: _on_started,
        s.Launched: _on_launched,
        s.LaunchFailed: _on_launch_failed,
        s.Navigated: _on_navigated,
        s.NavigationFailed: _on_navigation_failed,
        s.SnapshotTaken: _on_snapshot,
        s.ProbeFailed: _on_probe_failed,
        s.PageCrashed: _on_page_crashed,
        s.BrowserGone: _on_browser_gone,
        s.NetworkChecked: _on_network_checked,
        s.QrRefreshed: _on_qr_refreshed,
        s.Unlinked: _on_unlinked,
        s.Restored: _on_restored,
        s.StorageFailed: _on_storage_failed,
        s.PairingCodeShown: _on_pairing_code,
        s.QrRequested: _on_qr_requested,
        s.ReloadRequested: _on_reload_requested,
        s.LogoutRequested: _on_logout_requested,
        s.StopRequested: _on_stop_requested,
        s.Tick: _on_tick,
    }
    _DUES: ClassVar[dict[Due, Callable[[Any], None]]] = {
        Due.LAUNCH: _launch,
        Due.NAVIGATE: _navigate,
        Due.DROP: _due_drop,
        Due.REPAIR: _due_repair,
        Due.CHECK: _due_repair,
        Due.COME_BACK: _escalate,
        Due.READY: _due_ready,
        Due.LOST: _due_lost,
        Due.CONFIRM: _due_confirm,
        Due.CONFLICT: _due_conflict,
        Due.QR_REFRESH: _due_qr_refresh,
        Due.QR_TEXT: _due_qr_text,
        Due.UNLINK: _due_unlink,
        Due.CALM: _due_calm,
    }


_STOPS = {
    Kind.CONFLICT: (State.CONFLICT, DisconnectReason.CONFLICT, EventName.WHATSAPP_CONFLICT),
    Kind.BANNED: (State.BANNED, DisconnectReason.BANNED, EventName.WHATSAPP_BANNED),
    Kind.OUTDATED: (State.OUTDATED, DisconnectReason.OUTDATED, EventName.WHATSAPP_OUTDATED),
    Kind.PROXY_BLOCKED: (
        State.PROXY_BLOCKED,
        DisconnectReason.PROXY_BLOCKED,
        EventName.WHATSAPP_PROXY_BLOCKED,
    ),
}

_Action = Callable[[Lifecycle, Belief], None]


def _row(action: _Action, *states: State, ready: _Action | None = None) -> dict[State, _Action]:
    return {**dict.fromkeys(states, action), **({State.READY: ready} if ready else {})}


# What a belief does in each state; a pair that is not here changes nothing. LOGGED_OUT, FAILED and STOPPING have no
# page. A permanent state is left only by what the page itself shows: connected, registered anew, or unlinked.
_TABLE: dict[Kind, dict[State, _Action]] = {
    Kind.UNKNOWN: _row(Lifecycle._seen_unknown, State.WAITING_FOR_QR_SCAN),
    Kind.CONNECTING: _row(
        Lifecycle._seen_connecting,
        State.STARTING,
        State.WAITING_FOR_QR_SCAN,
        State.PAIRING,
        State.SYNCING,
        State.READY,
    ),
    Kind.NEEDS_QR: _row(Lifecycle._seen_needs_qr, *_COMING, State.READY),
    Kind.AUTHENTICATED: _row(Lifecycle._seen_authenticated, *_COMING, *_PERMANENT),
    Kind.CONNECTED: _row(Lifecycle._seen_connected, *_COMING, *_PERMANENT, ready=Lifecycle._still_ready),
    Kind.UNLINKED: _row(Lifecycle._seen_unlinked, *_COMING, State.READY, *_PERMANENT),
    Kind.CLIENT_LOGOUT: _row(Lifecycle._seen_client_logout, *_COMING, State.READY),
    Kind.CONFLICT: _row(Lifecycle._seen_conflict, *_COMING, State.READY),
    **{
        kind: _row(Lifecycle._stopped, *_COMING, State.READY, *_PERMANENT)
        for kind in _STOPS
        if kind != Kind.CONFLICT
    },
}
