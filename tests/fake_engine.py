"""The model of an engine behind the calls that `reconcile.up` makes: whole passes without a Docker engine."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from typing import Any

from manager.observed import Observed, ObservedVolume
from manager.plan import Action, ActionKind, Cause
from manager.problems import EngineError, EngineProblem
from manager.spec import ContainerSpec
from tests.fleets import IMAGE
from tests.model_engine import GoneError, ModelEngine, RefusedError

_CAUSE = Cause("new")


class FakeEngine:
    """`down`: no call is answered. `before_write` is called, in the thread of the step, before anything changes."""

    def __init__(self, model: ModelEngine) -> None:
        self.model = model
        self.host = f"fake://{uuid.uuid4()}"
        self.down = False
        self.before_write: Callable[[ActionKind], None] = lambda kind: None
        self._lock = threading.Lock()

    def observe(self, project: str, names: Collection[str], volumes: Collection[str]) -> Observed:
        assert project == self.model.project
        self._reach()
        with self._lock:
            return self.model.observe()

    def image_id(self, reference: str) -> str | None:
        self._reach()
        return IMAGE

    def build(self, context: Any, **options: Any) -> Iterator[dict[str, Any]]:
        raise AssertionError("every image is there")

    def create_network(self, name: str, project: str) -> None:
        self._perform(ActionKind.CREATE_NETWORK, name)

    def remove_network(self, name: str, project: str) -> bool:
        raise AssertionError("no pass of `up` removes the network")

    def create_volume(self, name: str, project: str, client_id: str, image: str | None = None) -> None:
        self._reach()
        self.before_write(ActionKind.CREATE_VOLUME)
        with self._lock:
            self.model.writes += 1
            self.model.volumes.setdefault(name, ObservedVolume(name, project, client_id))

    def remove_volume(self, name: str) -> None:
        raise AssertionError("no pass removes a volume")

    def create(self, spec: ContainerSpec) -> str:
        self._perform(ActionKind.CREATE, spec.name, spec)
        return spec.name

    def start(self, container: str) -> None:
        self._perform(ActionKind.START, container)

    def stop(self, container: str, grace_seconds: int) -> None:
        self._perform(ActionKind.STOP, container)

    def remove(self, container: str) -> None:
        self._perform(ActionKind.REMOVE, container)

    def _reach(self) -> None:
        if self.down:
            raise EngineError(EngineProblem.UNREACHABLE, "connection refused", host=self.host)

    def _perform(self, kind: ActionKind, target: str, spec: ContainerSpec | None = None) -> None:
        self._reach()
        self.before_write(kind)
        with self._lock:
            try:
                self.model.perform(Action(kind, spec.client_id if spec else None, target, _CAUSE, spec))
            except GoneError as error:
                raise EngineError(EngineProblem.GONE, str(error)) from error
            except RefusedError as error:
                raise EngineError(EngineProblem.OTHER, str(error)) from error
