"""PURE: when the next bot may start: as many at a time as the machine starts well, seen by what it and they do.

Starting a bot takes some seconds of a CPU and a few hundred MiB that it has not taken yet; then it is quiet. So
- only so many bots are in their start at a time: sixteen at first, as it does a small fleet good, and then, as they are
  seen to keep the machine at work, down to two for each core. A start is over when the bot's container is quiet, or
  the machine has CPU to spare, or after half a minute: what it still does then has to be borne;
- none begins while the machine is short of memory, those counted in that have not taken theirs. Somebody wants them
  all, though: with nothing else in its start one may begin each minute, whatever is left.

Nothing here waits for a fixed time that a measurement could have told to be too long. Times are seconds of one clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

# Measured, with headless-shell on two cores: 0.7 to 1 of a core while it starts, 0.02 to 0.05 once it is READY.
QUIET_CORES = 0.08
QUIET_SECONDS = 0.15
DEAR_SECONDS = 1.5
START_SECONDS = 30.0
AT_FIRST = 16
MEMORY_PATIENCE = 60.0

MIB = 1024**2
_STARTING_BYTES = 200 * MIB
_RESERVE_BYTES = 256 * MIB
_RESERVE_SHARE = 0.05
_STALLED = 0.1
_CPU_SPARE, _CPU_SHORT = 0.3, 0.9
_SPARE_AFTER = 1.0


@dataclass(frozen=True, slots=True)
class Pressure:
    """What the machine said of itself. None: it does not say, or it is not the machine that the bots run on.

    `cpu`, `memory`: the share of the time (0 to 1) in which something had to wait for it. `available`, `total`: bytes.
    `since`: when the time began that the shares are of.
    """

    cpu: float | None = None
    memory: float | None = None
    available: int | None = None
    total: int | None = None
    since: float = 0.0

    @property
    def is_busy(self) -> bool:
        """Whoever does not answer in time on this machine need not be ill."""
        return (self.cpu is not None and self.cpu >= _CPU_SHORT) or self.short_of_memory()

    def short_of_memory(self, starting: int = 0) -> bool:
        """`starting`: bots that will take more than they have taken so far."""
        if self.memory is not None and self.memory >= _STALLED:
            return True
        if self.available is None:
            return False
        reserve = max(_RESERVE_BYTES, int((self.total or 0) * _RESERVE_SHARE))
        return self.available < reserve + starting * _STARTING_BYTES


UNKNOWN = Pressure()


class Hold(StrEnum):
    """Why a start has to wait."""

    OTHERS = "others"
    MEMORY = "memory"


@dataclass(slots=True)
class _Start:
    """`since`: when its container was started; None: not yet. `used`: CPU seconds, as measured at `at`. `dear`: it has
    kept the machine at work for a while.
    """

    since: float | None = None
    used: float | None = None
    at: float = 0.0
    dear: bool = False

    def age(self, now: float) -> float:
        return 0.0 if self.since is None else now - self.since


class Admission:
    """`cores`: of the machine that the bots run on. Keys are the caller's: one a start."""

    def __init__(self, cores: int) -> None:
        self._least = max(4, 2 * cores)
        self.window = max(AT_FIRST, self._least)
        self.pressure = UNKNOWN
        self._starts: dict[str, _Start] = {}
        self._short_since: float | None = None

    @property
    def starting(self) -> int:
        return len(self._starts)

    @property
    def watched(self) -> tuple[str, ...]:
        """Those whose containers' CPU time tells something: started, and not known to be over it."""
        return tuple(key for key, start in self._starts.items() if start.since is not None)

    def ask(self, key: str, now: float) -> Hold | None:
        """None: it may start now, and counts from here on until it is over it or `left`."""
        for each in self.watched:
            if self._starts[each].age(now) >= START_SECONDS:
                del self._starts[each]
        short = self.pressure.short_of_memory(len(self._starts) + 1)
        if not short:
            self._short_since = None
        elif self._short_since is None:
            self._short_since = now
        if self._short_since is not None:
            if self._starts or now - self._short_since < MEMORY_PATIENCE:
                return Hold.MEMORY
            self._short_since = now
        if len(self._starts) >= self.window:
            return Hold.OTHERS
        self._starts[key] = _Start()
        return None

    def started(self, key: str, now: float) -> None:
        if key in self._starts:
            self._starts[key].since = now

    def left(self, key: str) -> None:
        """It did not start after all."""
        self._starts.pop(key, None)

    def pressed(self, pressure: Pressure) -> None:
        self.pressure = pressure
        if pressure.cpu is not None and pressure.cpu < _CPU_SPARE:
            for key in self.watched:
                if self._starts[key].age(pressure.since) >= _SPARE_AFTER:
                    del self._starts[key]

    def measured(self, used: Mapping[str, float], now: float) -> None:
        """`used`: CPU seconds of each container since it was started, as far as they are known."""
        for key in self.watched:
            start = self._starts[key]
            if key not in used:
                continue
            seconds = now - start.at
            if start.used is None:
                start.used, start.at = used[key], now
            elif seconds >= QUIET_SECONDS:
                if used[key] - start.used < QUIET_CORES * seconds:
                    del self._starts[key]
                elif not start.dear and start.age(now) >= DEAR_SECONDS:
                    start.dear = True
                    self.window = max(self._least, self.window - 1)
                start.used, start.at = used[key], now
