"""PURE: up again: paired, synced, ready."""

from __future__ import annotations

from bot import stimuli as s
from bot.contract import EventName, Level, RestoreEnd, State, mask_phone
from bot.lifecycle.core import Core, Due
from bot.lifecycle.keep import Keep
from bot.lifecycle.loss import Ladder, Loss
from bot.lifecycle.qr import Qr
from bot.lifecycle.repair import Repair
from bot.signals import Belief, Kind


class Rise:
    """`clock`: from when READY is measured, while that has not been told yet."""

    def __init__(self, core: Core, qr: Qr, repair: Repair, loss: Loss, keep: Keep) -> None:
        self._core, self._qr, self._repair, self._loss, self._keep = core, qr, repair, loss, keep
        self.clock: float | None = None

    def notice_keys(self, belief: Belief) -> None:
        if belief.session_keys and not self._core.owns_session:
            self._pair(belief)

    def unknown(self, belief: Belief) -> None:
        """A page that says nothing else may still have been paired."""
        self.notice_keys(belief)
        if not self._core.owns_session:
            self._qr.miss()

    def connecting(self, belief: Belief) -> None:
        self._core.hide_qr()
        self.notice_keys(belief)
        self._repair.suspect(belief)

    def authenticated(self, belief: Belief) -> None:
        core = self._core
        self.notice_keys(belief)
        if not core.owns_session:
            return
        core.cancel(Due.REPAIR, Due.CHECK, Due.COME_BACK)
        core.away_since = None
        core.enter(State.SYNCING)
        if Due.READY not in core.due:
            core.after(Due.READY, core.settings.ready_deadline)

    def connected(self, belief: Belief) -> None:
        if belief.certain:
            self._ready(belief)
        elif Due.CONFIRM not in self._core.due:
            self._core.after(Due.CONFIRM, self._core.waits.doubt)

    def due_confirm(self) -> None:
        belief = self._core.belief
        if belief is not None and belief.kind is Kind.CONNECTED:
            self._ready(belief)

    def _ready(self, belief: Belief) -> None:
        core, ladder = self._core, self._loss.ladder
        if core.state is State.READY:
            return
        if not core.owns_session:
            self._pair(belief)
            ladder = self._loss.ladder
        core.cancel_all_but(Due.UNLINK, Due.CALM)
        core.do(s.MarkReady())
        fields: dict[str, object] = {"session": "present"}
        if outage := core.outage:
            core.do(s.Count(s.Tally.RECONNECTS, outage.how.value))
            fields |= {"how": outage.how.value, "seconds": round(core.now - outage.since, 3)}
            if outage.told:
                core.do(s.Observe(s.Clocked.RECONNECT, core.now - outage.since))
        if self.clock is not None:
            core.do(s.Observe(s.Clocked.READY, core.now - self.clock))
            self.clock = None
        if ladder.under_way:
            ladder.under_way = False
            core.do(s.Count(s.Tally.RESTORES, RestoreEnd.READY.value))
        if belief.session_keys is False:
            fields["evidence"] = list(belief.evidence)
        core.outage = None
        core.away_since = None
        core.enter(State.READY)
        core.emit(EventName.WHATSAPP_READY, Level.SUCCESS, "ready", **fields)
        core.after(Due.CALM, core.waits.calm)
        self._keep.plan()
        if core.unlinking:
            self._loss.resume_logout()

    def due_calm(self) -> None:
        if self._core.state in (State.READY, State.WAITING_FOR_QR_SCAN):
            self._core.attempts = self._core.failures = 0
            self._loss.ladder = Ladder()

    def _pair(self, belief: Belief) -> None:
        """The device is registered. Marked on the volume before anybody is told."""
        core = self._core
        core.owns_session = True
        self._qr.end()
        self._loss.ladder = Ladder()
        self.clock = core.now
        core.outage = None
        core.do(s.MarkPaired(belief.wid), s.CloseEpisode())
        core.enter(State.PAIRING)
        phone = mask_phone(belief.wid) if belief.wid else None
        core.emit(EventName.WHATSAPP_PAIRED, Level.SUCCESS, "paired", phone=phone, session="present")
        core.after(Due.READY, core.settings.ready_deadline)
