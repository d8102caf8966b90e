"""What no engine does: bots that run and are not well are looked at, and restarted where that may help.

Whether it may is the watchdog's decision (`manager.watchdog`, PURE); here the bots are asked, and it is carried out.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from manager import overview
from manager.observed import ContainerState, ObservedContainer
from manager.problems import EngineError, EngineProblem
from manager.reconcile import Look
from manager.survey import spread
from manager.watch.metrics import WatchMetrics
from manager.watchdog import Decision, Kind, Seen, Watchdog

_AT_ONCE = 16
_HEALTHY, _UNHEALTHY = "healthy", "unhealthy"

Json = Mapping[str, Any]


class Inspects(Protocol):
    def inspect(self, container: str) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Findings:
    """`restarts`: what is to be restarted, and why. `again_in`: seconds until a decision may be another."""

    decisions: tuple[Decision, ...] = ()
    again_in: float | None = None

    @property
    def restarts(self) -> list[Decision]:
        return [each for each in self.decisions if each.kind is Kind.RESTART]


class Healer:
    """`ask`: a bot's own status by its container's id, anything but a mapping when it gives none. `is_busy`: whether
    the bots' machine is short of CPU or memory."""

    def __init__(
        self,
        engine: Inspects,
        ask: Callable[[str], object],
        metrics: WatchMetrics,
        is_busy: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._ask, self._metrics, self._is_busy = engine, ask, metrics, is_busy
        self._clock = clock
        self._watchdog = Watchdog()
        self._oom_kills: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._in_question: frozenset[str] = frozenset()

    def oom(self, client_id: str) -> None:
        """The kernel ended something in this bot's container. From any thread."""
        with self._lock:
            self._oom_kills[client_id] += 1
        self._metrics.bot_oom_kills.labels(client_id).inc()

    def look(self, look: Look, touched: Collection[str | None] = ()) -> Findings:
        """`touched`: bots whose containers are not what `look` saw any more; the next look is theirs.

        Raises EngineError when the engine cannot be asked at all.
        """
        now = self._clock()
        wanted = {spec.client_id for spec in look.desired}
        sought = wanted.difference(touched)
        current = overview.current(look.observed.containers)
        containers = [each for client, each in current.items() if client in sought]
        seen = [each for _, each in spread(self._see, containers, _AT_ONCE)]
        decisions = self._watchdog.look(seen, now, busy=self._is_busy())
        self._in_question = frozenset(each.client_id for each in decisions)
        self._metrics.given_up(wanted, self._watchdog.gave_up)
        for each in decisions:
            if each.kind is Kind.RESTART:
                self._metrics.bot_restarts.labels(each.client_id, each.reason.value).inc()
        return Findings(tuple(decisions), _again_in(decisions, now))

    def _see(self, container: ObservedContainer) -> Seen:
        """Asks no more than is needed: of a bot that is well, nothing."""
        client = container.client_id
        with self._lock:
            oom_kills = self._oom_kills[client]
        gave_up = client in self._watchdog.gave_up
        inspected = status = None
        if container.health != _HEALTHY or client in self._in_question or gave_up:
            inspected = self._inspect(container.id)
        if container.health == _UNHEALTHY and container.state is ContainerState.RUNNING and not gave_up:
            answer = self._ask(container.id)
            status = answer if isinstance(answer, Mapping) else None
        return Seen.of(container, inspected, status, oom_kills)

    def _inspect(self, container: str) -> Json | None:
        try:
            return self._engine.inspect(container)
        except EngineError as error:
            if error.problem is EngineProblem.GONE:
                return None
            raise


def _again_in(decisions: Iterable[Decision], now: float) -> float | None:
    waits = [each.until - now for each in decisions if each.until is not None]
    return max(0.0, min(waits)) if waits else None
