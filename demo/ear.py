"""An ear on one bot's event log, over restarts and new containers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from manager.engine import Engine
from manager.problems import EngineError, EngineProblem
from manager.spec import container_name

Event = dict[str, Any]
OnEvent = Callable[[Event], None]

_BETWEEN_CONTAINERS = (EngineProblem.GONE, EngineProblem.UNREACHABLE, EngineProblem.TIMEOUT)
_PAUSE_SECONDS = 0.1


def nobody(event: Event) -> None:
    pass


class Ear:
    """Listens from construction on; `events` holds all it heard. `on_event` is called from a thread of its own."""

    def __init__(self, engine: Engine, project: str, client_id: str, on_event: OnEvent = nobody) -> None:
        self.client_id = client_id
        self.events: list[Event] = []
        self.stray: list[str] = []
        self._engine = engine
        self._name = container_name(project, client_id)
        self._on_event = on_event
        self._news = threading.Condition()
        self._known: set[str] = set()
        self._closed = threading.Event()
        threading.Thread(target=self._listen, name=f"ear {client_id}", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    @property
    def mark(self) -> int:
        """The place in the log from which to wait or to count."""
        return len(self.events)

    def wait(
        self, name: str, after: int = 0, within: float = 60, where: Callable[[Event], bool] = lambda _: True
    ) -> Event | None:
        """The first event of that name since `after`; None when it does not come in `within` seconds."""

        def found() -> Event | None:
            return next((one for one in self.events[after:] if one["event"] == name and where(one)), None)

        with self._news:
            self._news.wait_for(lambda: found() is not None, within)
            return found()

    def names(self, after: int = 0) -> list[str]:
        return [one["event"] for one in self.events[after:]]

    def count(self, name: str, after: int = 0) -> int:
        return self.names(after).count(name)

    def tale(self, after: int = 0) -> str:
        """What was heard, for a report of what was not."""
        told = [f"  {one['time']} {one['event']} {one['message']}" for one in self.events[after:]]
        return "\n".join([*told, *self.stray[-20:]]) or "  -"

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                for line in self._engine.logs(self._name, follow=True):
                    self._hear(line)
            except EngineError as error:
                if error.problem not in _BETWEEN_CONTAINERS:
                    self.stray.append(str(error))
            self._closed.wait(_PAUSE_SECONDS)

    def _hear(self, line: str) -> None:
        # A container that was started again tells its whole log from the beginning.
        if self._closed.is_set() or line in self._known:
            return
        self._known.add(line)
        try:
            event = json.loads(line)
        except ValueError:
            self.stray.append(line)
            return
        self._on_event(event)
        with self._news:
            self.events.append(event)
            self._news.notify_all()
