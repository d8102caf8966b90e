"""PURE: the session is over, or seems to be: a logout with its proof, our own logout, and the ladder of restores."""

from __future__ import annotations

from dataclasses import dataclass

from bot import stimuli as s
from bot.contract import DisconnectReason, EventName, Level, QrCause, ReconnectHow, State
from bot.lifecycle.core import Core, Due, Page
from bot.lifecycle.qr import Qr
from bot.lifecycle.repair import Repair
from bot.lifecycle.window import Window
from bot.signals import Belief, Kind, LogoutReason


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


class Loss:
    def __init__(self, core: Core, window: Window, qr: Qr, repair: Repair) -> None:
        self._core, self._window, self._qr, self._repair = core, window, qr, repair
        self.ladder = Ladder()
        self._unlinking = False

    # --- what the page says ------------------------------------------------------------------------------

    def needs_qr(self, belief: Belief) -> None:
        core = self._core
        if not core.owns_session:
            self._qr.wait_for_scan(belief)
        elif Due.LOST not in core.due:
            core.after(Due.LOST, core.waits.doubt if belief.certain else core.settings.network_wait)

    def unlinked(self, belief: Belief) -> None:
        if self._core.owns_session:
            self._log_out(str(belief.logout_reason or LogoutReason.PHONE), belief)
        else:
            self._qr.wait_for_scan(belief)

    def client_logout(self, belief: Belief) -> None:
        if not self._core.owns_session:
            self._qr.wait_for_scan(belief)
            return
        if belief.logout_reason is LogoutReason.STORAGE:
            self._core.emit(
                EventName.STORAGE_WARNING, Level.ERROR, "page_storage_failed", evidence=list(belief.evidence)
            )
        self._climb(belief, generation_first=True)

    def due_lost(self) -> None:
        core = self._core
        if core.belief is not None and core.belief.kind is Kind.NEEDS_QR and core.owns_session:
            self._climb(core.belief)

    # --- a logout ----------------------------------------------------------------------------------------

    def _log_out(self, reason: str, belief: Belief | None) -> None:
        core = self._core
        evidence = list(belief.evidence) if belief else None
        self._unlinking = False
        core.outage = None
        self._repair.announce(DisconnectReason.LOGOUT, core.now, session="absent", evidence=evidence)
        core.outage = None
        core.owns_session = False
        self._qr.begin_anew(QrCause.LOGOUT)
        core.enter(State.LOGGED_OUT)
        wait = core.settings.logout_wait
        told = s.Emit(
            EventName.WHATSAPP_LOGOUT,
            Level.WARNING,
            "logout",
            {"reason": reason, "session": "absent", "newQrInSeconds": wait},
        )
        self._window.close(s.MarkLoggedOut(reason), s.SetAside("logout"), told)
        core.after(Due.LAUNCH, wait)

    @property
    def can_log_out(self) -> bool:
        core = self._core
        return core.owns_session and core.page is Page.OPEN and core.state in (State.READY, State.SYNCING)

    def on_logout_requested(self, _: s.LogoutRequested) -> None:
        if self.can_log_out and not self._unlinking:
            self._unlinking = True
            self._core.emit(EventName.BOT_CONTROL, Level.INFO, "control_logout")
            self._core.do(s.Unlink())

    def on_unlinked(self, event: s.Unlinked) -> None:
        core = self._core
        if not self._unlinking or not core.owns_session:
            return
        if event.ok:
            core.after(Due.UNLINK, core.waits.unlink)
        else:
            self._unlinking = False
            core.emit(EventName.BOT_CONTROL, Level.WARNING, "control_logout_failed", session=core.session)

    def due_unlink(self) -> None:
        core = self._core
        if self._unlinking and core.owns_session and core.page is not Page.NONE:
            self._log_out("own_command", core.belief)

    # --- the ladder of restores --------------------------------------------------------------------------

    def _climb(self, belief: Belief, *, generation_first: bool = False) -> None:
        """The page asks for a scan and nothing proves a logout: what we kept is tried before a person is asked."""
        core, ladder = self._core, self.ladder
        if ladder.under_way:
            ladder.under_way = False
            core.do(s.Count(s.Tally.RESTORES, "failed"))
        self._repair.drop(DisconnectReason.SESSION_LOST, core.now, evidence=list(belief.evidence))
        assert core.outage is not None
        core.outage.how = ReconnectHow.RELAUNCH
        mirror_helps = not ladder.mirror_tried and (self._window.keys_seen or not self._window.with_mirror)
        if mirror_helps and (ladder.exhausted or not generation_first):
            self._try_mirror()
            self._window.relaunch()
        elif not ladder.exhausted:
            self._window.close(s.RestoreGeneration("session_lost"))
            core.page = Page.RESTORING
        else:
            self._give_up(list(belief.evidence))

    def _try_mirror(self) -> None:
        self.ladder.mirror_tried = self.ladder.under_way = True
        self._core.emit(EventName.SESSION_RESTORE, Level.WARNING, "restore_mirror", kind="mirror")

    def on_restored(self, event: s.Restored) -> None:
        core, ladder = self._core, self.ladder
        if core.page is not Page.RESTORING:
            return
        if event.outcome is s.Restore.RESTORED and not ladder.seen(event.number):
            ladder.under_way = True
            core.emit(
                EventName.SESSION_RESTORE,
                Level.WARNING,
                "restore_generation",
                kind="generation",
                generation=event.number,
            )
            self._window.launch()
            return
        if event.outcome is not s.Restore.RESTORED:
            core.do(s.Count(s.Tally.RESTORES, event.outcome.value))
        ladder.exhausted = True
        if not ladder.mirror_tried and self._window.keys_seen:
            self._try_mirror()
            self._window.launch()
        else:
            self._give_up([])

    def _give_up(self, evidence: list[str]) -> None:
        core = self._core
        core.emit(
            EventName.SESSION_LOST, Level.ERROR, "session_lost", evidence=evidence or None, session="absent"
        )
        core.owns_session = False
        core.outage = None
        self._qr.begin_anew(QrCause.SESSION_LOST)
        self._window.close(s.MarkLoggedOut("session_lost"), s.SetAside("session_lost"))
        core.enter(State.STARTING)
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
