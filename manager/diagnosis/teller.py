"""PURE: events, oldest first -> a Story.

Three things make a log say less than it seems to, and each has its rule here. A clock may jump: what happened later
is never told as earlier, and a time that cannot be is taken for that of the event before. Lines may be missing: then
the state changes from another one than it was in, or a start follows no stop, and the time between is UNKNOWN. And
the window that is asked for may begin in the middle: everything is followed, only what is inside it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.contract import EventName, Level, QrCause, ReconnectHow, State
from manager.diagnosis.discreet import discreet, name
from manager.diagnosis.episodes import Episodes
from manager.diagnosis.event import Event, blocks
from manager.diagnosis.failures import FAILING, Failures, is_failure
from manager.diagnosis.story import (
    EARLIEST,
    UNCLEAN,
    Beyond,
    Kept,
    Presence,
    Span,
    Story,
    Way,
    Window,
    clipped,
    seconds_of,
)

# A process that ended by itself and is back within that time was down; of a longer one nobody knows since when.
CRASH_SECONDS = 120.0

_GOOD_AT_ONCE = ("closed", "live")
# An enum's member is looked for anew whenever it is named; the loop names these a million times.
_UNKNOWN, _STOPPING = Beyond.UNKNOWN.value, State.STOPPING.value
_RESTART, _FIRST_PAIRING = ReconnectHow.RESTART.value, QrCause.FIRST_PAIRING.value
# Stands for the line that a process which was killed could not write.
_END = Event(datetime.fromtimestamp(EARLIEST, UTC), EventName.STARTUP.value, Level.WARNING.value)


def tell(
    client_id: str, log: bytes, window: Window, presence: Presence, written: float | None = None
) -> Story:
    """`log`: the lines of an event log, oldest first. `written`: when the session's own files were written last."""
    teller = _Teller(window)
    unreadable = 0
    for events, missed in blocks(log):
        teller.follow(events)
        unreadable += missed
    return teller.end(client_id, presence, written, unreadable)


@dataclass(slots=True)
class _Counts:
    events: int = 0
    starts: int = 0
    unclean: int = 0
    rescued: int = 0
    disconnects: dict[str, int] = field(default_factory=dict)
    reconnects: dict[str, list[float]] = field(default_factory=dict)
    untimed: dict[str, int] = field(default_factory=dict)

    def ways(self) -> dict[str, Way]:
        """The most frequent first."""
        found = {
            how: Way.of(len(seconds) + self.untimed.get(how, 0), seconds)
            for how, seconds in self.reconnects.items()
        }
        return dict(sorted(found.items(), key=lambda item: (-item[1].count, item[0])))


class _Teller:
    def __init__(self, window: Window) -> None:
        self._now, self._since = window.now, window.since
        self._at: float | None = None  # of the last event
        self._inside = True  # the event in hand is of the window
        self._first: float | None = None
        self._state: str | None = None
        self._began = 0.0  # of the state
        self._alive = False  # the process, as far as the log tells
        self._started: float | None = None
        self._explained = False  # an end of this process would be no riddle
        self._spans: list[Span] = []
        self._episodes = Episodes()
        self._failures = Failures()
        self._written: float | None = None
        self._parted = False  # from the last session, and no other has begun
        self._good: tuple[int | None, float] | None = None  # a copy of the session, as in Kept
        self._candidate: tuple[int | None, float] | None = None
        self._phone: str | None = None
        self._counts = _Counts()
        self._tellers: dict[str, Callable[[Event, float], None]] = {
            EventName.STARTUP.value: self._start,
            EventName.SHUTDOWN.value: self._stop,
            EventName.BOT_STATE.value: self._change,
            EventName.BOT_INIT.value: self._browser,
            EventName.BOT_RECONNECT.value: self._repair,
            EventName.WHATSAPP_DISCONNECT.value: self._lose,
            EventName.WHATSAPP_READY.value: self._ready,
            EventName.WHATSAPP_PAIRED.value: self._pair,
            EventName.WHATSAPP_QR.value: self._ask,
            EventName.SESSION_KEPT.value: self._keep,
            EventName.SESSION_RESTORE.value: self._restore,
            EventName.WHATSAPP_LOGOUT.value: self._part,
            EventName.SESSION_ERASED.value: self._part,
        }

    def follow(self, events: Iterable[Event]) -> None:
        """A hundred logs are a million turns of this loop, and most events share their moment with the one before."""
        find, fail, at = self._tellers.get, self._failures.add, self._at
        moment, inside, counted = None, self._inside, 0
        for event in events:
            if event.time != moment:
                moment = event.time
                at = self._moved(moment.timestamp())
                inside = self._inside
            if at is None:
                continue  # no time that can be is known yet
            told = find(event.event)
            if told is not None:
                told(event, at)
            self._at = at
            if inside:
                counted += 1
                if event.level in FAILING and is_failure(event):
                    fail(event, at)
        self._counts.events += counted

    def _moved(self, at: float) -> float | None:
        """The time of an event whose line says `at`; None while no time that can be is known."""
        latest = self._at
        if not (EARLIEST if latest is None else latest) < at <= self._now:
            return latest
        if latest is None:
            self._first = self._began = at
        self._inside = self._since is None or at >= self._since
        return at

    # ---- states

    def _enter(self, state: str | None, at: float) -> None:
        self._close(at)
        self._state, self._began = state, at

    def _close(self, at: float) -> None:
        spans, state, began = self._spans, self._state or _UNKNOWN, self._began
        if at > began:
            if spans and spans[-1].state == state:
                began = spans.pop().start
            spans.append(Span(began, at, state))
            self._began = at

    def _lapse(self, at: float, state: str) -> None:
        """From the last event to `at` it was in `state`, whatever it was in before."""
        if self._at is not None:
            self._enter(state, self._at)
        self._close(at)

    def _start(self, _: Event, at: float) -> None:
        if self._alive and self._at is not None:
            self._die(self._at, at)
        self._alive, self._explained, self._started = True, False, at
        self._episodes.anew = True
        self._counts.starts += self._inside
        self._enter(State.STARTING.value, at)

    def _die(self, last: float, now: float) -> None:
        """The process, which said something at `last`, was seen gone at `now`."""
        explained = self._explained or self._state == State.FAILED.value
        self._lapse(now, Beyond.DOWN if explained or now - last <= CRASH_SECONDS else Beyond.UNKNOWN)
        if not explained and self._inside:
            self._counts.unclean += 1
            self._failures.add(_END, last, UNCLEAN)

    def _stop(self, _: Event, at: float) -> None:
        self._alive = False
        self._enter(Beyond.STOPPED, at)

    def _change(self, event: Event, at: float) -> None:
        if not event.to or (not self._alive and event.to == _STOPPING and self._state):
            return
        if event.before is not None:
            before = name(event.before)
            if self._state is None:
                self._state = before  # the log begins in the middle
            elif before != self._state:
                self._lapse(at, Beyond.UNKNOWN)
        self._alive = True
        self._close(at)
        self._state, self._began = name(event.to), at

    def _browser(self, event: Event, _: float) -> None:
        """A process that found no browser, or its port taken, ends by itself and has said why."""
        self._explained = event.level == Level.ERROR and event.retry is None

    # ---- connections

    def _lose(self, event: Event, at: float) -> None:
        if self._inside:
            reason = name(event.reason or "")
            self._counts.disconnects[reason] = self._counts.disconnects.get(reason, 0) + 1

    def _repair(self, event: Event, at: float) -> None:
        if self._inside and event.how != _RESTART and event.level not in FAILING:
            self._failures.add(event, at)

    def _ready(self, event: Event, at: float) -> None:
        self._written, self._parted = at, False
        self._episodes.ready(at)
        if event.how is not None and self._inside:
            how = name(event.how)
            times = self._counts.reconnects.setdefault(how, [])
            if event.seconds is not None and 0 <= event.seconds <= at - EARLIEST:
                times.append(event.seconds)
            else:
                self._counts.untimed[how] = self._counts.untimed.get(how, 0) + 1
        if self._episodes.tried:
            self._episodes.tried = []
            self._counts.rescued += self._inside
        elif self._candidate is not None:
            self._good = self._candidate
        self._candidate = None

    # ---- the session

    def _pair(self, event: Event, at: float) -> None:
        self._written, self._parted, self._episodes.tried = at, False, []
        self._phone = event.phone or self._phone
        self._episodes.scanned(at)

    def _keep(self, event: Event, at: float) -> None:
        self._written = at
        if event.moment in _GOOD_AT_ONCE:
            self._good, self._candidate = (event.generation, at), None
        else:
            self._candidate = event.generation, at

    def _part(self, _: Event, __: float) -> None:
        """From the session, and from what was kept of it: nothing of it is ever put back."""
        self._good = self._candidate = self._written = None
        self._parted = True

    def _restore(self, event: Event, _: float) -> None:
        self._candidate = None
        self._episodes.restore(event)

    def _ask(self, event: Event, at: float) -> None:
        began = self._episodes.ask(event, at)
        counts = began and event.cause != _FIRST_PAIRING and self._inside
        if counts and not is_failure(event):
            self._failures.add(event, at)

    # ---- the end

    def end(self, client_id: str, presence: Presence, written: float | None, unreadable: int) -> Story:
        if self._first is None or self._at is None:
            return Story(client_id, presence, written=written, unreadable=unreadable)
        runs = presence is Presence.RUNS
        if runs or not self._alive:
            self._close(self._now)
            state, since = self._state, self._began_of_last()
        else:
            self._die(self._at, self._now)
            state, since = Beyond.DOWN.value, self._at
        begin = self._first if self._since is None else max(self._first, self._since)
        counts, spans = self._counts, clipped(self._spans, begin)
        return Story(
            client_id=client_id,
            presence=presence,
            begin=begin,
            end=self._now,
            state=state or Beyond.UNKNOWN.value,
            since=since,
            uptime=self._now - self._started if runs and self._alive and self._started else None,
            phone=discreet(self._phone) if self._phone else None,
            starts=counts.starts,
            unclean=counts.unclean,
            rescued=counts.rescued,
            spans=spans,
            seconds=seconds_of(spans),
            disconnects=counts.disconnects,
            reconnects=counts.ways(),
            episodes=self._episodes.listed(self._since, runs=runs),
            failures=self._failures.listed(),
            written=None
            if self._parted
            else max((each for each in (self._written, written) if each is not None), default=None),
            generation=Kept(*self._good) if self._good else None,
            events=counts.events,
            unreadable=unreadable,
        )

    def _began_of_last(self) -> float:
        """When the state it is in now began: its last span may have been cut where a log had a hole."""
        last = self._spans[-1] if self._spans else None
        return last.start if last and last.state == self._state else self._began
