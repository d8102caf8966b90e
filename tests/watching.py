"""A watcher without threads, clock and Docker: the real core and the real passes, on a modelled engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from manager.configproblems import ConfigErrors
from manager.fleet import Fleet
from manager.text import catalogue
from manager.watch.core import CallOff, Effect, End, Ended, Event, MakePass, Rang, Saved, Tell, Watch
from manager.watch.happenings import Happening, Kind
from manager.watch.holder import Holder
from manager.watch.metrics import WatchMetrics
from manager.watch.telling import PassTeller
from manager.watch.work import Ways, Worker
from tests.fake_engine import FakeEngine
from tests.fleets import read
from tests.model_engine import ModelEngine


def fleet_text(bots: str) -> str:
    return (
        f"project: p\nimage: anything\nbots:\n{bots}" if bots else "project: p\nimage: anything\nbots: []\n"
    )


@cache
def saved(text: str) -> Saved:
    try:
        return Saved(read(text))
    except ConfigErrors as errors:
        return Saved(errors)


@dataclass
class Watching:
    """`now` moves only by `wait`. `passes`: when each began, and what for."""

    engine: FakeEngine = field(default_factory=lambda: FakeEngine(ModelEngine()))
    now: float = 0.0
    told: list[Happening] = field(default_factory=list)
    passes: list[tuple[float, Fleet]] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    over: bool = False
    before_pass: Callable[[], None] = lambda: None
    changed_since: float | None = None
    join: str | None = None
    broken: str = ""

    def __post_init__(self) -> None:
        self.core, self.metrics = Watch(), WatchMetrics()
        self.holder = Holder(self.engine, "this test")
        teller = PassTeller(self.told.append, catalogue("en"))
        ways = Ways(
            {},
            batch=5,
            join=self.join,
            clock=lambda: self.now,
            changed_for=self._changed_for,
            broken=lambda: self.broken,
        )
        self.worker = Worker(self.engine, self.holder, self.metrics, teller, ways)  # type: ignore[arg-type]
        self.stopping = threading.Event()

    def _changed_for(self) -> float | None:
        return None if self.changed_since is None else self.now - self.changed_since

    def happen(self, event: Event) -> None:
        self._perform(self.core.handle(event, self.now) + self.core.tick(self.now))

    def save(self, text: str) -> None:
        self.happen(saved(text))

    def wait(self, seconds: float) -> None:
        """Everything that falls due meanwhile is done at its time."""
        until = self.now + seconds
        while not self.over and (due := self.core.next_at()) is not None and due <= until:
            self.now = max(self.now, due)
            self._perform(self.core.tick(self.now))
        self.now = until

    def kinds(self) -> list[Kind]:
        return [each.kind for each in self.told]

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case MakePass(fleet):
                    self._make_pass(fleet)
                case Tell(happening):
                    self.told.append(happening)
                case CallOff():
                    self.stopping.set()
                case End():
                    self.over = True

    def _make_pass(self, fleet: Fleet) -> None:
        self.passes.append((self.now, fleet))
        self.before_pass()
        writes = self.engine.model.writes
        self.stopping = threading.Event()
        ended = self.worker.make_pass(fleet, self.stopping)
        self.ended.append(ended)
        # A real engine tells of our own steps too, some of it late.
        own = self.engine.model.writes - writes
        if own:
            self._perform(self.core.handle(Rang(), self.now))
        self._perform(self.core.handle(ended, self.now))
        if own:
            self._perform(self.core.handle(Rang(), self.now))
