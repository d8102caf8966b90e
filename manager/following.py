"""Reads the event logs of several containers as one, in order of time, and goes on with what comes."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

from manager.engine import Engine
from manager.loglines import Stamped, stamped
from manager.observed import ObservedContainer
from manager.problems import UNUSABLE, EngineError

_LOOK_SECONDS = 1.0
_BATCH_SECONDS = 0.1

Trouble = Callable[[str | None, EngineError], None]


class Logs:
    """`on_trouble`: told of a bot (None: of the engine) whose log could not be read."""

    def __init__(self, engine: Engine, on_trouble: Trouble) -> None:
        self._engine, self._on_trouble = engine, on_trouble
        self._news: SimpleQueue[Stamped] = SimpleQueue()
        self._last: dict[str, int] = {}  # by clientId, when its last line came
        self._open: set[str] = set()
        self._finished: set[str] = set()
        self._broken: set[str] = set()

    def past(
        self,
        containers: Iterable[ObservedContainer],
        tail: int | None,
        left: Iterable[Iterable[Stamped]] = (),
    ) -> Iterator[Stamped]:
        """What there is, oldest first; of each container only its last `tail` lines. `left`: what bots without a
        container have left behind. Raises EngineError when nothing can be asked of the engine."""
        yield from heapq.merge(*(self._past(each, tail) for each in containers), *left)

    def _past(self, container: ObservedContainer, tail: int | None) -> Iterator[Stamped]:
        try:
            for line in self._engine.logs(container.id, tail=tail, stamped=True):
                yield self._heard(container.client_id, line)
        except EngineError as error:
            if error.problem in UNUSABLE:
                raise
            self._on_trouble(container.client_id, error)

    def _heard(self, client_id: str, line: str) -> Stamped:
        found = stamped(client_id, line, self._last.get(client_id, 0))
        self._last[client_id] = max(found.at, self._last.get(client_id, 0))
        return found

    def coming(self, look: Callable[[], Iterable[ObservedContainer]]) -> Iterator[list[Stamped]]:
        """What comes after `past`, without end. `look`: the containers that are meant, asked for again and again:
        one that ends, comes back, is made anew or appears is followed from where its bot's last line was."""
        missing_engine = False
        while True:
            try:
                for container in look():
                    self._attend(container)
                missing_engine = False
            except EngineError as error:
                if not missing_engine:
                    self._on_trouble(None, error)
                missing_engine = True
            until = time.monotonic() + _LOOK_SECONDS
            while time.monotonic() < until:
                if batch := self._batch():
                    yield batch

    def _attend(self, container: ObservedContainer) -> None:
        if container.id in self._open or container.id in self._broken:
            return
        # One that has ended is read once more: it may have said something since it was looked at last.
        if not container.state.may_write:
            if container.id in self._finished:
                return
            self._finished.add(container.id)
        else:
            self._finished.discard(container.id)
        self._open.add(container.id)
        threading.Thread(target=self._listen, args=(container,), daemon=True).start()

    def _listen(self, container: ObservedContainer) -> None:
        since = self._last.get(container.client_id)
        try:
            for line in self._engine.logs(
                container.id, follow=True, stamped=True, since_ns=None if since is None else since + 1
            ):
                self._news.put(self._heard(container.client_id, line))
        except EngineError as error:
            # A container that went away, or an engine that did, is seen by the next look.
            if error.problem not in UNUSABLE and "logging driver" in error.detail:
                self._broken.add(container.id)
                self._on_trouble(container.client_id, error)
        finally:
            self._open.discard(container.id)

    def _batch(self) -> list[Stamped]:
        """What came within a moment, in order: lines of several bots arrive on lines of their own."""
        try:
            batch = [self._news.get(timeout=_BATCH_SECONDS)]
        except Empty:
            return []
        until = time.monotonic() + _BATCH_SECONDS
        while (left := until - time.monotonic()) > 0:
            try:
                batch.append(self._news.get(timeout=left))
            except Empty:
                break
        return sorted(batch)
