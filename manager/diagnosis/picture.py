"""PURE: a story's times as a picture (SVG): what state it was in, and where a QR was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from bot.contract import State
from bot.text import Catalogue
from manager.diagnosis.html import Markup, tag, together
from manager.diagnosis.story import Beyond, Episode, Span, Story
from manager.diagnosis.words import Clock, cause_word, lasting

WIDTH = 960
_TOP, _BAR, _AXIS = 12, 22, 16
_TOLD_WIDTH = 3  # narrower pieces have no tip of their own: nobody could point at them

# The worse a phase, the further down: where several share a piece as wide as a dot, the worst is shown.
PHASES = ("unknown", "stopped", "ready", "coming", "away", "scan", "person", "down")
_RANK = {phase: rank for rank, phase in enumerate(PHASES)}
_PHASE_OF = {
    State.READY.value: "ready",
    State.STARTING.value: "coming",
    State.PAIRING.value: "coming",
    State.SYNCING.value: "coming",
    State.RECONNECTING.value: "away",
    State.WAITING_FOR_QR_SCAN.value: "scan",
    State.LOGGED_OUT.value: "scan",
    State.STOPPING.value: "stopped",
    Beyond.STOPPED.value: "stopped",
    Beyond.DOWN.value: "down",
    Beyond.UNKNOWN.value: "unknown",
    **{state.value: "person" for state in State if state.permanent},
}
_STEPS = (
    *(timedelta(minutes=each) for each in (1, 5, 15, 30)),
    *(timedelta(hours=each) for each in (1, 3, 6, 12)),
    *(timedelta(days=each) for each in (1, 2, 7, 14, 30, 90, 365)),
)
_MOST_TICKS = 9


def phase(state: str | None) -> str:
    """Of a state that only a later bot knows: `coming`."""
    return _PHASE_OF.get(state or Beyond.UNKNOWN.value, "coming")


@dataclass(frozen=True, slots=True)
class Pictures:
    """`begin`, `end`: of the axis, which all bots of a page share. A `label` is the picture in words."""

    begin: float
    end: float
    clock: Clock
    say: Catalogue

    def timeline(self, story: Story, label: str) -> Markup:
        scale = _Scale(self.begin, self.end)
        return tag(
            "svg",
            _bars(story.spans, scale, self.say, _TOP),
            (_mark(each, scale, self.clock, self.say) for each in story.episodes),
            _axis(scale, self.clock),
            class_="timeline",
            viewBox=f"0 0 {WIDTH} {_TOP + _BAR + _AXIS}",
            role="img",
            aria_label=label,
        )

    def strip(self, story: Story, label: str) -> Markup:
        """The same without axis and marks, for a line of a table."""
        return tag(
            "svg",
            _bars(story.spans, _Scale(self.begin, self.end), self.say, 0),
            class_="strip",
            viewBox=f"0 0 {WIDTH} {_BAR}",
            preserveAspectRatio="none",
            role="img",
            aria_label=label,
        )


def hatching() -> Markup:
    """Once a page: what pieces of unknown time are filled with."""
    line = tag("path", d="M0 6 6 0", class_="hatch")
    pattern = tag("pattern", line, id="hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    return tag("svg", tag("defs", pattern), class_="defs", aria_hidden="true", width=0, height=0)


class _Scale:
    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end = begin, max(end, begin + 1)

    def x(self, at: float) -> float:
        share = (at - self.begin) / (self.end - self.begin)
        return WIDTH * min(1.0, max(0.0, share))


def _bars(spans: Iterable[Span], scale: _Scale, say: Catalogue, top: int) -> Iterator[Markup]:
    yield tag("rect", class_="t-none", x=0, y=top, width=WIDTH, height=_BAR, rx=3)
    dots: list[tuple[str, str, float] | None] = [None] * WIDTH
    for span in spans:
        found = (phase(span.state), span.state, span.end - span.start)
        first = int(scale.x(span.start))
        for at in range(min(first, WIDTH - 1), min(WIDTH, max(first + 1, round(scale.x(span.end))))):
            there = dots[at]
            if there is None or _RANK[found[0]] > _RANK[there[0]]:
                dots[at] = found
    at = 0
    for piece, same in groupby(dots):
        width = len(list(same))
        if piece is not None:
            name, state, seconds = piece
            told = tag("title", f"{_named(state, say)}, {lasting(seconds, say)}")
            content = told if width >= _TOLD_WIDTH else None
            yield tag("rect", content, class_=f"t-{name}", x=at, y=top, width=width, height=_BAR)
        at += width


def _named(state: str, say: Catalogue) -> str:
    own = state not in Beyond.__members__
    return state if own else say(f"diagnosis.state_{state.lower()}")


def _mark(episode: Episode, scale: _Scale, clock: Clock, say: Catalogue) -> Markup:
    x = max(5.0, min(WIDTH - 5.0, scale.x(episode.start)))
    told = f"{clock.time(episode.start)} QR: {cause_word(episode.cause, say)}"
    kind = "mark-lost" if episode.alarming else "mark"
    return tag("path", tag("title", told), class_=kind, d=f"M{x - 5:.1f} 1h10l-5 9z")


def _axis(scale: _Scale, clock: Clock) -> Markup:
    y = _TOP + _BAR
    ticks = []
    for moment, step in _ticks(scale, clock):
        x = scale.x(moment.timestamp())
        midnight = moment.hour == moment.minute == 0
        words = moment.strftime("%m-%d" if midnight or step >= timedelta(days=1) else "%H:%M")
        anchor = "start" if x < 20 else "end" if x > WIDTH - 20 else "middle"
        ticks.append(tag("path", class_="tick", d=f"M{x:.1f} {y}v4"))
        ticks.append(tag("text", words, x=f"{x:.1f}", y=y + 14, text_anchor=anchor))
    return together(ticks)


def _ticks(scale: _Scale, clock: Clock) -> Iterator[tuple[datetime, timedelta]]:
    """At round times of the reader's clock."""
    length = timedelta(seconds=scale.end - scale.begin)
    step = next((each for each in _STEPS if length / each <= _MOST_TICKS), _STEPS[-1])
    first = clock.local(scale.begin)
    moment = first.replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(int(length / step) + 2 + int(timedelta(days=1) / step)):
        if first <= moment and moment.timestamp() <= scale.end:
            yield moment, step
        moment += step
