"""PURE: what wakes the watcher, and what it does next. Time is an argument, in seconds of a clock that never jumps.

Engine events only wake: each pass looks at everything, and one is made every RELIST_SECONDS whatever was heard.
A pass that failed is repeated after a wait that doubles; a saved bots.yaml, an engine that is back and anything
that happens well after the failure come first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from manager.configproblems import ConfigErrors, ConfigProblem
from manager.fleet import Fleet
from manager.problems import EngineError
from manager.watch.happenings import Happening, Kind, Value

RELIST_SECONDS = 30.0
# A file that is written in place is seen half: nothing is believed of it before it has rested.
SAVE_SECONDS, SAVE_AT_MOST = 0.6, 5.0
EVENT_SECONDS, EVENT_AT_MOST = 0.2, 2.0
RETRY_SECONDS = 1.0
RETRY_AT_MOST, BROKEN_AT_MOST = 30.0, 300.0
# Our own steps make events too. Those of a pass that failed must not bring the next one forward.
ECHO_SECONDS = 1.0


# ---- what happens


@dataclass(frozen=True, slots=True)
class Saved:
    """What stands in bots.yaml now, well or badly."""

    fleet: Fleet | ConfigErrors


@dataclass(frozen=True, slots=True)
class Rang:
    """Something happened to a container of the project, or the connection that tells of it came or went."""

    connection: bool = False


class PassEnd(StrEnum):
    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Ended:
    """A pass is over. `changed`: it did something. `error`: it could not even plan. `away`: nor reach the engine.
    `failed`: something of it did, before it was interrupted.

    `again_in`: seconds after which there is more to do, whatever happens (a roll-out's next look, a bot's backoff).
    `held_by`: another watcher, which has the project; nothing was done. `renew`: the program itself has become another.
    """

    end: PassEnd
    changed: bool = False
    error: EngineError | None = None
    away: bool = False
    again_in: float | None = None
    held_by: str | None = None
    renew: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class StopAsked:
    pass


Event = Saved | Rang | Ended | StopAsked


# ---- what to do


@dataclass(frozen=True, slots=True)
class MakePass:
    fleet: Fleet


@dataclass(frozen=True, slots=True)
class Tell:
    happening: Happening


@dataclass(frozen=True, slots=True)
class CallOff:
    """The pass under way finishes its running steps and begins no other."""


@dataclass(frozen=True, slots=True)
class End:
    pass


Effect = MakePass | Tell | CallOff | End


class Watch:
    """`fleet`: the last good one. `errors`: what is wrong with the file as it stands now.

    `last_error`: why the last pass could not even be made. `held_by`: another watcher, when that ended this one.
    `renewing`: it ended to be started anew.
    """

    def __init__(self) -> None:
        self.fleet: Fleet | None = None
        self.errors: ConfigErrors | None = None
        self.engine_away_since: float | None = None
        self.stopping = False
        self.held_by: str | None = None
        self.renewing = False
        self._passing: Fleet | None = None
        self._saved: Fleet | ConfigErrors | None = None
        self._save = _Settling(SAVE_SECONDS, SAVE_AT_MOST)
        self._wake = _Settling(EVENT_SECONDS, EVENT_AT_MOST)
        self._due: float | None = None
        self._failures = 0
        self._ended_at: float | None = None
        self.last_error: EngineError | None = None
        self._told_error = ""

    @property
    def project(self) -> str:
        return self.fleet.project if self.fleet else ""

    @property
    def passing(self) -> bool:
        return self._passing is not None

    def next_at(self) -> float | None:
        """When `tick` has something to do, if nothing happens before."""
        if self.stopping:
            return None
        times = [self._save.due]
        if not self.passing and self.fleet is not None:
            times += [self._wake.due, self._due]
        return min((time for time in times if time is not None), default=None)

    def tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if self.stopping:
            return effects
        if self._save.over(now):
            effects += self._adopt(now)
        if self.fleet is None or self.passing:
            return effects
        if self._wake.over(now) or (self._due is not None and now >= self._due):
            self._passing = self.fleet
            self._wake.clear()
            self._due = None
            effects.append(MakePass(self.fleet))
        return effects

    def handle(self, event: Event, now: float) -> list[Effect]:
        match event:
            case Saved(fleet):
                self._saved = fleet
                if self.fleet is None and self.errors is None:
                    return self._adopt(now)
                self._save.push(now)
            case Rang(connection):
                if connection or not self._is_echo(now):
                    self._wake.push(now)
            case Ended():
                return self._ended(event, now)
            case StopAsked() if not self.stopping:
                self.stopping = True
                if not self.passing:
                    return [End()]
                return [_tell(Kind.WATCH_STOPPING), CallOff()]
        return []

    def _is_echo(self, now: float) -> bool:
        """What a failed pass may have caused itself: its retry is waited for."""
        if self._failures == 0:
            return False
        return self.passing or (self._ended_at is not None and now < self._ended_at + ECHO_SECONDS)

    def _adopt(self, now: float) -> list[Effect]:
        """Takes what the file says, now that it rests."""
        self._save.clear()
        saved, self._saved = self._saved, None
        if saved is None:
            return []
        if isinstance(saved, ConfigErrors):
            return self._refuse(saved)
        if self.fleet is not None and saved.project != self.fleet.project:
            names = {"old": self.fleet.project, "new": saved.project}
            return self._refuse(ConfigErrors([ConfigProblem("project", "other_project", values=names)]))
        mended, self.errors = self.errors is not None, None
        if saved == self.fleet:
            return [_tell(Kind.CONFIG_MENDED)] if mended else []
        self.fleet = saved
        self._failures, self._told_error = 0, ""
        self._due = now
        # What is under way may take minutes (many bots start one after another), and is for an older file.
        effects: list[Effect] = [CallOff()] if self.passing else []
        off = len(saved.disabled)
        return [
            *effects,
            _tell(Kind.CONFIG_LOADED, project=saved.project, bots=len(saved.bots) - off, off=off),
        ]

    def _refuse(self, errors: ConfigErrors) -> list[Effect]:
        same = self.errors is not None and self.errors.problems == errors.problems
        self.errors = errors
        kind = Kind.CONFIG_MISSING if self.fleet is None else Kind.CONFIG_INVALID
        return [] if same else [_tell(kind, errors=errors)]

    def _ended(self, ended: Ended, now: float) -> list[Effect]:
        passed, self._passing = self._passing, None
        self._ended_at = now
        if ended.held_by is not None:
            self.held_by = ended.held_by
            self.stopping = True
            return [End()]
        if ended.renew and not self.stopping:
            self.renewing = self.stopping = True
            return [_tell(Kind.WATCH_RENEW), End()]
        effects = self._judge(ended, now)
        if self.stopping:
            return [*effects, End()]
        if ended.end is PassEnd.FAILED:
            self._failures += 1
            longest = BROKEN_AT_MOST if ended.error and not ended.away else RETRY_AT_MOST
            wait = min(RETRY_SECONDS * 2 ** min(self._failures - 1, 20), longest)
            self._wake.clear()
        else:
            self._failures = 0
            whole = ended.end is PassEnd.OK and not ended.changed
            wait = RELIST_SECONDS if whole else 0.0
        if ended.again_in is not None:
            wait = ended.again_in if ended.end is PassEnd.INTERRUPTED else min(wait, ended.again_in)
        # One for an older file says nothing about the newer one.
        self._due = now + wait if passed is self.fleet else now
        return effects

    def _judge(self, ended: Ended, now: float) -> list[Effect]:
        """What there is to tell of a pass beside its steps: each thing once."""
        if ended.end is not PassEnd.INTERRUPTED:
            self.last_error = ended.error
        if ended.away and ended.error is not None:
            if self.engine_away_since is not None:
                return []
            self.engine_away_since = now
            return [_tell(Kind.ENGINE_LOST, error=ended.error)]
        effects: list[Effect] = []
        if self.engine_away_since is not None and ended.end is not PassEnd.INTERRUPTED:
            effects.append(_tell(Kind.ENGINE_BACK, seconds=round(now - self.engine_away_since)))
            self.engine_away_since = None
        sentence = str(ended.error) if ended.error else ""
        if ended.error and sentence != self._told_error:
            effects.append(_tell(Kind.PASS_FAILED, error=ended.error))
        self._told_error = sentence
        return effects


def _tell(kind: Kind, **values: Value) -> Tell:
    return Tell(Happening(kind, values))


class _Settling:
    """Waits for rest: `quiet` seconds after the last push, but no longer than `at_most` after the first."""

    def __init__(self, quiet: float, at_most: float) -> None:
        self._quiet, self._at_most = quiet, at_most
        self._first: float | None = None
        self.due: float | None = None

    def push(self, now: float) -> None:
        if self._first is None:
            self._first = now
        self.due = min(now + self._quiet, self._first + self._at_most)

    def over(self, now: float) -> bool:
        return self.due is not None and now >= self.due

    def clear(self) -> None:
        self._first = self.due = None
