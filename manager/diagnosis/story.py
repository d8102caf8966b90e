"""PURE: what is known of a bot from its event log. All times are seconds since 1970."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

import msgspec

from bot.contract import QrCause, State

# No bot was there before; a machine without a battery for its clock starts in 1970.
EARLIEST = 1_700_000_000.0
# The reason of an end that nobody asked for, and that no line tells of.
UNCLEAN = "unclean"


class Beyond(StrEnum):
    """Where a bot stands while it has no state of its own.

    STOPPED: somebody asked for it. DOWN: it ended by itself, and came back within moments or not yet. UNKNOWN: the log
    does not tell (lines are missing, or the process ended at a moment that nobody wrote down).
    """

    STOPPED = "STOPPED"
    DOWN = "DOWN"
    UNKNOWN = "UNKNOWN"


class Presence(StrEnum):
    """What the engine has of the bot now: a container that runs, one that does not, none."""

    RUNS = "running"
    IS_DOWN = "down"
    GONE = "none"


# What is no time in which the bot was meant to be READY, or could be seen not to be.
NOT_MEANT = frozenset({Beyond.STOPPED.value, Beyond.UNKNOWN.value})


@dataclass(frozen=True, slots=True)
class Window:
    """What is told of: from `since` (None: from the first event) to `now`, in seconds since 1970."""

    now: float
    since: float | None = None


class Span(msgspec.Struct, frozen=True, gc=False):
    """In one state (of `State`, of `Beyond`, or of a later bot) from `start` to `end`.

    There may be hundreds of thousands: of such a class the garbage collector need not look at any.
    """

    start: float
    end: float
    state: str


@dataclass(frozen=True, slots=True)
class Way:
    """Reconnects by one way. `p50`, `p95`: seconds from the loss (or the start) to READY, nearest rank."""

    count: int
    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, count: int, seconds: Iterable[float]) -> Way:
        ordered = sorted(seconds)
        return cls(count, percentile(ordered, 50), percentile(ordered, 95))


@dataclass(frozen=True, slots=True)
class Episode:
    """A QR was asked for, from the first code to the scan (None: there was none). `waiting`: it may be scanned yet.
    `back`: when a later process was READY without one; somebody had put the session back.

    `tried`: what was kept of the session and did not help, as `mirror` and `generation 7`, in the order of trying.
    """

    start: float
    cause: str
    verdict: str | None = None
    evidence: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    codes: int = 1
    end: float | None = None
    waiting: bool = False
    back: float | None = None

    @property
    def alarming(self) -> bool:
        return self.cause == QrCause.SESSION_LOST

    def fact(self, name: str) -> str | None:
        """Of the evidence's `name=value` lines."""
        return next((line.partition("=")[2] for line in self.evidence if line.startswith(f"{name}=")), None)


@dataclass(frozen=True, slots=True)
class Failure:
    """Everything of one kind. `event` with its `reason` (how, cause, problem, …); `text`, `hint`, `fix` of the last."""

    event: str
    reason: str
    level: str
    count: int
    first: float
    last: float
    text: str = ""
    hint: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """The last copy of the session that counts as good."""

    number: int | None
    at: float


@dataclass(frozen=True, slots=True)
class Story:
    """`spans` lie end to end from `begin` to `end`; `seconds` are theirs, by state. Counts are of that time; `written`
    and `generation` the last ever.

    `state` since `since`. `uptime` of the process that runs now. `unclean`: ends that nobody asked for and no error
    explains: killed, out of memory, or the machine went down. `rescued`: sessions that came back from what was kept.
    `unreadable`: lines. `unread`: why some of the log could not be read at all.
    """

    client_id: str
    presence: Presence
    begin: float | None = None
    end: float | None = None
    state: str | None = None
    since: float | None = None
    uptime: float | None = None
    phone: str | None = None
    starts: int = 0
    unclean: int = 0
    rescued: int = 0
    spans: tuple[Span, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    disconnects: Mapping[str, int] = field(default_factory=dict)
    reconnects: Mapping[str, Way] = field(default_factory=dict)
    episodes: tuple[Episode, ...] = ()
    failures: tuple[Failure, ...] = ()
    written: float | None = None
    generation: Kept | None = None
    events: int = 0
    unreadable: int = 0
    unread: str | None = None

    def __reduce__(self) -> tuple[Callable[[bytes], Story], tuple[bytes]]:
        """To be pickled: with its thousands of spans that takes a tenth of the time so."""
        return _unpacked, (msgspec.msgpack.encode(self),)

    @property
    def availability(self) -> float | None:
        """Percent READY of the time in which it was meant to be and the log tells; None when there is no such time."""
        ready, meant = self.measured
        return 100 * ready / meant if meant > 0 else None

    @property
    def measured(self) -> tuple[float, float]:
        """Seconds READY, and seconds in which it was meant to be."""
        seconds = self.seconds
        meant = sum(each for state, each in seconds.items() if state not in NOT_MEANT)
        return min(seconds.get(State.READY.value, 0.0), meant), meant

    @property
    def qr_by_cause(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for episode in self.episodes:
            found[episode.cause] = found.get(episode.cause, 0) + 1
        return found


_STORY = msgspec.msgpack.Decoder(Story)


def _unpacked(packed: bytes) -> Story:
    return _STORY.decode(packed)


def worth_telling(episodes: Sequence[Episode], most: int) -> list[Episode]:
    """The alarming ones, all of them, and of the others the last `most`."""
    calm = [each for each in episodes if not each.alarming]
    last = set(map(id, calm[-most:]))
    return [each for each in episodes if each.alarming or id(each) in last]


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Nearest rank: a value that really occurred."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def seconds_of(spans: Iterable[Span]) -> dict[str, float]:
    """By state."""
    found: dict[str, float] = {}
    for span in spans:
        found[span.state] = found.get(span.state, 0.0) + span.end - span.start
    return found


def clipped(spans: Sequence[Span], begin: float) -> tuple[Span, ...]:
    """What of `spans`, which lie end to end, is after `begin`."""
    if not spans or spans[0].start >= begin:
        return tuple(spans)
    return tuple(
        span if span.start >= begin else Span(begin, span.end, span.state)
        for span in spans
        if span.end > begin
    )
