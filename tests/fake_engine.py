"""The model of an engine behind the calls that `reconcile.up` makes: whole passes without a Docker engine."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from manager.observed import Observed, ObservedVolume
from manager.plan import Action, ActionKind, Cause
from manager.problems import EngineError, EngineProblem
from manager.spec import ContainerSpec
from manager.streams import ExecResult
from manager.watch.holder import LABEL_HOLDER
from tests.fleets import IMAGE
from tests.model_engine import GoneError, ModelEngine, RefusedError

_CAUSE = Cause("new")


READY = {"state": "READY", "permanent": False, "user_action": "none", "session_present": True}


class FakeLease:
    def __init__(self, name: str, free: Callable[[], object]) -> None:
        self.container = name
        self._free = free
        self._over = threading.Event()

    def wait(self) -> None:
        self._over.wait()

    def release(self) -> None:
        self._free()
        self.end()

    def end(self) -> None:
        """As when somebody removes the container."""
        self._over.set()


class FakeEngine:
    """`down`: no call is answered. `statuses`: what a bot answers; None: it is silent; others are READY. `refuse_next`:
    the next change is refused. `before_write` is called, in the thread of the step, before anything changes."""

    def __init__(self, model: ModelEngine) -> None:
        self.model = model
        self.host = f"fake://{uuid.uuid4()}"
        self.down = self.refuse_next = False
        self.before_write: Callable[[ActionKind], None] = lambda kind: None
        self.statuses: dict[str, dict[str, Any] | None] = {}
        self.joined: list[tuple[str, str]] = []
        self.leases: dict[str, str] = {}
        self.lease_status, self.lease_created = "running", "2026-01-01T00:00:00Z"
        self._lock = threading.Lock()

    def observe(self, project: str, names: Collection[str], volumes: Collection[str]) -> Observed:
        assert project == self.model.project
        self._reach()
        with self._lock:
            return self.model.observe()

    def version(self) -> dict[str, Any]:
        self._reach()
        return {}

    def info(self) -> dict[str, Any]:
        """A machine that can bear any number of starts."""
        return {"NCPU": 1000}

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

    def sweep(self, label: str, dead_maker: str | None = None) -> None:
        raise AssertionError("no pass of `up` sweeps")

    def join_labelled(self, network: str, label: str) -> None:
        self._reach()
        assert self.model.network is not None
        self.joined.append((network, label))

    def exec(
        self, container: str, argv: list[str], timeout: float, environ: Mapping[str, str] | None = None
    ) -> ExecResult:
        self._reach()
        with self._lock:
            client = self.model.containers[container].client_id
        status = self.statuses.get(client, READY)
        if status is None:
            raise EngineError(EngineProblem.SLOW_EXEC, name=container, seconds=timeout)
        return ExecResult(0, json.dumps(status), "")

    def start(self, container: str) -> None:
        self._perform(ActionKind.START, container)

    def stop(self, container: str, grace_seconds: int) -> None:
        if container not in self.leases:
            self._perform(ActionKind.STOP, container)

    def remove(self, container: str) -> None:
        if self.leases.pop(container, None) is None:
            self._perform(ActionKind.REMOVE, container)

    def hold(self, body: dict[str, Any], name: str) -> FakeLease:
        self._reach()
        if name in self.leases:
            raise EngineError(EngineProblem.NAME_TAKEN, name=name)
        self.leases[name] = body["Labels"][LABEL_HOLDER]
        self.lease_status = "running"
        self.last_lease = FakeLease(name, lambda: self.leases.pop(name, None))
        return self.last_lease

    def inspect(self, container: str) -> dict[str, Any]:
        self._reach()
        with self._lock:
            known = self.model.containers.get(container)
        if known is not None:
            state = {"Status": known.state.value, "StartedAt": known.started_at, "Pid": 0}
            return {"Id": known.id, "State": state, "RestartCount": known.restart_count}
        if container not in self.leases:
            raise EngineError(EngineProblem.GONE, name=container)
        labels = {LABEL_HOLDER: self.leases[container]}
        return {
            "Id": container,
            "Created": self.lease_created,
            "State": {"Status": self.lease_status},
            "Config": {"Labels": labels},
        }

    def _reach(self) -> None:
        if self.down:
            raise EngineError(EngineProblem.UNREACHABLE, "connection refused", host=self.host)

    def _perform(self, kind: ActionKind, target: str, spec: ContainerSpec | None = None) -> None:
        self._reach()
        self.before_write(kind)
        if self.refuse_next:
            self.refuse_next = False
            raise EngineError(EngineProblem.DISK_FULL, "no space left on device")
        with self._lock:
            try:
                self.model.perform(Action(kind, spec.client_id if spec else None, target, _CAUSE, spec))
            except GoneError as error:
                raise EngineError(EngineProblem.GONE, str(error)) from error
            except RefusedError as error:
                raise EngineError(EngineProblem.OTHER, str(error)) from error
