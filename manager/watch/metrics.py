"""Every metric of the watcher, in one place. Counters are of this process; every label value known starts at 0."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
    generate_latest,
)

from manager.plan import ActionKind
from manager.watch.core import PassEnd
from manager.watchdog import Reason

disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "oturum_manager_"
# The watchdog's own: what ends again and again is started by the engine.
_RESTARTS = (Reason.UNHEALTHY.value, Reason.OOM.value)
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)


class WatchMetrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.desired_bots = self._gauge("desired_bots", "Bots that should run, as bots.yaml says")
        self.running_bots = self._gauge("running_bots", "Bots of those whose container runs")
        self.drift = self._gauge(
            "drift",
            "Steps that would make the engine agree with bots.yaml now, and bots for which none can be taken",
        )
        self.config_valid = self._gauge("config_valid", "1 when bots.yaml as it stands now is valid")
        self.config_loaded = self._gauge(
            "config_loaded_timestamp_seconds", "When the bots.yaml that counts now was read, as Unix time"
        )
        self.engine_up = self._gauge("engine_up", "1 when the engine answered when it was asked last")
        self.last_success = self._gauge(
            "last_success_timestamp_seconds",
            "When a pass last ended without a failure, as Unix time",
        )
        self.actions = self._counter("actions", "Steps carried out, by kind and result", "kind", "result")
        for kind in ActionKind:
            for result in ("ok", "failed"):
                self.actions.labels(kind.value, result)
        self.reconciles = self._counter("reconciles", "Passes made, by result", "result")
        for end in PassEnd:
            self.reconciles.labels(end.value)
        self.reconcile_seconds = Histogram(
            f"{PREFIX}reconcile_seconds",
            "How long a pass took, in seconds",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.bot_desired = self._gauge("bot_desired", "1 for each bot that should run", "client_id")
        self.bot_running = self._gauge("bot_running", "1 when the bot's container runs", "client_id")
        self.bot_memory_limit = self._gauge(
            "bot_memory_limit_bytes", "Memory limit of the bot, swap included", "client_id"
        )
        self.bot_restarts = self._counter(
            "bot_restarts", "Restarts of bots that were not well, by reason", "client_id", "reason"
        )
        self.bot_oom_kills = self._counter(
            "bot_oom_kills", "Times the kernel ended something in the bot for want of memory", "client_id"
        )
        self.bot_gave_up = self._gauge(
            "bot_gave_up",
            "1 when the bot is not well, and no restart helps, ours or the engine's",
            "client_id",
        )
        self.rollout_halted = self._gauge(
            "rollout_halted", "1 when a changed bot is not as well as before, and no other is changed"
        )
        self._bots: frozenset[str] = frozenset()
        self._looked_after: frozenset[str] = frozenset()
        self.gave_up: frozenset[str] = frozenset()
        info = Info(f"{PREFIX}build", "Version of the interpreter", registry=self.registry)
        info.info({"python": platform.python_version()})

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def bots(self, memory: Mapping[str, int], running: frozenset[str]) -> None:
        """`memory`: the limit of each bot that should run. Bots that should not any more are told of no more."""
        self.desired_bots.set(len(memory))
        self.running_bots.set(len(running))
        # Never all away and back: who asks in between would see the bots gone, and alerts end and begin anew.
        for client_id in self._bots.difference(memory):
            for gauge in (self.bot_desired, self.bot_running, self.bot_memory_limit):
                gauge.remove(client_id)
        self._bots = frozenset(memory)
        for client_id, limit in memory.items():
            self.bot_desired.labels(client_id).set(1)
            self.bot_running.labels(client_id).set(client_id in running)
            self.bot_memory_limit.labels(client_id).set(limit)

    def given_up(self, wanted: Iterable[str], gave_up: frozenset[str]) -> None:
        """Of the bots that should run."""
        wanted = frozenset(wanted)
        for client_id in self._looked_after - wanted:
            self.bot_gave_up.remove(client_id)
            self.bot_oom_kills.remove(client_id)
            for reason in _RESTARTS:
                self.bot_restarts.remove(client_id, reason)
        self._looked_after = wanted
        self.gave_up = wanted & gave_up
        for client_id in wanted:
            self.bot_gave_up.labels(client_id).set(client_id in gave_up)
            self.bot_oom_kills.labels(client_id)
            for reason in _RESTARTS:
                self.bot_restarts.labels(client_id, reason)

    def number(self, name: str) -> float:
        """Of a metric without labels."""
        return self.registry.get_sample_value(PREFIX + name) or 0.0

    def render(self) -> bytes:
        return generate_latest(self.registry)
