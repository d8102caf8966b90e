"""PURE: an engine restarts a container that ended, never one that is unhealthy. What to do about it is decided here.

What every decision keeps to:
- a bot that says it waits for a person (a scan, BANNED, CONFLICT, …) is never restarted: that mends nothing, and a
  banned account is not to be pressed;
- of one bot at most `Policy.attempts` restarts, until it has been healthy for `Policy.calm` on end, or somebody has
  started or changed it: in no stretch of that length are there ever more. What the engine restarted counts too;
- then it is given up, and a person is told. That ends when the bot is healthy again for a while, or is started anew;
- only a few restarts are open at a time, and a machine under load waits before it blames its bots.

Whether a restart worked is not asked for: the next look shows it. All times are seconds of one clock of the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from bot.contract import UserAction
from manager.observed import ContainerState, ObservedContainer
from manager.plan import Say

Json = Mapping[str, Any]

# Of a bot these are nobody's business but its own; every other user action is a person's.
_NO_PERSON = (UserAction.NONE.value, UserAction.WAIT.value)
_HEALTHY, _UNHEALTHY = "healthy", "unhealthy"


@dataclass(frozen=True, slots=True)
class Policy:
    """`patience`: unhealthy for this long before anything is done (the engine itself waited three checks before).

    `first_wait`, `factor`, `longest_wait`: from one restart to the next. `calm`: healthy for this long, and earlier
    failures are forgiven; `mended`: and the bot counts as given up no more. `settle`: a restart counts as open for at
    most this long. `busy`: how long a busy machine may put a restart off. `looping`: so long a bot must have ended
    again and again; an engine starts it four times in two seconds. All of these in seconds. `share`: of the bots in
    sight, how many may have an open restart; at least one.
    """

    patience: float = 15
    attempts: int = 4
    first_wait: float = 60
    factor: float = 3
    longest_wait: float = 900
    calm: float = 900
    mended: float = 120
    settle: float = 60
    busy: float = 600
    looping: float = 30
    share: float = 0.1

    def wait(self, attempts: int) -> float:
        """From the last of so many attempts to the next one."""
        return float(min(self.longest_wait, self.first_wait * self.factor ** min(attempts - 1, 30)))


@dataclass(frozen=True, slots=True)
class Seen:
    """One bot's container, as it was seen just now. None: not known, and nothing is concluded from it.

    `oom_kills`: how often the kernel has ended something in it for want of memory, as counted so far by whoever watches
    the engine's events; only its growth counts. `state`, `needs_person`, `permanent`: what the bot says of itself; None
    when it gave no answer. `started_at`: any form, compared only with what it was.
    """

    client_id: str
    container: str
    place: ContainerState = ContainerState.RUNNING
    health: str | None = None
    exit_code: int | None = None
    oom_kills: int = 0
    restart_count: int | None = None
    started_at: str | None = None
    state: str | None = None
    needs_person: bool | None = None
    permanent: bool | None = None

    @classmethod
    def of(
        cls,
        container: ObservedContainer,
        inspected: Json | None = None,
        status: Json | None = None,
        oom_kills: int = 0,
    ) -> Seen:
        """`inspected`: the engine's answer about this container; `status`: the bot's own. Either may be missing."""
        told = (inspected or {}).get("State") or {}
        count = (inspected or {}).get("RestartCount")
        return cls(
            container.client_id,
            container.id,
            container.state,
            container.health,
            container.exit_code,
            oom_kills,
            count if isinstance(count, int) else None,
            told.get("StartedAt") or None,
            None if status is None else str(status.get("state", "?")),
            None if status is None else needs_person(status),
            None if status is None else bool(status.get("permanent")),
        )


def needs_person(status: Json) -> bool:
    """Whether the bot's own status, of whatever version, says that it goes on only when a person has done something."""
    return bool(status.get("permanent")) or status.get("user_action", UserAction.NONE.value) not in _NO_PERSON


class Kind(StrEnum):
    """What to do: a restart; nothing yet; nothing, because it is a person's turn; nothing any more. NOTE: it is well
    again by itself, and somebody should know what happened.
    """

    RESTART = "restart"
    WAIT = "wait"
    LEAVE = "leave"
    GAVE_UP = "gave_up"
    NOTE = "note"


class Reason(StrEnum):
    """What is wrong with the bot. EXITS: it ends again and again, and the engine starts it again and again."""

    UNHEALTHY = "unhealthy"
    OOM = "oom"
    EXITS = "exits"


@dataclass(frozen=True, slots=True)
class Decision:
    """About one bot that is not well, or was not; of the others there is none.

    `key`, `values`: why, as `watchdog.<key>` of the catalogue. `until`: of a WAIT, when it will be looked at with
    another result, where that is known. `attempt`: of a RESTART, the first is 1. `new`: at the last look it was
    decided otherwise, or not at all; the time to tell somebody.
    """

    client_id: str
    container: str
    kind: Kind
    reason: Reason
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    until: float | None = None
    attempt: int = 0
    new: bool = True

    def say(self, say: Say) -> str:
        """One sentence; of what ran out of memory, with what mends that."""
        text = say(f"watchdog.{self.key}", client=self.client_id, **self.values)
        hint = say("watchdog.oom_hint", client=self.client_id)
        return f"{text} {hint}" if self.reason is Reason.OOM else text


@dataclass(slots=True)
class _History:
    """`attempts`: when it was restarted, by whomever; `by_engine`: the last of them by the engine, which has done so
    since `ends_since`. `ordered`: one of ours whose start has not been seen yet. `killed`: for want of memory, since
    the last look. `said_permanent`: the last that it said of itself, since its start. `exit_code`: of its last end.
    """

    container: str
    seen_at: float = 0
    attempts: list[float] = field(default_factory=list)
    unhealthy_since: float | None = None
    healthy_since: float | None = None
    ordered: bool = False
    gave_up: bool = False
    by_engine: bool = False
    ends_since: float = 0
    said_permanent: bool = False
    killed: bool = False
    oom_kills: int = 0
    oom_since_start: bool = False
    ended_by_oom: bool = False
    restart_count: int | None = None
    exit_code: int | None = None
    started_at: str | None = None
    told: tuple[Kind, frozenset[str]] | None = None


class Watchdog:
    """Remembers of every bot what is needed to decide; forgotten with the process that holds it."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self._known: dict[str, _History] = {}

    @property
    def gave_up(self) -> frozenset[str]:
        return frozenset(client for client, history in self._known.items() if history.gave_up)

    def look(self, seen: Iterable[Seen], now: float, *, busy: bool = False) -> list[Decision]:
        """`seen`: every bot that should run and has a container. `busy`: this machine is short of CPU or memory.

        A RESTART counts as done from here on; who cannot carry it out need not say so.
        """
        bots = {each.client_id: each for each in seen}
        self._forget(bots, now)
        for each in bots.values():
            self._account(self._history(each, now), each, now)
        room = max(1, int(len(bots) * self.policy.share)) - sum(self._open(client, now) for client in bots)
        decisions = []
        for each in sorted(
            bots.values(), key=lambda one: (self._ill_since(one.client_id, now), one.client_id)
        ):
            history = self._known[each.client_id]
            decision = self._decide(history, each, now, busy=busy, room=room)
            if decision is None:
                history.told = None
                continue
            room -= decision.kind is Kind.RESTART
            decisions.append(_marked(decision, history))
        return sorted(decisions, key=lambda one: one.client_id)

    def _history(self, seen: Seen, now: float) -> _History:
        """A container made anew is somebody's doing, and has no past."""
        known = self._known.get(seen.client_id)
        if known is None or known.container != seen.container:
            known = self._known[seen.client_id] = _History(seen.container, oom_kills=seen.oom_kills)
        known.seen_at = now
        return known

    def _forget(self, bots: Iterable[str], now: float) -> None:
        for client in self._known.keys() - set(bots):
            if now - self._known[client].seen_at >= self.policy.calm:
                del self._known[client]

    # ---- what happened since the last look

    def _account(self, history: _History, seen: Seen, now: float) -> None:
        history.killed, history.oom_kills = seen.oom_kills > history.oom_kills, seen.oom_kills
        history.oom_since_start = history.oom_since_start or history.killed
        history.exit_code = history.exit_code if seen.exit_code is None else seen.exit_code
        self._note_starts(history, seen, now)
        if seen.permanent is not None:
            history.said_permanent = seen.permanent
        if _is_healthy(seen):
            history.unhealthy_since = None
            history.healthy_since = now if history.healthy_since is None else history.healthy_since
            healthy_for = now - history.healthy_since
            if healthy_for >= self.policy.mended:
                history.gave_up = False
            if healthy_for >= self.policy.calm:
                history.attempts.clear()
                history.oom_since_start = False
        else:
            history.healthy_since = None
        if not _is_unhealthy(seen):
            history.unhealthy_since = None
        elif history.unhealthy_since is None:
            history.unhealthy_since = now

    def _note_starts(self, history: _History, seen: Seen, now: float) -> None:
        """Whose doing a start was: the engine's own, ours, or somebody else's, who knows better.

        The engine counts an end when it comes, and tells of the start it has decided on when that has come. Whoever
        else starts a container makes it count from 0 again (docker: `ResetRestartManager`).
        """
        ended = 0
        if seen.restart_count is not None:
            if history.restart_count is not None:
                ended = max(0, seen.restart_count - history.restart_count)
            history.restart_count = seen.restart_count
        anew = seen.started_at is not None and history.started_at not in (None, seen.started_at)
        history.started_at = seen.started_at or history.started_at
        if ended:
            if not (history.attempts and history.by_engine):
                history.ends_since = now
            history.attempts = [*history.attempts, *[now] * ended][-self.policy.attempts :]
            history.by_engine, history.ended_by_oom = True, history.oom_since_start
        elif anew and not history.ordered and not seen.restart_count:
            history.attempts.clear()
            history.gave_up = False
        if anew or ended:
            history.ordered = history.oom_since_start = history.said_permanent = False
            history.unhealthy_since = history.healthy_since = None

    def _ill_since(self, client: str, now: float) -> float:
        since = self._known[client].unhealthy_since
        return now if since is None else since

    def _open(self, client: str, now: float) -> bool:
        history = self._known[client]
        if not history.attempts or history.by_engine or history.healthy_since is not None:
            return False
        return now - history.attempts[-1] < self.policy.settle

    # ---- what to do

    def _decide(self, history: _History, seen: Seen, now: float, *, busy: bool, room: int) -> Decision | None:
        spent = len(history.attempts) >= self.policy.attempts
        if _is_unhealthy(seen):
            # What it said before it fell silent still holds of a permanent state: only a person changes that.
            if seen.needs_person or (seen.needs_person is None and history.said_permanent):
                return _decision(history, seen, Kind.LEAVE, "person", state=seen.state or "?")
            history.gave_up = history.gave_up or spent
        elif not _is_healthy(seen) and spent and history.by_engine:
            history.gave_up = history.gave_up or now - history.ends_since >= self.policy.looping
        if history.gave_up:
            return self._given_up(history, seen)
        if _is_unhealthy(seen):
            return self._heal(history, seen, now, busy=busy, room=room)
        return _decision(history, seen, Kind.NOTE, "oom") if history.killed else None

    def _heal(self, history: _History, seen: Seen, now: float, *, busy: bool, room: int) -> Decision:
        policy, spent = self.policy, len(history.attempts)
        since = history.unhealthy_since = now if history.unhealthy_since is None else history.unhealthy_since
        if now < (due := since + policy.patience):
            return _decision(history, seen, Kind.WAIT, "patience", due)
        count = {"attempt": spent, "attempts": policy.attempts}
        if spent and now < (due := history.attempts[-1] + policy.wait(spent)):
            return _decision(history, seen, Kind.WAIT, "backoff", due, **count)
        if busy and now < (due := since + policy.busy):
            return _decision(history, seen, Kind.WAIT, "busy", due)
        if room <= 0:
            return _decision(history, seen, Kind.WAIT, "others")
        count["attempt"] = spent + 1
        key = "restart_oom" if history.oom_since_start else "restart"
        decision = _decision(history, seen, Kind.RESTART, key, **count)
        history.attempts.append(now)
        history.by_engine = False
        history.ordered, history.unhealthy_since = True, None
        return replace(decision, attempt=spent + 1)

    def _given_up(self, history: _History, seen: Seen) -> Decision:
        if not _is_unhealthy(seen) and history.by_engine:
            reason = Reason.OOM if history.ended_by_oom else Reason.EXITS
        else:
            reason = Reason.OOM if history.oom_since_start else Reason.UNHEALTHY
        found = _decision(
            history,
            seen,
            Kind.GAVE_UP,
            f"gave_up_{reason.value}",
            attempts=self.policy.attempts,
            code="?" if history.exit_code is None else history.exit_code,
        )
        return replace(found, reason=reason)


def _decision(
    history: _History, seen: Seen, kind: Kind, key: str, until: float | None = None, **values: object
) -> Decision:
    oom = history.oom_since_start or history.killed
    reason = Reason.OOM if oom else Reason.UNHEALTHY
    return Decision(seen.client_id, seen.container, kind, reason, key, values, until)


def _marked(decision: Decision, history: _History) -> Decision:
    """As `new` when it differs from the last, a restart always does; and not when what is waited for changes back."""
    kind, keys = history.told or (None, frozenset())
    if kind is not decision.kind or kind is Kind.RESTART:
        keys = frozenset()
    history.told = decision.kind, keys | {decision.key}
    return replace(decision, new=decision.key not in keys)


def _is_healthy(seen: Seen) -> bool:
    """A container without a health check is taken at its word that it runs."""
    return seen.place is ContainerState.RUNNING and seen.health in (_HEALTHY, None)


def _is_unhealthy(seen: Seen) -> bool:
    return seen.place is ContainerState.RUNNING and seen.health == _UNHEALTHY
