"""A fleet on the model engine, of which each bot is what it is said to be, for roll-outs without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bot.contract import State
from manager.fleet import Fleet
from manager.observed import ContainerState, Observed, ObservedContainer
from manager.plan import Plan, make_plan
from manager.rollout import News, Reading, Rollout
from manager.spec import ContainerSpec
from tests.fleets import IMAGE, fleet_of, specs_of
from tests.model_engine import ModelEngine, carry_out

NEW_IMAGE = "sha256:" + "b" * 64


def reading(state: State | None, *, session: bool | None = True) -> Reading:
    permanent = state is not None and state.permanent
    word = state.value if state else None
    return Reading(ContainerState.RUNNING, word, permanent, session if state else None)


class World:
    """`becomes`: what a bot reads once it runs in this container; before, what `before` says by client."""

    def __init__(self, fleet: Fleet, before: dict[str, Reading]) -> None:
        self.fleet, self.image = fleet, IMAGE
        self.engine = ModelEngine(network="n0")
        self.before = before
        self.original: dict[str, str] = {}
        self.becomes: Callable[[ObservedContainer], Reading] = lambda found: self.before[found.client_id]
        for spec in self.specs():
            self.engine.put_volume(spec)
            self.original[spec.client_id] = self.engine.put(spec, ContainerState.RUNNING).id

    def specs(self) -> list[ContainerSpec]:
        return specs_of(self.fleet, self.image)

    def observed(self) -> Observed:
        return self.engine.observe()

    def plan(self) -> Plan:
        return make_plan(self.specs(), self.observed(), disabled=self.fleet.disabled)

    def changed(self) -> set[str]:
        """Bots of the first day that run in another container by now."""
        running = {each.client_id: each.id for each in self.engine.containers.values()}
        return {client for client, first in self.original.items() if running.get(client, first) != first}

    def readings(self, clients: Iterable[str]) -> dict[str, Reading]:
        found = {each.client_id: each for each in self.engine.containers.values()}
        return {client: self._reading(found[client]) for client in clients if client in found}

    def _reading(self, found: ObservedContainer) -> Reading:
        if self.original.get(found.client_id) == found.id:
            return self.before[found.client_id]
        return self.becomes(found)

    def step(self, rollout: Rollout, now: float) -> tuple[Plan, list[News]]:
        """One pass: what was admitted is done."""
        plan, observed, specs = self.plan(), self.observed(), self.specs()
        readings = self.readings(rollout.asks(plan, observed, specs))
        admitted, news = rollout.admit(plan, observed, specs, readings, now)
        carry_out(self.engine, admitted)
        return admitted, news


def ready_world(*clients: str) -> World:
    return World(fleet_of(*clients), {client: reading(State.READY) for client in clients})
