"""A roll-out carried out: pass after pass, the bots asked in between, until all are as well as before or one is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from manager import overview, reconcile
from manager.engine import Engine
from manager.fleet import Fleet
from manager.observed import ContainerState, Observed
from manager.plan import Plan
from manager.reconcile import Look, Outcome, Progress
from manager.rollout import News, Reading, Rollout
from manager.survey import Survey, spread

LOOK_SECONDS = 1.0
_AT_ONCE = 16


class Roller:
    """What of a plan is done now, as `reconcile.up` asks it; `whole`: all that the last plan held."""

    def __init__(
        self,
        rollout: Rollout,
        survey: Survey,
        on_news: Callable[[News], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rollout = rollout
        self.whole = Plan()
        self._survey = survey
        self._on_news = on_news
        self._clock = clock

    def admit(self, look: Look) -> Plan:
        """Raises EngineError when the engine itself cannot be asked."""
        self.whole = look.plan
        wanted = self.rollout.asks(look.plan, look.observed, look.desired)
        readings = self._read(look.observed, wanted)
        plan, news = self.rollout.admit(look.plan, look.observed, look.desired, readings, self._clock())
        for each in news:
            self._on_news(each)
        return plan

    def _read(self, observed: Observed, clients: Collection[str]) -> dict[str, Reading]:
        containers = overview.current(observed.containers)
        running = {
            found.id: client
            for client in clients
            if (found := containers.get(client)) and found.state is ContainerState.RUNNING
        }
        readings = {client: Reading.of(containers.get(client)) for client in clients}
        for container, answer in spread(self._survey.status, running, _AT_ONCE):
            if isinstance(answer, Mapping):
                client = running[container]
                readings[client] = Reading.of(containers[client], answer)
        return readings


def up(  # noqa: PLR0913, PLR0917  the command's own options
    fleet: Fleet,
    engine: Engine,
    rollout: Rollout,
    only: frozenset[str] | None,
    on_progress: Callable[[Progress | News], None],
    language: str,
    *,
    confirm: Callable[[Plan], bool] | None,
    environ: Mapping[str, str],
    rebuild: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """As `reconcile.up`, with what is changed changed by `rollout`; returns when that is over, or stopped (`halt`).

    `confirm` is asked about all of it, before it begins. Each pass looks anew and leaves the turn to other managers
    between.
    """
    roller = Roller(rollout, Survey(engine, fleet, language), on_progress, clock)

    def a_pass(confirm: Callable[[Plan], bool] | None = None, *, rebuild: bool = False) -> Outcome:
        return reconcile.up(
            fleet,
            engine,
            only,
            on_progress=on_progress,
            confirm=confirm,
            environ=environ,
            admit=roller.admit,
            rebuild=rebuild,
        )

    outcome = a_pass(confirm, rebuild=rebuild)
    if not outcome.confirmed:
        return outcome
    first = roller.whole
    while rollout.under_way and rollout.halt is None and not outcome.errors:
        time.sleep(LOOK_SECONDS)
        later = a_pass()
        outcome = replace(later, steps=(*outcome.steps, *later.steps), image=outcome.image)
    return replace(outcome, plan=first, halt=rollout.halt)
