"""PURE: the session is over, or seems to be: a logout with its proof, our own logout, and the ladder of restores."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot import stimuli as s
from bot.contract import (
    DisconnectReason,
    Ending,
    EventName,
    Level,
    QrCause,
    ReconnectHow,
    RestartReason,
    RestoreEnd,
    State,
)
from bot.lifecycle.core import Core, Due, Page
from bot.lifecycle.qr import Qr
from bot.lifecycle.repair import Repair
from bot.lifecycle.window import Window
from bot.signals import Belief, Kind, LogoutReason

_MOST_ASKED = 9  # a volume that offers copies without end does not hold a person off for ever


@dataclass(slots=True)
class Ladder:
    """What was tried against a lost session, each once, before anybody is asked for a scan."""

    mirror_tried: bool = False
    asked: int = 0  # generations asked for
    tried: set[int | None] = field(default_factory=set)
    exhausted: bool = False
    under_way: bool = False


class Loss:
    def __init__(self, core: Core, window: Window, qr: Qr, repair: Repair) -> None:
        self._core, self._window, self._qr, self._repair = core, window, qr, repair
        self.ladder = Ladder()
        self._signals: list[str] = []  # of the look at the page that began the climb
        self._last_move: s.SetAside | s.Erase | None = None
        self._refused: s.SetAside | s.Erase | None = None

    # --- what the page says ------------------------------------------------------------------------------

    def needs_qr(self, belief: Belief) -> None:
        core = self._core
        if not core.owns_session:
            self._qr.wait_for_scan(belief)
        elif Due.LOST not in core.due:
            core.after(Due.LOST, core.waits.doubt if belief.certain else core.settings.network_wait)

    def unlinked(self, belief: Belief) -> None:
        if self._core.owns_session:
            self._log_out(Ending.OWN_COMMAND if self._core.unlinking else Ending.PHONE, belief)
        else:
            self._qr.wait_for_scan(belief)

    def client_logout(self, belief: Belief) -> None:
        if not self._core.owns_session:
            self._qr.wait_for_scan(belief)
            return
        if self._core.unlinking:
            self._log_out(Ending.OWN_COMMAND, belief)
            return
        if belief.logout_reason is LogoutReason.STORAGE:
            fields = {"evidence": list(belief.evidence)}
            name, key = EventName.STORAGE_WARNING, "page_storage_failed"
            self._core.do(s.Emit(name, Level.ERROR, key, fields, inquest=True))
        once = belief.logout_reason in (LogoutReason.SYNC, LogoutReason.SYNC_TIMEOUT)
        if once and self.ladder.tried:  # a restored sync that fails again fails with every copy
            self.ladder.mirror_tried = self.ladder.exhausted = True
        self._climb(belief, generation_first=True)

    def due_lost(self) -> None:
        core = self._core
        if core.belief is None or core.belief.kind is not Kind.NEEDS_QR or not core.owns_session:
            return
        if core.unlinking:
            self._log_out(Ending.OWN_COMMAND, core.belief)
        else:
            self._climb(core.belief)

    # --- a logout ----------------------------------------------------------------------------------------

    def _log_out(self, ending: Ending, belief: Belief) -> None:
        core = self._core
        self._fail()
        self.ladder = Ladder()
        core.unlinking = False
        core.cancel(Due.UNLINK)
        core.outage = None
        evidence = list(belief.evidence)
        self._repair.announce(DisconnectReason.LOGOUT, core.now, session="absent", evidence=evidence)
        core.outage = None
        core.owns_session = False
        self._qr.begin_anew(QrCause.LOGOUT)
        core.enter(State.LOGGED_OUT)
        wait = core.settings.logout_wait
        told = s.Emit(
            EventName.WHATSAPP_LOGOUT,
            Level.WARNING,
            "logout_own" if ending is Ending.OWN_COMMAND else "logout",
            {"reason": ending.value, "session": "absent", "newQrInSeconds": wait, "evidence": evidence},
            ending,
        )
        self._window.count_restart(RestartReason.LOGOUT)
        if ending is Ending.OWN_COMMAND:
            self._last_move = s.Erase(ending.value)
            self._window.close(self._last_move, told)
        else:
            self._last_move = s.SetAside("logout")
            self._window.close(s.MarkLoggedOut(ending.value), self._last_move, told)
        core.after(Due.LAUNCH, wait)

    @property
    def can_log_out(self) -> bool:
        core = self._core
        return core.owns_session and core.page is Page.OPEN and core.state in (State.READY, State.SYNCING)

    def on_logout_requested(self, _: s.LogoutRequested) -> None:
        if self.can_log_out and not self._core.unlinking:
            self._core.unlinking = True
            self._core.emit(EventName.BOT_CONTROL, Level.INFO, "control_logout")
            self._core.do(s.Unlink())

    def resume_logout(self) -> None:
        """READY, and a logout of our own was cut short: whoever wanted it has not taken it back."""
        self._core.emit(EventName.BOT_CONTROL, Level.INFO, "control_logout_resumed")
        self._core.do(s.Unlink())

    def on_unlinked(self, event: s.Unlinked) -> None:
        core = self._core
        if event.ok and core.unlinking:
            core.after(Due.UNLINK, core.waits.unlink)
        else:
            core.end_unlinking()

    def due_unlink(self) -> None:
        """The page took the order and shows no proof of it: without any second sign the session is kept.

        A connection that is away proves nothing: when it is back, READY takes the logout up again.
        """
        core = self._core
        if core.belief is not None and core.belief.kind is Kind.NEEDS_QR:
            self._log_out(Ending.OWN_COMMAND, core.belief)
        elif core.state is State.READY:
            if core.belief is not None and core.belief.kind is Kind.CONNECTED:
                core.end_unlinking()
            else:
                core.after(Due.UNLINK, core.waits.unlink)

    # --- the ladder of restores --------------------------------------------------------------------------

    def _climb(self, belief: Belief, *, generation_first: bool = False) -> None:
        """The page asks for a scan and nothing proves a logout: what we kept is tried before a person is asked."""
        core, ladder = self._core, self.ladder
        self._fail()
        self._signals = list(belief.evidence)
        self._repair.drop(DisconnectReason.SESSION_LOST, core.now, evidence=self._signals)
        assert core.outage is not None
        core.outage.how = ReconnectHow.RELAUNCH
        core.do(s.MarkInDoubt())
        mirror_helps = not ladder.mirror_tried and (self._window.keys_seen or not self._window.with_mirror)
        if mirror_helps and (ladder.exhausted or not generation_first):
            self._try_mirror()
            self._window.relaunch(RestartReason.SESSION_LOST)
        elif not ladder.exhausted:
            self._window.close()
            self._ask_for_generation()
        else:
            self._give_up()

    def _fail(self) -> None:
        """What was tried last did not bring the session back."""
        if self.ladder.under_way:
            self.ladder.under_way = False
            self._core.do(s.Count(s.Tally.RESTORES, RestoreEnd.FAILED.value))

    def _ask_for_generation(self) -> None:
        self.ladder.asked += 1
        self._core.page = Page.RESTORING
        self._core.do(s.RestoreGeneration("session_lost"))

    def _try_mirror(self) -> None:
        self.ladder.mirror_tried = self.ladder.under_way = True
        self._core.emit(EventName.SESSION_RESTORE, Level.WARNING, "restore_mirror", kind="mirror")

    def on_restored(self, event: s.Restored) -> None:
        core, ladder = self._core, self.ladder
        if core.page is not Page.RESTORING:
            return
        again = event.number is not None and ladder.asked < _MOST_ASKED
        if event.outcome is s.Restore.RESTORED and event.number not in ladder.tried:
            ladder.tried.add(event.number)
            ladder.under_way = True
            core.emit(
                EventName.SESSION_RESTORE,
                Level.WARNING,
                "restore_generation",
                kind="generation",
                generation=event.number,
            )
            self._start_anew()
            return
        if event.outcome is not s.Restore.RESTORED:
            core.do(s.Count(s.Tally.RESTORES, RestoreEnd(event.outcome.value).value))
        if again:  # damaged, or tried before: there may be an older one
            self._ask_for_generation()
            return
        ladder.exhausted = True
        if not ladder.mirror_tried and self._window.keys_seen:
            self._try_mirror()
            self._start_anew()
        else:
            self._give_up()

    def _give_up(self) -> None:
        core = self._core
        fields = {"session": "absent", "evidence": self._signals}
        core.do(s.Emit(EventName.SESSION_LOST, Level.ERROR, "session_lost", fields, Ending.LOST))
        core.owns_session = False
        core.outage = None
        self._qr.begin_anew(QrCause.SESSION_LOST)
        self.ladder = Ladder()
        self._last_move = s.SetAside("session_lost")
        self._window.close(s.MarkLoggedOut("session_lost"), self._last_move)
        core.enter(State.STARTING)
        self._start_anew()

    def _start_anew(self) -> None:
        self._window.count_restart(RestartReason.SESSION_LOST)
        self._window.launch()

    def on_storage_failed(self, event: s.StorageFailed) -> None:
        core = self._core
        core.emit(
            EventName.STORAGE_WARNING,
            Level.ERROR,
            "storage_failed",
            problem=event.message,
            hint=event.hint or None,
            fix=event.fix or None,
        )
        core.cancel(*Due)
        self._window.close()
        core.enter(State.FAILED)
        self._refused = (
            None if core.owns_session else self._last_move or s.SetAside(self._qr.next_cause.value)
        )

    def unfinished(self) -> tuple[s.Effect, ...]:
        """What the volume refused and must be done before a browser may use it again."""
        refused, self._refused = self._refused, None
        return (refused,) if refused else ()
