"""A tiny model of a Docker engine, for plans: what it refuses is what a real one refuses.

Checked against engine 20.10: a name belongs to one container; a running container is not removed; a container
that is not there answers "no such container"; a stopped container of a removed network can't be started;
removing a volume is no call of this model at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from bot.contract import LABEL_IMAGE_ID, LABEL_SPEC_HASH
from manager.observed import ContainerState, Observed, ObservedContainer, ObservedVolume
from manager.plan import Action, ActionKind, Plan
from manager.spec import ContainerSpec, readable_settings


class RefusedError(Exception):
    """The engine said no."""


class GoneError(RefusedError):
    """There is no such container."""


class TwoWritersError(AssertionError):
    """Two containers run on one volume: what must never be."""


@dataclass
class ModelEngine:
    project: str = "p"
    containers: dict[str, ObservedContainer] = field(default_factory=dict)
    volumes: dict[str, ObservedVolume] = field(default_factory=dict)
    network: str | None = None
    foreign_names: frozenset[str] = frozenset()
    volume_users: dict[str, str] = field(default_factory=dict)
    writes: int = 0
    _serial: int = 0

    def observe(self) -> Observed:
        return Observed(
            project=self.project,
            containers=tuple(self.containers.values()),
            volumes=tuple(each for each in self.volumes.values() if each.project == self.project),
            network_exists=self.network is not None,
            network_id=self.network,
            foreign_names=self.foreign_names,
            foreign_volumes=frozenset(
                each.name for each in self.volumes.values() if each.project != self.project
            ),
            volume_users=self.volume_users,
        )

    def put(self, spec: ContainerSpec, state: ContainerState, **changed: object) -> ObservedContainer:
        """A container as an earlier `up` may have left it."""
        self._serial += 1
        container = ObservedContainer(
            id=f"c{self._serial}",
            name=spec.name,
            client_id=spec.client_id,
            state=state,
            spec_hash=spec.labels[LABEL_SPEC_HASH],
            image_id=spec.labels[LABEL_IMAGE_ID],
            volume=spec.volume,
            settings=readable_settings(spec),
            network_id=None if state is ContainerState.CREATED else self.network,
            created=self._serial,
        )
        container = replace(container, **changed)  # type: ignore[arg-type]
        self.containers[container.id] = container
        return container

    def put_volume(self, spec: ContainerSpec, project: str | None = None) -> None:
        owner = self.project if project is None else project
        self.volumes[spec.volume] = ObservedVolume(spec.volume, owner, spec.client_id)

    def running(self) -> set[str]:
        return {each.client_id for each in self.containers.values() if each.state is ContainerState.RUNNING}

    # ---- what a plan may ask for

    def perform(self, action: Action) -> None:
        self.writes += 1
        match action.kind:
            case ActionKind.CREATE_NETWORK:
                if self.network is None:
                    self._serial += 1
                    self.network = f"n{self._serial}"
            case ActionKind.CREATE_VOLUME:
                assert action.spec is not None
                if action.target not in self.volumes:
                    self.put_volume(action.spec)
            case ActionKind.CREATE:
                assert action.spec is not None
                self._create(action.spec)
            case ActionKind.START:
                self._start(self._find(action.target))
            case ActionKind.STOP:
                found = self._find(action.target)
                if found.state.may_write:
                    self.containers[found.id] = replace(found, state=ContainerState.EXITED, exit_code=0)
            case ActionKind.REMOVE:
                found = self._find(action.target)
                if found.state.may_write:
                    raise RefusedError(f"{found.name} is running")
                del self.containers[found.id]

    def _find(self, target: str) -> ObservedContainer:
        for each in self.containers.values():
            if target in (each.id, each.name):
                return each
        raise GoneError(target)

    def _create(self, spec: ContainerSpec) -> None:
        taken = {each.name for each in self.containers.values()} | self.foreign_names
        if spec.name in taken:
            raise RefusedError(f"name {spec.name} is taken")
        if spec.volume not in self.volumes:
            raise AssertionError("a container before its volume: the engine would make one nobody owns")
        self.put(spec, ContainerState.CREATED)

    def _start(self, found: ObservedContainer) -> None:
        if found.state.may_write:
            return
        if found.state in (ContainerState.DEAD, ContainerState.REMOVING):
            raise RefusedError(f"{found.name} is marked for removal")
        if self.network is None or found.network_id not in (None, self.network):
            raise RefusedError("network not found")
        if found.volume in self.volume_users:
            raise TwoWritersError(found.volume)
        for other in self.containers.values():
            if other.id != found.id and other.volume == found.volume and other.state.may_write:
                raise TwoWritersError(f"{found.name} and {other.name} on {found.volume}")
        self.containers[found.id] = replace(found, state=ContainerState.RUNNING, network_id=self.network)


def steps(engine: ModelEngine, plan: Plan) -> Iterator[None]:
    """Carries the plan out as manager.execute does, yielding after each step, the lanes taking turns.

    A lane ends at its first refusal, the others go on. What is gone already is stopped and removed.
    """
    for action in plan.shared:
        engine.perform(action)
        yield
    pending = [list(lane) for lane in plan.lanes]
    while any(pending):
        for lane in filter(None, pending):
            action = lane.pop(0)
            try:
                engine.perform(action)
            except GoneError:
                if action.kind not in (ActionKind.STOP, ActionKind.REMOVE):
                    lane.clear()
            except RefusedError:
                lane.clear()
            yield


def carry_out(engine: ModelEngine, plan: Plan) -> None:
    for _ in steps(engine, plan):
        pass


def kinds(actions: Iterable[Action]) -> list[str]:
    return [action.kind.value for action in actions]
