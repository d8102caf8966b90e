"""One pass from bots.yaml to running containers: image, observe, plan, execute.

Safe to be killed anywhere and to run twice at once: nothing is remembered between passes, every pass looks
first, and a pass that lost a race against another manager looks again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from manager import confinement, image, tools
from manager import plan as planning
from manager import spec as specs
from manager.execute import ExecutesOn, Step, StepState, execute
from manager.fleet import Fleet
from manager.image import BotImage, BuildsImages, ImageProgress
from manager.locking import turn
from manager.observed import Observed
from manager.plan import ActionKind, Note, Plan
from manager.problems import EngineError, EngineProblem
from manager.rollout import Halt
from manager.spec import ContainerSpec

PASSES = 4
RACES = {
    EngineProblem.GONE,
    EngineProblem.NAME_TAKEN,
    EngineProblem.NOT_RUNNING,
    EngineProblem.RUNS_AGAIN,
    EngineProblem.VOLUME_IN_USE,
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Another manager is at work on the same project; `holder` names its process."""

    holder: str


Progress = Step | ImageProgress | Waiting
OnProgress = Callable[[Progress], None]


class ReconcilesOn(ExecutesOn, BuildsImages, Protocol):
    def observe(self, project: str, names: Collection[str], volumes: Collection[str]) -> Observed: ...
    def remove_network(self, name: str, project: str) -> bool: ...
    def sweep(self, label: str, dead_maker: str | None = None) -> None: ...
    def remove_volume(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Look:
    """What bots.yaml wants, what is there, and the plan that follows."""

    desired: Sequence[ContainerSpec]
    observed: Observed
    plan: Plan


@dataclass(frozen=True, slots=True)
class Outcome:
    """`plan` as it was first made; `notes` as they stood at the end; `steps` as they ended.

    `deleted`: the volume that is gone for good; only `remove_client` deletes one. `halt`: why a roll-out stopped.
    """

    plan: Plan
    notes: tuple[Note, ...] = ()
    steps: tuple[Step, ...] = ()
    image: BotImage | None = None
    dry_run: bool = False
    confirmed: bool = True
    deleted: str | None = None
    halt: Halt | None = None

    @property
    def errors(self) -> list[EngineError]:
        """Each failure once, though it may have met every bot."""
        found = {str(step.error): step.error for step in self.steps if step.error is not None}
        return list(found.values())

    @property
    def ok(self) -> bool:
        """False when a step failed, a roll-out stopped, or something that is not ours has a bot's name."""
        return not self.errors and self.halt is None and not any(note.blocking for note in self.notes)

    @property
    def nothing_to_do(self) -> bool:
        return self.plan.empty and self.deleted is None


def ignore(progress: Progress) -> None:
    """For callers that do not want to be told."""


def up(  # noqa: PLR0913  the command's own options
    fleet: Fleet,
    engine: ReconcilesOn,
    only: frozenset[str] | None = None,
    dry_run: bool = False,
    on_progress: OnProgress = ignore,
    *,
    confirm: Callable[[Plan], bool] | None = None,
    environ: Mapping[str, str] = os.environ,
    admit: Callable[[Look], Plan] = lambda look: look.plan,
    stopping: threading.Event | None = None,
    rebuild: bool = False,
) -> Outcome:
    """Makes what bots.yaml says true, for `only` these bots or for all.

    `confirm` is asked about a plan that has any step, before the first, and again only where other bots would be
    interrupted than it was asked about. No turn is held meanwhile: a person may take long to answer, and a watcher must
    not wait for that. `admit` chooses from each plan what is done of it now. Once `stopping` is set no further step
    begins. `rebuild`: as of `image.ensure`. Raises EngineError when there is no image or nothing could be observed,
    NoTurn when it was stopped before its turn; what fails later stands in the outcome.
    """
    if dry_run:
        found = image.find(engine, fleet.image, rebuild=rebuild)
        planner = _planner(fleet, engine, only, found)
        return _dry(lambda: admit(planner()), found)
    built, agreed = False, None
    while True:
        with project_turn(fleet, engine, on_progress, stopping):
            found = image.ensure(engine, fleet.image, environ, on_progress, rebuild=rebuild and not built)
            built = found.built or built
            planner = _planner(fleet, engine, only, found)
            seen = planner()
            if confirm is None or seen.plan.empty or (agreed is not None and _stopped(seen.plan) <= agreed):
                look = partial(_admitted, admit, planner)
                outcome = _carry_out(look, fleet, engine, on_progress, first=admit(seen), stopping=stopping)
                return replace(outcome, image=replace(found, built=built))
        if not confirm(seen.plan):
            return Outcome(seen.plan, seen.plan.notes, image=replace(found, built=built), confirmed=False)
        agreed = (agreed or frozenset()) | _stopped(seen.plan)


def _admitted(admit: Callable[[Look], Plan], planner: Callable[[], Look]) -> Plan:
    return admit(planner())


def _stopped(plan: Plan) -> frozenset[str | None]:
    """Whom it interrupts."""
    return frozenset(step.client_id for lane in plan.lanes for step in lane if step.kind is ActionKind.STOP)


def down(
    fleet: Fleet,
    engine: ReconcilesOn,
    only: frozenset[str] | None = None,
    dry_run: bool = False,
    on_progress: OnProgress = ignore,
) -> Outcome:
    """Stops and removes the project's containers; volumes stay. The network goes with the last of them."""

    def look() -> Plan:
        return planning.plan_down(_observe(fleet, engine), only=only)

    if dry_run:
        return _dry(look)
    with project_turn(fleet, engine, on_progress):
        outcome = _carry_out(look, fleet, engine, on_progress)
        if only is None and outcome.ok:
            engine.remove_network(specs.network_name(fleet.project), fleet.project)
        return outcome


def restart(  # noqa: PLR0913
    fleet: Fleet,
    engine: ReconcilesOn,
    only: frozenset[str] | None = None,
    dry_run: bool = False,
    on_progress: OnProgress = ignore,
    *,
    cause: str = "restart",
    admit: Callable[[Plan], Plan] = lambda plan: plan,
    stopping: threading.Event | None = None,
) -> Outcome:
    """Stops every bot (or `only` these), sees it stopped, starts it: no new container, no new image.

    `cause`: why, a key of `plan.Cause`. `admit` and `stopping`: as of `up`.
    """

    def look() -> Plan:
        observed = _observe(fleet, engine)
        return admit(planning.plan_restart(observed, only=only, disabled=fleet.disabled, cause=cause))

    if dry_run:
        return _dry(look)
    with project_turn(fleet, engine, on_progress, stopping):
        return _carry_out(look, fleet, engine, on_progress, passes=1, stopping=stopping)


def remove_client(
    fleet: Fleet,
    engine: ReconcilesOn,
    client_id: str,
    on_progress: OnProgress = ignore,
    *,
    session: bool = True,
) -> Outcome:
    """Removes a bot's container and, with `session`, its volume: the session for good. The caller has asked.

    Raises FOREIGN_VOLUME for a volume of somebody else's, VOLUME_IN_USE while a container still has it.
    """
    volume = specs.volume_name(fleet.project, client_id)

    def look() -> Plan:
        return planning.plan_rm(_observe(fleet, engine), client_id)

    with project_turn(fleet, engine, on_progress):
        outcome = _carry_out(look, fleet, engine, on_progress)
        if not outcome.ok or not session:
            return outcome
        observed = engine.observe(fleet.project, (), (volume,))
        if volume in observed.foreign_volumes:
            raise EngineError(EngineProblem.FOREIGN_VOLUME, name=volume, project=fleet.project)
        if any(known.name == volume for known in observed.volumes):
            tools.sweep(engine, fleet.project, alone=True)
            engine.remove_volume(volume)
            return replace(outcome, deleted=volume)
    return outcome


def _planner(
    fleet: Fleet, engine: ReconcilesOn, only: frozenset[str] | None, found: BotImage
) -> Callable[[], Look]:
    around = confinement.fingerprint()
    desired = [
        specs.build(fleet, bot, found.id, found.version, confinement=around)
        for bot in fleet.bots
        if bot.enabled
    ]

    def look() -> Look:
        observed = engine.observe(
            fleet.project, [spec.name for spec in desired], [spec.volume for spec in desired]
        )
        plan = planning.make_plan(desired, observed, only=only, disabled=fleet.disabled)
        return Look(desired, observed, plan)

    return look


def _observe(fleet: Fleet, engine: ReconcilesOn) -> Observed:
    names = [specs.container_name(fleet.project, bot.client_id) for bot in fleet.bots]
    volumes = [specs.volume_name(fleet.project, bot.client_id) for bot in fleet.bots]
    return engine.observe(fleet.project, names, volumes)


def project_turn(
    fleet: Fleet,
    engine: ReconcilesOn,
    on_progress: OnProgress,
    stopping: threading.Event | None = None,
) -> AbstractContextManager[None]:
    """One manager at a time on a project; who waits is told for whom."""
    what = f"project {fleet.project} on {engine.host}"
    return turn(what, lambda holder: on_progress(Waiting(holder)), stopping)


def _dry(look: Callable[[], Plan], found: BotImage | None = None) -> Outcome:
    plan = look()
    return Outcome(plan, plan.notes, image=found, dry_run=True)


def _carry_out(  # noqa: PLR0913
    look: Callable[[], Plan],
    fleet: Fleet,
    engine: ReconcilesOn,
    on_progress: OnProgress,
    *,
    first: Plan | None = None,
    passes: int = PASSES,
    stopping: threading.Event | None = None,
) -> Outcome:
    """Looks, plans and executes until nothing is left that only a lost race prevented. `first`: a look just taken."""
    first = plan = look() if first is None else first
    done: list[Step] = []
    for left in range(passes - 1, -1, -1):
        tell = partial(_tell, on_progress, final=left == 0)
        steps = execute(plan, engine, fleet.project, tell, stopping=stopping)
        if left == 0 or (stopping and stopping.is_set()) or not any(_lost_race(step) for step in steps):
            break
        done += [step for step in steps if step.state is StepState.DONE]
        plan = look()
    return Outcome(first, plan.notes, (*done, *steps))


def _lost_race(step: Step) -> bool:
    return step.state is StepState.FAILED and step.error is not None and step.error.problem in RACES


def _tell(on_progress: OnProgress, step: Step, *, final: bool) -> None:
    lost = not final and _lost_race(step)
    on_progress(replace(step, state=StepState.LOST_RACE) if lost else step)
