"""PURE: the two tables of the lifecycle, as data: the ways between states, and what a belief does in each state."""

from __future__ import annotations

from enum import Enum, auto

from bot.contract import State
from bot.signals import Kind

UP = (State.PAIRING, State.SYNCING, State.READY)
PERSON = (State.CONFLICT, State.BANNED, State.OUTDATED, State.PROXY_BLOCKED)
COMING = (State.STARTING, State.WAITING_FOR_QR_SCAN, State.PAIRING, State.SYNCING, State.RECONNECTING)
_ENDS = (State.LOGGED_OUT, State.FAILED, State.STOPPING)

# Every way a bot may go; any other is a bug and raises InvalidTransition.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.STARTING: frozenset({State.WAITING_FOR_QR_SCAN, State.RECONNECTING, *UP, *PERSON, *_ENDS}),
    State.WAITING_FOR_QR_SCAN: frozenset(
        {State.STARTING, State.RECONNECTING, State.PAIRING, *PERSON, State.STOPPING}
    ),
    State.PAIRING: frozenset({State.RECONNECTING, State.SYNCING, State.READY, *PERSON, *_ENDS}),
    State.SYNCING: frozenset({State.RECONNECTING, State.READY, *PERSON, *_ENDS}),
    State.READY: frozenset({State.RECONNECTING, *PERSON, State.LOGGED_OUT, State.STOPPING}),
    State.RECONNECTING: frozenset({State.STARTING, State.WAITING_FOR_QR_SCAN, *UP, *PERSON, *_ENDS}),
    State.LOGGED_OUT: frozenset({State.STARTING, State.FAILED, State.STOPPING}),
    **{
        state: frozenset(
            {State.STARTING, State.WAITING_FOR_QR_SCAN, *UP, *PERSON, State.LOGGED_OUT, State.STOPPING}
        )
        - {state, State.CONFLICT}
        for state in PERSON
    },
    State.FAILED: frozenset({State.STARTING, State.STOPPING}),
    State.STOPPING: frozenset(),
}


class Act(Enum):
    """What is done about a belief; `machine.py` says which part does it."""

    LISTEN = auto()  # nothing known of a page that is still coming
    WONDER = auto()  # nothing known while a scan is waited for
    SUSPECT = auto()  # the connection may be away
    ASK = auto()  # a scan is asked for, or a session is lost
    SYNC = auto()
    RISE = auto()
    LOG_OUT = auto()
    CLIMB = auto()  # the page gave its session up by itself: what was kept is tried
    CONTEST = auto()  # opened elsewhere: one takeover at most
    STOP = auto()  # nothing more without a person


def _row(act: Act, *states: State) -> dict[State, Act]:
    return dict.fromkeys(states, act)


# What a belief does in each state; a pair that is not here changes nothing. LOGGED_OUT, FAILED and STOPPING have no
# page. A state that needs a person is left only by what the page itself shows: connected, registered anew, or unlinked.
TABLE: dict[Kind, dict[State, Act]] = {
    Kind.UNKNOWN: _row(Act.LISTEN, State.STARTING, State.PAIRING, State.SYNCING)
    | _row(Act.WONDER, State.WAITING_FOR_QR_SCAN)
    | _row(Act.SUSPECT, State.READY),
    Kind.CONNECTING: _row(Act.SUSPECT, State.STARTING, State.WAITING_FOR_QR_SCAN, *UP),
    Kind.NEEDS_QR: _row(Act.ASK, *COMING, State.READY),
    Kind.AUTHENTICATED: _row(Act.SYNC, *COMING, *PERSON) | _row(Act.SUSPECT, State.READY),
    Kind.CONNECTED: _row(Act.RISE, *COMING, *PERSON),
    Kind.UNLINKED: _row(Act.LOG_OUT, *COMING, State.READY, *PERSON),
    Kind.CLIENT_LOGOUT: _row(Act.CLIMB, *COMING, State.READY),
    Kind.CONFLICT: _row(Act.CONTEST, *COMING, State.READY),
    Kind.BANNED: _row(Act.STOP, *COMING, State.READY, *PERSON),
    Kind.OUTDATED: _row(Act.STOP, *COMING, State.READY, *PERSON),
    Kind.PROXY_BLOCKED: _row(Act.STOP, *COMING, State.READY, *PERSON),
}
