"""The demo's surroundings: the simulator in the bots' network, and an ear on each bot's event log."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import docker

from manager.engine import Engine
from manager.problems import EngineError, EngineProblem
from manager.spec import container_name, network_name

HOST = "web.whatsapp.com"
_ORDER_SECONDS = 40
Event = dict[str, Any]


class StageError(Exception):
    """The simulator would not start, or refused an order; the text says why."""


class SimulatorContainer:
    """The simulator in the network of `project`, under the real site's name."""

    def __init__(self, engine: Engine, project: str, image: str, options: Sequence[str] = ()) -> None:
        self.name = f"{project}-simulator"
        self.pin = ""
        self._engine = engine
        self._project = project
        self._image = image
        self._options = options
        self._api = docker.APIClient(base_url=engine.host, version="auto")

    def __enter__(self) -> Self:
        network = network_name(self._project)
        self._engine.create_network(network, self._project)
        self.remove()
        attached = self._api.create_endpoint_config(aliases=[HOST])
        container = self._api.create_container(
            self._image,
            ["serve", "--host", "0.0.0.0", "--port", "443", *self._options],  # noqa: S104  inside its own network
            name=self.name,
            hostname="simulator",
            host_config=self._api.create_host_config(
                cap_drop=["ALL"], read_only=True, tmpfs={"/tmp": ""}, init=True,  # noqa: S108  the container's own
                sysctls={"net.ipv4.ip_unprivileged_port_start": "443"},
            ),  # fmt: skip
            networking_config=self._api.create_networking_config({network: attached}),
        )
        self._api.start(container["Id"])
        first = next(self._engine.logs(self.name, follow=True), "")
        try:
            self.pin = json.loads(first)["pin"]
        except ValueError:
            raise StageError(f"the simulator did not start: {first}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        with suppress(docker.errors.NotFound):
            self._api.remove_container(self.name, force=True)

    def order(self, *words: str) -> dict[str, Any]:
        """`python -m simulator WORDS` in its container. Raises StageError with the simulator's own refusal."""
        found = self._engine.exec(self.name, ["python", "-m", "simulator", *words], _ORDER_SECONDS)
        if found.code != 0:
            raise StageError(found.stderr.strip() or found.stdout.strip())
        answer: dict[str, Any] = json.loads(found.stdout)
        return answer


class Ear:
    """Hears one bot's event log, over restarts and new containers; `events` holds all of it."""

    def __init__(self, engine: Engine, project: str, client_id: str) -> None:
        self.client_id = client_id
        self.events: list[Event] = []
        self._engine = engine
        self._name = container_name(project, client_id)
        self._news = threading.Condition()
        self._known: set[str] = set()
        self._closed = False
        threading.Thread(target=self._listen, name=f"ear {client_id}", daemon=True).start()

    def close(self) -> None:
        self._closed = True

    @property
    def mark(self) -> int:
        """The place in the log from which to wait."""
        return len(self.events)

    def wait(
        self, name: str, after: int = 0, within: float = 60, where: Callable[[Event], bool] = lambda _: True
    ) -> Event | None:
        """The first event of that name since `after`; None when it does not come in time."""

        def found() -> Event | None:
            return next((one for one in self.events[after:] if one["event"] == name and where(one)), None)

        with self._news:
            self._news.wait_for(lambda: found() is not None, within)
        return found()

    def names(self, after: int = 0) -> list[str]:
        return [one["event"] for one in self.events[after:]]

    def _listen(self) -> None:
        while not self._closed:
            try:
                for line in self._engine.logs(self._name, follow=True):
                    self._hear(line)
            except EngineError as error:
                if error.problem not in (EngineProblem.GONE, EngineProblem.UNREACHABLE, EngineProblem.TIMEOUT):
                    return
            time.sleep(0.2)

    def _hear(self, line: str) -> None:
        with self._news:
            if line in self._known:
                return
            self._known.add(line)
            with suppress(ValueError):
                self.events.append(json.loads(line))
            self._news.notify_all()


def sweep(engine: Engine, project: str, client_ids: Sequence[str]) -> None:
    """Containers, volumes and the network of a project that is only a demonstration."""
    api = docker.APIClient(base_url=engine.host, version="auto")
    for client_id in client_ids:
        with suppress(docker.errors.NotFound):
            api.remove_container(container_name(project, client_id), force=True)
        with suppress(docker.errors.NotFound):
            api.remove_volume(f"{project}-{client_id}-session")
    with suppress(docker.errors.NotFound, docker.errors.APIError):
        api.remove_network(network_name(project))


ROOT = Path(__file__).parent.parent
