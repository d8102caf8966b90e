"""PURE: the connection is away, or page or browser broke: told once, then mended.

The page's own reconnect comes first, then one reload, then new browsers, with growing waits and without end.
"""

from __future__ import annotations

from bot import stimuli as s
from bot.contract import DisconnectReason, EventName, Level, ReconnectHow, RestartReason, State
from bot.lifecycle.core import Core, Due, Outage, Page
from bot.lifecycle.table import PERSON
from bot.lifecycle.window import Window
from bot.signals import Belief, Kind


class Repair:
    def __init__(self, core: Core, window: Window) -> None:
        self._core, self._window = core, window
        self._suspect_since = 0.0

    # --- what is told ------------------------------------------------------------------------------------

    def drop(self, reason: DisconnectReason, since: float, **fields: object) -> None:
        """RECONNECTING, and each reason told once: what comes until READY belongs to the same outage."""
        self._core.hide_qr()
        self.announce(reason, since, session=self._core.session, **fields)
        self._core.enter(State.RECONNECTING)

    def announce(self, reason: DisconnectReason, since: float, *, session: str, **fields: object) -> None:
        core = self._core
        if core.outage is None:
            core.outage = Outage(since, ReconnectHow.PAGE)
        core.outage.detail = str(fields["detail"]) if fields.get("detail") else core.outage.detail
        if reason in core.outage.told:
            return
        core.outage.reason = reason
        core.outage.told.add(reason)
        core.cancel(Due.CALM)
        core.do(s.Count(s.Tally.DISCONNECTS, reason.value))
        core.emit(
            EventName.WHATSAPP_DISCONNECT,
            Level.WARNING,
            "disconnect_" + reason.value.lower(),
            reason=reason.value,
            session=session,
            sessionWasAvailable=core.owns_session,
            **fields,
        )

    def tell_reconnect(self, key: str, *, attempt: int | None = None, **fields: object) -> None:
        core = self._core
        how = core.outage.how if core.outage else ReconnectHow.PAGE
        core.emit(
            EventName.BOT_RECONNECT,
            Level.INFO,
            key,
            how=how.value,
            attempt=core.attempts if attempt is None else attempt,
            session=core.session,
            sessionWasAvailable=core.owns_session,
            **fields,
        )

    # --- the network is away -----------------------------------------------------------------------------

    def suspect(self, belief: Belief) -> None:
        """A connection that was up is dropped after a flicker; one that is still coming gets networkWait.

        A page that was READY and says nothing any more, or syncs anew, gets networkWait too.
        """
        core = self._core
        if Due.DROP not in core.due:
            self._suspect_since = core.now
        was_up = self._window.linked and core.state in (State.READY, State.SYNCING)
        at_once = belief.kind is Kind.CONNECTING and (was_up or belief.offline)
        patience = core.waits.flicker if at_once else core.settings.network_wait
        core.due[Due.DROP] = self._suspect_since + patience

    def due_drop(self) -> None:
        core = self._core
        self.drop(DisconnectReason.CONNECTION_ERROR, self._suspect_since)
        assert core.outage is not None
        core.outage.how = ReconnectHow.PAGE
        self.tell_reconnect("reconnect_page")
        left = self._suspect_since + core.settings.network_wait - core.now
        core.after(Due.REPAIR, max(left, 0.0))

    def on_navigation_failed(self, event: s.NavigationFailed) -> None:
        core = self._core
        if core.page is not Page.NAVIGATING:
            return
        core.page = Page.BLANK
        core.away_since = core.away_since or core.now
        core.cancel_all_but(Due.UNLINK, Due.CALM)
        news = core.outage is None or DisconnectReason.CONNECTION_ERROR not in core.outage.told
        self.drop(DisconnectReason.CONNECTION_ERROR, core.now, detail=event.code)
        assert core.outage is not None
        if self._tired_of_waiting():
            self.mend("reconnect_")
            return
        if core.outage.how is ReconnectHow.PAGE:
            core.outage.how = ReconnectHow.RELOAD
        wait = core.waits.navigation_retry
        if news:
            self.tell_reconnect("reconnect_retry", retryInSeconds=round(wait, 1))
        core.after(Due.NAVIGATE, wait)

    def due_check(self) -> None:
        if self._core.state is State.RECONNECTING and self._core.page is Page.OPEN:
            self._core.do(s.CheckNetwork())

    def on_network_checked(self, event: s.NetworkChecked) -> None:
        core = self._core
        if core.state is not State.RECONNECTING or core.page is not Page.OPEN:
            return
        if event.reachable is False:
            core.away_since = core.away_since or core.now
            if self._tired_of_waiting():
                self.escalate()
            else:
                core.after(Due.CHECK, core.waits.network_check)
        elif core.away_since is not None:
            core.away_since = None
            core.attempts = 0
            core.after(Due.COME_BACK, core.waits.flicker)
        else:
            self.escalate()

    def _tired_of_waiting(self) -> bool:
        """A browser can go on believing in a network that has changed under it: now and then it is asked anew."""
        core = self._core
        if core.away_since is None or core.now - core.away_since < core.settings.backoff_max:
            return False
        core.away_since = core.now
        return True

    def escalate(self) -> None:
        if self._core.state is State.RECONNECTING and self._core.page is Page.OPEN:
            self.mend("reconnect_")

    def due_ready(self) -> None:
        """Neither READY nor a QR within the deadline, although the page answers."""
        core = self._core
        if core.page is Page.OPEN and core.state in (State.STARTING, State.PAIRING, State.SYNCING):
            self.mend("never_ready_")

    def listen(self, belief: Belief) -> None:
        """A page that lost one of its scripts may never speak; one that is only slow has until its deadline."""
        if belief.incomplete and Due.INCOMPLETE not in self._core.due:
            self._core.after(Due.INCOMPLETE, self._core.waits.repair(self._core.attempts))

    def due_incomplete(self) -> None:
        core = self._core
        if core.page is Page.OPEN and core.state in (State.STARTING, State.PAIRING, State.SYNCING):
            self.mend("incomplete_")

    def mend(self, key: str) -> None:
        """First a reload, then a new browser each time."""
        core = self._core
        core.attempts += 1
        how = ReconnectHow.RELOAD if core.attempts == 1 else ReconnectHow.RELAUNCH
        core.outage = core.outage or Outage(core.now, how)
        core.outage.how = how
        self.tell_reconnect(key + how.value)
        if how is ReconnectHow.RELOAD:
            core.cancel(Due.READY)
            self._window.reload()
        else:
            self._window.relaunch(RestartReason.RECONNECT)

    # --- page and browser break --------------------------------------------------------------------------

    def on_probe_failed(self, _: s.ProbeFailed) -> None:
        core, window = self._core, self._window
        if core.page not in (Page.NAVIGATING, Page.OPEN):
            return
        window.silent += 1
        silence = core.now - window.answered_at
        if window.silent >= 2 and silence >= 0.95 * 2 * core.settings.probe_timeout:
            core.emit(EventName.PAGE_HUNG, Level.ERROR, "page_hung", seconds=round(silence, 1))
            self._broken(DisconnectReason.PAGE_HUNG)

    def on_page_crashed(self, event: s.PageCrashed) -> None:
        if self._core.page in (Page.BLANK, Page.NAVIGATING, Page.OPEN):
            self._core.emit(EventName.PAGE_CRASHED, Level.ERROR, "page_crashed", detail=event.note or None)
            self._broken(DisconnectReason.PAGE_CRASHED)

    def on_browser_gone(self, event: s.BrowserGone) -> None:
        if self._core.page in (Page.LAUNCHING, Page.BLANK, Page.NAVIGATING, Page.OPEN):
            self._core.emit(EventName.BROWSER_LOST, Level.ERROR, "browser_lost", detail=event.note or None)
            self._broken(DisconnectReason.BROWSER_LOST)

    def _broken(self, reason: DisconnectReason) -> None:
        core = self._core
        if core.state in PERSON:
            self._window.close()
            return
        core.failures += 1
        self.drop(reason, core.now)
        assert core.outage is not None
        core.outage.how = ReconnectHow.RELAUNCH
        wait = core.waits.backoff(core.failures)
        retry = round(wait, 1) if wait else None
        self.tell_reconnect("reconnect_relaunch", attempt=core.failures, retryInSeconds=retry)
        self._window.relaunch(RestartReason(reason.value.lower()), wait)
