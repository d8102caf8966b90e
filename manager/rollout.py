"""PURE: a change comes to one bot first; the others follow, in batches, when it is as well as it was before.

A *change* is the recreation of a bot that was made with other settings or from another image. Whatever else a plan
holds (new bots, bots that ended, bots that go) waits for nobody. What every roll-out keeps to:
- no further bot is changed before each that was changed last is as well as it was: a READY one is READY, one that
  waited for a scan waits for it again. A bot that had a session and asks for a scan is a failure at once;
- a failure stops the roll-out. It goes on by itself when that bot is well after all, and begins anew, with one bot
  first, when the wanted settings change;
- a bot that runs with the change already and is not well stops it before it begins: a second `up` must not
  sacrifice a second bot.

Nothing is written down: a manager that is started anew reads the same from the engine and the bots.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from bot.contract import LABEL_SPEC_HASH, Level, State
from manager.observed import ContainerState, Observed, ObservedContainer
from manager.plan import ActionKind, Change, Lane, Plan, Say, leading_cause
from manager.spec import ContainerSpec

PATIENCE_SECONDS = 180.0

Json = Mapping[str, Any]

# How far a bot has come. What is not here is a state of a later version.
_LEVELS = {
    State.STARTING.value: 1,
    State.RECONNECTING.value: 2,
    State.WAITING_FOR_QR_SCAN.value: 3,
    State.LOGGED_OUT.value: 3,
    State.PAIRING.value: 3,
    State.SYNCING.value: 4,
    State.READY.value: 5,
}
_LEAST = 2
_WELL = State.READY.value
_BROKEN = (State.FAILED.value, State.OUTDATED.value, State.PROXY_BLOCKED.value)
_ASKS_FOR_SCAN = (State.WAITING_FOR_QR_SCAN.value, State.LOGGED_OUT.value)
_ENDED = (ContainerState.EXITED, ContainerState.RESTARTING, ContainerState.DEAD)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a bot is. `state`, `session`: as it says; None when it gives no answer. `said`: the last error it told of.
    `assumed`: nobody has seen it so; it counts as that because nothing better is known.
    """

    place: ContainerState | None = None
    state: str | None = None
    permanent: bool = False
    session: bool | None = None
    said: str = ""
    assumed: bool = False

    @classmethod
    def of(cls, container: ObservedContainer | None, status: Json | None = None) -> Reading:
        place = container.state if container else None
        if status is None:
            return cls(place)
        session = status.get("session_present")
        return cls(
            place,
            str(status.get("state", "?")),
            bool(status.get("permanent")),
            session if isinstance(session, bool) else None,
            _last_error(status.get("last_events")),
        )

    @property
    def level(self) -> int:
        if self.permanent or self.state is None or self.place in _ENDED:
            return 0
        return _LEVELS.get(self.state, _LEAST)

    @property
    def is_broken(self) -> bool:
        """As a change can break it; a banned account is nobody's change. One that ends again and again is seen running,
        and mute, in between.
        """
        return self.place in _ENDED or self.state is None or self.state in _BROKEN

    @property
    def is_on_its_way(self) -> bool:
        """To READY, as it has a session."""
        return self.state == State.STARTING.value and bool(self.session)

    @property
    def word(self) -> str:
        """What a person reads in `status`."""
        if self.assumed:
            return "?"
        return self.state or (self.place.value if self.place else "-")


NOTHING_KNOWN = Reading()


class Fate(StrEnum):
    REACHED = "reached"
    WAITS = "waits"
    ENDED = "ended"
    STUCK = "stuck"
    LOST = "lost"
    LATE = "late"

    @property
    def failed(self) -> bool:
        return self not in (Fate.REACHED, Fate.WAITS)


def judge(before: Reading, now: Reading, seconds: float, patience: float = PATIENCE_SECONDS) -> Fate:
    """What became of a bot that was `before` when it was changed, `seconds` ago.

    ENDED: its container did. STUCK: in a state that only a person ends. LOST: it had a session, and asks for a scan.
    LATE: it is not what it was, and has had its time. A bot that was down or silent is given that time too, and then
    counts as it is.
    """
    if before.session and now.state in _ASKS_FOR_SCAN:
        return Fate.LOST
    if now.permanent and now.state != before.state:
        return Fate.STUCK
    if now.permanent or now.level >= max(before.level, _LEAST):
        return Fate.REACHED
    if now.place in _ENDED and before.place not in _ENDED:
        return Fate.ENDED
    if seconds < patience:
        return Fate.WAITS
    return Fate.LATE if before.level else Fate.REACHED


@dataclass(frozen=True, slots=True)
class Trial:
    """A bot that has been changed. `first`: alone, before all others. `since`: when its change was begun."""

    client_id: str
    before: Reading
    since: float
    first: bool = False
    fate: Fate = Fate.WAITS
    now: Reading = NOTHING_KNOWN


@dataclass(frozen=True, slots=True)
class Halt:
    """Why no further bot is changed. `left`: those that go on as they were."""

    trial: Trial
    left: tuple[str, ...] = ()

    @property
    def client_id(self) -> str:
        return self.trial.client_id

    def say(self, say: Say) -> str:
        """One sentence: which bot, what it reads, what it read before, who goes on unchanged."""
        trial = self.trial
        values = {
            "client": trial.client_id,
            "state": trial.now.word,
            "before": trial.before.word,
            "said": f": {trial.now.said}" if trial.now.said else "",
        }
        text = say(f"rollout.halt_{trial.fate.value}", **values)
        left = say("rollout.left", count=len(self.left), clients=", ".join(self.left)) if self.left else ""
        return f"{text} {left}".strip()

    def fix(self, say: Say, *, watched: bool = False) -> str:
        """What to type next. `watched`: bots.yaml is taken up when it is saved, nothing need be run."""
        key = f"rollout.fix{'_watched' if watched else ''}{'_left' if self.left else ''}"
        return say(key, client=self.client_id)


@dataclass(frozen=True, slots=True)
class News:
    """`rollout.<key>` of the catalogue: something of the roll-out that people should read once."""

    key: str
    level: Level
    client_id: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    halt: Halt | None = None

    def say(self, say: Say, *, watched: bool = False) -> str:
        """`watched`: as of `Halt.fix`."""
        if self.halt is not None:
            return f"{self.halt.say(say)} {self.halt.fix(say, watched=watched)}"
        return say(f"rollout.{self.key}", client=self.client_id, **self.values)


class Rollout:
    """`canary`: one bot first. `batch`: how many at a time after it; None: all that are left.

    Lives as long as its manager; asked again and again with the plan as it is then.
    """

    def __init__(
        self, *, canary: bool = True, batch: int | None = None, patience: float = PATIENCE_SECONDS
    ) -> None:
        self.canary, self.batch, self.patience = canary, batch, patience
        self.trials: dict[str, Trial] = {}
        self.left: tuple[str, ...] = ()
        self._targets: dict[str, str] = {}
        self._before: dict[str, Reading] = {}
        self._first = False
        self._reached: set[str] = set()
        self._halted: str | None = None

    @property
    def halt(self) -> Halt | None:
        return Halt(self.trials[self._halted], self.left) if self._halted else None

    @property
    def under_way(self) -> bool:
        """There is somebody to look after: `admit` wants to be asked again soon."""
        return bool(self.trials)

    def asks(self, plan: Plan, observed: Observed, desired: Iterable[ContainerSpec]) -> frozenset[str]:
        """The bots whose readings `admit` needs for this plan."""
        changes = changes_of(plan)
        wanted = frozenset(self.trials)
        if not changes or not self._is_news(changes):
            return wanted
        return wanted | changes.keys() | self._forerunners(changes, observed, desired)

    def admit(
        self,
        plan: Plan,
        observed: Observed,
        desired: Iterable[ContainerSpec],
        readings: Mapping[str, Reading],
        now: float,
    ) -> tuple[Plan, list[News]]:
        """What of `plan` is done now, and what there is to tell. `readings`: of those that `asks` named."""
        changes, desired = changes_of(plan), tuple(desired)
        news: list[News] = []
        for client in self.trials.keys() - {spec.client_id for spec in desired}:
            del self.trials[client]  # taken out: that ends it
        if changes and self._is_news(changes):
            self._begin(changes, readings, self._forerunners(changes, observed, desired), now)
        self.left = tuple(client for client in changes if client not in self.trials)
        news += self._look(changes, readings, now)
        if not changes and not self.trials:
            news += self._end()
        chosen = [client for client in changes if client in self.trials]
        if not self.trials and changes:
            chosen = self._next(changes)
            for client in chosen:
                before = self._before.get(client, NOTHING_KNOWN)
                self.trials[client] = Trial(client, before, now, self._first)
            self.left = tuple(client for client in changes if client not in self.trials)
            news.append(self._told_next(chosen))
            self._first = False
        held = changes.keys() - set(chosen)
        lanes = tuple(lane for lane in plan.lanes if lane[0].client_id not in held)
        return replace(plan, lanes=lanes, shared=plan.shared if lanes else ()), news

    def _is_news(self, changes: Mapping[str, Lane]) -> bool:
        return any(self._targets.get(client) != _target(lane) for client, lane in changes.items())

    def _begin(
        self, changes: Mapping[str, Lane], readings: Mapping[str, Reading], ahead: Collection[str], now: float
    ) -> None:
        """Of a bot that this or an earlier change has broken the better reading counts, from before that."""
        for client in changes:
            found = readings.get(client, NOTHING_KNOWN)
            if client not in self._before or found.level > self._before[client].level:
                self._before[client] = found
        self._targets = {client: _target(lane) for client, lane in changes.items()}
        self._first, self._halted = self.canary, None
        self.trials = {
            client: trial
            for client, trial in self.trials.items()
            if client not in changes and not trial.fate.failed
        }
        known = {client: readings[client] for client in sorted(ahead) if client in readings}
        broken = [client for client, found in known.items() if found.is_broken]
        # May be about to end again: whether it becomes what a bot with a session should be is waited for.
        coming = [client for client, found in known.items() if found.is_on_its_way]
        doubtful = next(iter(broken + coming), None)
        if self.canary and doubtful and all(found.state != _WELL for found in known.values()):
            before = Reading(ContainerState.RUNNING, _WELL, session=known[doubtful].session, assumed=True)
            self.trials[doubtful] = Trial(doubtful, before, now, first=True)

    def _look(self, changes: Mapping[str, Lane], readings: Mapping[str, Reading], now: float) -> list[News]:
        """After those that were changed last."""
        news: list[News] = []
        for client, trial in list(self.trials.items()):
            seconds = now - trial.since
            # What it says while its change is not through is said by the bot as it was.
            found = NOTHING_KNOWN if client in changes else readings.get(client, NOTHING_KNOWN)
            fate = judge(trial.before, found, seconds, self.patience)
            if fate is Fate.WAITS and trial.fate.failed:
                continue  # between two of its ends it runs, and is no better for that
            self.trials[client] = replace(trial, fate=fate, now=found)
            if fate is Fate.REACHED:
                del self.trials[client]
                self._reached.add(client)
                values = {"state": found.word, "seconds": round(seconds)}
                news.append(News("reached", Level.SUCCESS, client, values))
        failed = next((client for client, trial in self.trials.items() if trial.fate.failed), None)
        stopped, self._halted = self._halted, failed
        if failed is not None and stopped is None:
            news.append(News("halt", Level.ERROR, failed, halt=self.halt))
        elif failed is None and stopped is not None:
            news.append(News("goes_on", Level.SUCCESS, stopped))
        return news

    def _next(self, changes: Mapping[str, Lane]) -> list[str]:
        """The best first: only of a bot that was well can be seen that the change does no harm."""
        order = sorted(changes, key=lambda client: -self._before.get(client, NOTHING_KNOWN).level)
        return order[: 1 if self._first else self.batch or len(order)]

    def _told_next(self, chosen: Sequence[str]) -> News:
        values = {"count": len(chosen), "left": len(self.left), "clients": ", ".join(chosen)}
        if self._first and self.left:
            return News("first", Level.INFO, chosen[0], values)
        return News("batch" if self.left else "last", Level.INFO, None, values)

    def _end(self) -> list[News]:
        told = [News("done", Level.SUCCESS, None, {"count": len(self._reached)})] if self._reached else []
        self._targets, self._before, self._reached = {}, {}, set()
        return told

    @staticmethod
    def _forerunners(
        changes: Mapping[str, Lane], observed: Observed, desired: Iterable[ContainerSpec]
    ) -> frozenset[str]:
        """Bots that run with all that the change brings to some other bot, as far as people can read it."""
        hashes = {spec.client_id: spec.labels[LABEL_SPEC_HASH] for spec in desired}
        brought = [each for lane in changes.values() if (each := leading_cause(lane).changes)]
        return frozenset(
            found.client_id
            for found in observed.containers
            if found.client_id not in changes
            and hashes.get(found.client_id) == found.spec_hash
            and any(_has(found, each) for each in brought)
        )


def changes_of(plan: Plan) -> dict[str, Lane]:
    """The lanes that change a bot, by client, in the plan's order."""
    return {
        client: lane
        for lane in plan.lanes
        if (client := lane[0].client_id)
        and leading_cause(lane).key == "settings"
        and {action.kind for action in lane} >= {ActionKind.REMOVE, ActionKind.CREATE}
    }


def _target(lane: Lane) -> str:
    return next(action.spec.labels[LABEL_SPEC_HASH] for action in lane if action.spec is not None)


def _has(container: ObservedContainer, brought: Iterable[Change]) -> bool:
    return all(container.settings.get(change.setting) == change.new for change in brought)


def _last_error(events: object) -> str:
    """The message of the last line of the bot's own log that is an error, without its full stop."""
    for event in reversed(events if isinstance(events, list) else []):
        if isinstance(event, Mapping) and event.get("level") == Level.ERROR.value:
            return str(event.get("message", "")).rstrip(".")
    return ""
