"""PURE: a bot's state as a number, a word and a colour: what a timeline can draw.

The numbers are those of the recording rule `client_id:oturum_state:code`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.contract import State

DOWN = 0
CODES: Mapping[State, int] = MappingProxyType({state: at for at, state in enumerate(State, 1)})

_UNDER_WAY, _MENDING, _PERSON, _WRONG = "blue", "yellow", "orange", "red"
COLOURS: Mapping[State, str] = MappingProxyType(
    {
        State.STARTING: _UNDER_WAY,
        State.WAITING_FOR_QR_SCAN: _PERSON,
        State.PAIRING: _UNDER_WAY,
        State.SYNCING: _UNDER_WAY,
        State.READY: "green",
        State.RECONNECTING: _MENDING,
        State.LOGGED_OUT: _PERSON,
        State.CONFLICT: _WRONG,
        State.BANNED: _WRONG,
        State.OUTDATED: _WRONG,
        State.PROXY_BLOCKED: _WRONG,
        State.FAILED: _WRONG,
        State.STOPPING: "#808080",
    }
)


def legend() -> dict[int, tuple[str, str]]:
    """Number -> word and colour."""
    words = {code: (_word(state), COLOURS[state]) for state, code in CODES.items()}
    return {DOWN: ("does not answer", "dark-red"), **words}


def _word(state: State) -> str:
    if state is State.WAITING_FOR_QR_SCAN:
        return "waits for a scan"
    return state.value.replace("_", " ").lower() if state is not State.READY else "READY"


def expression() -> str:
    """The recording rule's PromQL. A bot that does not answer has no state of its own."""
    terms = [f'{code} * whatsapp_bot_state{{state="{state.value}"}}' for state, code in CODES.items()]
    coded = "\n  or ".join(terms)
    return (
        f'sum by (client_id) (\n  {coded}\n)\nor\n{DOWN} * max by (client_id) (up{{job="oturum-bots"}} == 0)'
    )
