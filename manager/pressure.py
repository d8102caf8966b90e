"""How hard the bots' machine has to work, and the gate before a start that waits until it can bear one more.

Of this machine the kernel tells: /proc/pressure (Linux 4.20, CONFIG_PSI), else /proc/stat, and /proc/meminfo; and each
container's control group (version 1 or 2) its CPU time. Of an engine elsewhere only the engine tells, and only of each
container.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from manager.admission import UNKNOWN, Admission, Hold, Pressure
from manager.problems import EngineError

# So few start at once without a question: asking would take longer than it could save.
FREE_STARTS = 4
_LOOK_SECONDS = 0.1
_WINDOW_SECONDS = 0.25
_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")

Json = Mapping[str, Any]


class Measures(Protocol):
    """`cpu_seconds`: of a container since its start; None when it is not known."""

    def info(self) -> Json: ...
    def inspect(self, container: str) -> Json: ...
    def cpu_seconds(self, container: str) -> float | None: ...


class Meter:
    """This machine, read again and again; the shares are of the time between two readings."""

    def __init__(self, proc: Path = _PROC, clock: Callable[[], float] = time.monotonic) -> None:
        self._proc, self._clock = proc, clock
        self._at = 0.0
        self._totals: dict[str, float] = {}
        self._last = UNKNOWN

    def read(self) -> Pressure:
        """The reading before, where that is a moment ago."""
        now = self._clock()
        if self._totals and now - self._at < _WINDOW_SECONDS:
            return self._last
        totals = self._stalled()
        seconds = now - self._at
        shares = {
            name: min(1.0, max(0.0, (total - self._totals[name]) / seconds))
            for name, total in totals.items()
            if name in self._totals
        }
        memory = self._memory()
        self._last = Pressure(
            shares.get("cpu"),
            shares.get("memory"),
            memory.get("MemAvailable"),
            memory.get("MemTotal"),
            self._at,
        )
        self._at, self._totals = now, totals
        return self._last

    def _stalled(self) -> dict[str, float]:
        """Seconds that something has waited for `cpu` and for `memory`, since the machine began."""
        found = {}
        for name in ("cpu", "memory"):
            with suppress(OSError, ValueError, IndexError):
                some = self._proc.joinpath("pressure", name).read_text().splitlines()[0]
                found[name] = int(some.rpartition("total=")[2]) / 1e6
        return found or self._worked()

    def _worked(self) -> dict[str, float]:
        """Without pressure figures: how long the CPUs worked, all of them together counted as one."""
        try:
            ticks = [
                int(word) for word in self._proc.joinpath("stat").read_text().split("\n", 1)[0].split()[1:]
            ]
            at_rest = ticks[3] + ticks[4]
            return {"cpu": (sum(ticks[:8]) - at_rest) / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)}
        except (OSError, ValueError, IndexError):
            return {}

    def _memory(self) -> dict[str, int]:
        try:
            text = self._proc.joinpath("meminfo").read_text()
        except OSError:
            return {}
        found = re.findall(r"^(MemAvailable|MemTotal):\s+(\d+) kB$", text, re.MULTILINE)
        return {name: int(count) * 1024 for name, count in found}


def cpu_seconds_of(pid: int, container: str, proc: Path = _PROC, groups: Path = _CGROUPS) -> float | None:
    """CPU time of a container's control group, found by a process in it; None when this machine does not say.

    `container`: its id. What has the process's number where we look may be another process.
    """
    try:
        lines = proc.joinpath(str(pid), "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if container not in path:
            continue
        with suppress(OSError, ValueError):
            if not controllers:
                stat = (groups / path.lstrip("/") / "cpu.stat").read_text()
                found = re.search(r"^usage_usec (\d+)$", stat, re.MULTILINE)
                return int(found[1]) / 1e6 if found else None
            if "cpuacct" in controllers.split(","):
                text = (groups / "cpuacct" / path.lstrip("/") / "cpuacct.usage").read_text()
                return int(text) / 1e9
    return None


class Gate:
    """Before each start of one `up`. `telling` is told once why one has to wait, and again when the reason changes."""

    def __init__(self, engine: Measures, starts: int) -> None:
        self._engine = engine
        self._free = starts <= FREE_STARTS
        self._changed = threading.Condition()
        self._measuring = threading.Lock()
        self._admission: Admission | None = None
        self._meter: Meter | None = None
        self._containers: dict[str, str] = {}
        self._processes: dict[str, tuple[int, str]] = {}

    @property
    def window(self) -> int:
        """How many starts at a time it lets through now."""
        return self._admission.window if self._admission else FREE_STARTS

    def enter(self, key: str, stopping: threading.Event, telling: Callable[[Hold], None]) -> bool:
        """Returns when `key` may start; False: it shall not any more, because of `stopping`."""
        if self._free:
            return True
        told: Hold | None = None
        self._prepare()
        assert self._admission is not None
        while not stopping.is_set():
            with self._changed:
                hold = self._admission.ask(key, time.monotonic())
            if hold is None:
                return True
            if hold is not told:
                telling(hold)
                told = hold
            self._measure()
            with self._changed:
                self._changed.wait(_LOOK_SECONDS)
        return False

    def started(self, key: str, container: str) -> None:
        with self._changed:
            if self._admission is not None:
                self._containers[key] = container
                self._admission.started(key, time.monotonic())

    def left(self, key: str) -> None:
        with self._changed:
            if self._admission is not None:
                self._admission.left(key)
                self._changed.notify_all()

    def _prepare(self) -> None:
        with self._changed:
            if self._admission is not None:
                return
            info = self._info()
            self._admission = Admission(int(info.get("NCPU") or os.cpu_count() or 1))
            self._meter = Meter() if _is_here(info) else None
            if self._meter is not None:
                self._admission.pressed(self._meter.read())

    def _info(self) -> Json:
        with suppress(EngineError):
            return self._engine.info()
        return {}

    def _measure(self) -> None:
        """In one thread at a time: the others wait for what it finds."""
        if not self._measuring.acquire(blocking=False):
            return
        try:
            assert self._admission is not None
            with self._changed:
                if self._meter is not None:
                    self._admission.pressed(self._meter.read())
                watched = {key: self._containers[key] for key in self._admission.watched}
            used = self._used(watched)
            with self._changed:
                self._admission.measured(used, time.monotonic())
                self._changed.notify_all()
        finally:
            self._measuring.release()

    def _used(self, watched: Mapping[str, str]) -> dict[str, float]:
        found = {key: self._used_here(key, container) for key, container in watched.items()}
        if others := [key for key, seconds in found.items() if seconds is None]:
            with ThreadPoolExecutor(len(others)) as pool:
                found |= zip(
                    others, pool.map(self._used_there, [watched[key] for key in others]), strict=True
                )
        return {key: seconds for key, seconds in found.items() if seconds is not None}

    def _used_here(self, key: str, container: str) -> float | None:
        if self._meter is None:
            return None
        if key not in self._processes:
            try:
                found = self._engine.inspect(container)
            except EngineError:
                return None
            self._processes[key] = int(found["State"]["Pid"]), str(found["Id"])
        return cpu_seconds_of(*self._processes[key])

    def _used_there(self, container: str) -> float | None:
        try:
            return self._engine.cpu_seconds(container)
        except EngineError:
            return None


def meter_of(engine: Measures) -> Meter | None:
    """Of the machine that the engine's containers run on, where that is this one. Raises EngineError."""
    return Meter() if _is_here(engine.info()) else None


def _is_here(info: Json) -> bool:
    """Whether the engine's machine is ours: one kernel, and the same memory to the byte."""
    total = Meter().read().total
    return total is not None and (info.get("MemTotal"), info.get("KernelVersion")) == (
        total,
        os.uname().release,
    )
