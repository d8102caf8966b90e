"""What the watcher shows over HTTP: its metrics, the targets, and how it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.text import Catalogue
from manager.watch import discovery
from manager.watch.core import Watch
from manager.watch.happenings import Happening
from manager.watch.metrics import WatchMetrics

# Longer than any pass: a first image with its base is built in minutes.
_HUNG_SECONDS = 1800.0


class Status:
    """`passing_since`: of the pass under way, by the monotonic clock. `troubles`: the worker's."""

    def __init__(self, file: Path, host: str, core: Watch, metrics: WatchMetrics, say: Catalogue) -> None:
        self._file, self._host = file, host
        self._core, self._metrics, self._say = core, metrics, say
        self.passing_since: float | None = None
        self.troubles: Callable[[], Iterable[Happening]] = tuple

    def metrics(self) -> bytes:
        return self._metrics.render()

    def targets(self) -> list[dict[str, Any]] | None:
        return None if self._core.fleet is None else discovery.groups(self._core.fleet)

    def health(self) -> dict[str, Any]:
        core = self._core
        hung = self.passing_since is not None and time.monotonic() - self.passing_since > _HUNG_SECONDS
        problems = [] if core.errors is None else core.errors.lines(self._say)
        if core.last_error is not None:
            problems.append(core.last_error.say(self._say).message)
        problems += [each.say(self._say) for each in self.troubles()]
        if self._metrics.number("rollout_halted"):
            problems.append(self._say("watch.health_halted"))
        if self._metrics.gave_up:
            problems.append(
                self._say("watch.health_gave_up", clients=", ".join(sorted(self._metrics.gave_up)))
            )
        if hung:
            problems.append(self._say("watch.health_hung", seconds=round(_HUNG_SECONDS)))
        number = self._metrics.number
        return {
            "ok": not hung,
            "problems": problems,
            "config": {"file": str(self._file), "valid": core.errors is None and core.fleet is not None},
            "engine": {"host": self._host, "up": bool(number("engine_up"))},
            "last_success": _moment(number("last_success_timestamp_seconds")),
            "bots": {
                "desired": int(number("desired_bots")),
                "running": int(number("running_bots")),
                "drift": int(number("drift")),
            },
        }


def _moment(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None
