"""Carries out a plan: shared steps, then one lane a client, lanes in parallel. No decisions.

A lane ends at its first failure and the others go on. Whatever was reached when it ends, for whatever reason,
the next plan starts from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.contract import STOP_GRACE_SECONDS
from manager.admission import Hold
from manager.plan import Action, ActionKind, Lane, Plan
from manager.pressure import Gate, Measures
from manager.problems import EngineError, EngineProblem
from manager.spec import ContainerSpec

WORKERS = 16


class StepState(StrEnum):
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    LOST_RACE = "lost-race"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Step:
    """How one action goes. `seconds` since it started; `error` only when it failed or lost a race; `hold` only while it
    has to wait for its start.
    """

    action: Action
    state: StepState
    seconds: float = 0.0
    error: EngineError | None = None
    hold: Hold | None = None


class ExecutesOn(Measures, Protocol):
    """What of the engine a plan needs: no call here removes a volume."""

    def create_network(self, name: str, project: str) -> None: ...
    def create_volume(self, name: str, project: str, client_id: str, image: str | None = None) -> None: ...
    def create(self, spec: ContainerSpec) -> str: ...
    def start(self, container: str) -> None: ...
    def stop(self, container: str, grace_seconds: int) -> None: ...
    def remove(self, container: str) -> None: ...


def execute(
    plan: Plan,
    engine: ExecutesOn,
    project: str,
    on_progress: Callable[[Step], None] = lambda step: None,
    stopping: threading.Event | None = None,
) -> list[Step]:
    """The finished steps (done, failed, skipped), lane by lane. `on_progress` calls never overlap.

    Starts are staggered: each waits until the machine can bear one more (`pressure.Gate`), and what runs goes on
    running until then.

    An interrupt (Ctrl-C) lets running steps finish, begins no other, and is raised then. `stopping`, once set, does
    the same without raising anything.
    """
    gate = Gate(engine, sum(_start_of(lane) is not None for lane in plan.lanes))
    run = _Run(engine, project, on_progress, stopping or threading.Event(), gate)
    steps = run.lane(plan.shared)
    if any(step.state is not StepState.DONE for step in steps):
        return steps + [run.skip(action) for lane in plan.lanes for action in lane]
    if not plan.lanes:
        return steps
    with ThreadPoolExecutor(min(WORKERS, len(plan.lanes)), thread_name_prefix="lane") as pool:
        try:
            futures = [pool.submit(run.lane, lane) for lane in plan.lanes]
            for future in futures:
                steps += future.result()
        except BaseException:
            run.stopping.set()
            raise
    return steps


class _Run:
    def __init__(
        self,
        engine: ExecutesOn,
        project: str,
        on_progress: Callable[[Step], None],
        stopping: threading.Event,
        gate: Gate,
    ) -> None:
        self._engine = engine
        self._project = project
        self._on_progress = on_progress
        self._telling = threading.Lock()
        self.stopping = stopping
        self._gate = gate

    def lane(self, actions: Lane) -> list[Step]:
        steps: list[Step] = []
        start = _start_of(actions)
        stops = any(action.kind is ActionKind.STOP for action in actions)
        held = actions[0] if stops and start else start
        going = True
        try:
            for action in actions:
                going = (
                    going and (action is not held or self._admitted(action)) and not self.stopping.is_set()
                )
                steps.append(self._step(action) if going else self.skip(action))
                going = steps[-1].state is StepState.DONE
        finally:
            if start is not None and not (steps and steps[-1].state is StepState.DONE):
                self._gate.left(_key(start))
        return steps

    def _admitted(self, action: Action) -> bool:
        def telling(hold: Hold) -> None:
            self._tell(Step(action, StepState.HELD, hold=hold))

        return self._gate.enter(_key(action), self.stopping, telling)

    def skip(self, action: Action) -> Step:
        return self._tell(Step(action, StepState.SKIPPED))

    def _step(self, action: Action) -> Step:
        self._tell(Step(action, StepState.STARTED))
        began = time.monotonic()
        try:
            self._perform(action)
        except EngineError as error:
            error.values["name"] = _name_for_people(action)
            return self._tell(Step(action, StepState.FAILED, time.monotonic() - began, error))
        return self._tell(Step(action, StepState.DONE, time.monotonic() - began))

    def _tell(self, step: Step) -> Step:
        with self._telling:
            self._on_progress(step)
        return step

    def _perform(self, action: Action) -> None:
        spec = action.spec
        match action.kind:
            case ActionKind.CREATE_NETWORK:
                self._engine.create_network(action.target, self._project)
            case ActionKind.CREATE_VOLUME:
                assert spec is not None
                self._engine.create_volume(action.target, self._project, spec.client_id, spec.image_id)
            case ActionKind.CREATE:
                assert spec is not None
                self._engine.create(spec)
            case ActionKind.START:
                self._engine.start(action.target)
                self._gate.started(_key(action), action.target)
            case ActionKind.STOP:
                grace = spec.stop_grace_seconds if spec else STOP_GRACE_SECONDS
                self._unless_gone(lambda: self._engine.stop(action.target, grace))
            case ActionKind.REMOVE:
                self._unless_gone(lambda: self._engine.remove(action.target))

    @staticmethod
    def _unless_gone(call: Callable[[], None]) -> None:
        """What somebody else has removed meanwhile is stopped and removed: the step's aim is reached."""
        try:
            call()
        except EngineError as error:
            if error.problem is not EngineProblem.GONE:
                raise


def _start_of(lane: Lane) -> Action | None:
    return next((action for action in lane if action.kind is ActionKind.START), None)


def _key(action: Action) -> str:
    return action.client_id or action.target


def _name_for_people(action: Action) -> str:
    """A container's name instead of its id, where the plan knows it."""
    return action.spec.name if action.spec and action.kind is not ActionKind.CREATE_VOLUME else action.target
