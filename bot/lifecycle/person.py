"""PURE: conflict, ban, an outdated browser, a refused proxy: the session is kept, and nothing is retried."""

from __future__ import annotations

from bot import stimuli as s
from bot.contract import DisconnectReason, Ending, EventName, Level, State
from bot.lifecycle.core import Core, Due
from bot.lifecycle.repair import Repair
from bot.signals import Belief, Kind, LogoutReason

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


class Person:
    def __init__(self, core: Core, repair: Repair) -> None:
        self._core, self._repair = core, repair
        self._took_over = False

    def forgive(self) -> None:
        """A person asked for another try."""
        self._took_over = False

    def contest(self, belief: Belief) -> None:
        """Two copies that both take over would steal the session from each other for ever: once, where allowed."""
        core = self._core
        if core.settings.takeover and not self._took_over:
            self._took_over = True
            self._repair.drop(DisconnectReason.CONFLICT, core.now)
            core.emit(EventName.WHATSAPP_CONFLICT, Level.WARNING, "conflict_takeover", session=core.session)
            core.do(s.Takeover())
            core.after(Due.CONFLICT, core.settings.network_wait / 2)
            core.after(Due.REPAIR, core.settings.network_wait)
        elif Due.CONFLICT not in core.due:
            self.stop(belief)

    def due_conflict(self) -> None:
        belief = self._core.belief
        if belief is not None and belief.kind is Kind.CONFLICT:
            self.stop(belief)

    def stop(self, belief: Belief) -> None:
        core = self._core
        state, reason, name = _STOPS[belief.kind]
        if core.state is state:
            return
        core.cancel_all_but(Due.UNLINK)
        core.hide_qr()
        self._repair.announce(reason, core.now, session=core.session, evidence=list(belief.evidence))
        core.enter(state)
        key = "account_locked" if belief.logout_reason is LogoutReason.LOCKED else state.value.lower()
        fields = {
            "session": core.session,
            "userAction": state.user_action.value,
            "evidence": list(belief.evidence),
        }
        core.do(s.Emit(name, Level.ERROR, key, fields, Ending.ACCOUNT if state is State.BANNED else None))
