"""Whatever a log holds, its story is told: no line breaks it, and its figures agree with each other."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.contract import DisconnectReason, EventName, Level, QrCause, ReconnectHow, State
from manager.diagnosis import Presence, Story, Window, data, tables, tell
from manager.diagnosis.page import Page
from manager.diagnosis.words import Clock
from manager.pieces import plain
from manager.text import catalogue
from tests.stories import BEGIN, Log

SAY = catalogue("en")
NOW = BEGIN.timestamp()
WORDS = st.text(max_size=12)


def one_of(words: Any) -> Any:
    return st.sampled_from([str(each.value) for each in words]) | WORDS


TIMES = st.one_of(
    st.integers(-100_000, 100_000).map(lambda seconds: BEGIN.timestamp() + seconds),
    st.integers(-62_000_000_000, 250_000_000_000),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)
KNOWN = {
    "level": one_of(Level),
    "message": WORDS,
    "from": one_of(State),
    "to": one_of(State),
    "reason": one_of(DisconnectReason),
    "how": one_of(ReconnectHow),
    "seconds": st.floats(0, 1e6),
    "cause": one_of(QrCause),
    "number": st.integers(0, 3),
    "kind": st.sampled_from(["mirror", "generation"]),
    "generation": st.integers(),
    "moment": st.sampled_from(["closed", "live", "launch"]),
    "verdict": WORDS,
    "evidence": st.lists(WORDS, max_size=3),
    "problem": WORDS,
    "hint": WORDS,
    "retryInSeconds": st.floats(0, 100),
}


@st.composite
def lines(draw: Any) -> bytes:
    """One event: mostly as a bot writes it, sometimes with keys of another kind, sometimes cut off."""
    at = draw(TIMES)
    whole, fraction = divmod(at, 1)
    days, seconds = divmod(int(whole), 86400)
    fields = {"time": _time(days, seconds, fraction), "event": draw(one_of(EventName))}
    for key in draw(st.lists(st.sampled_from(sorted(KNOWN)), max_size=6, unique=True)):
        fields[key] = draw(st.one_of(KNOWN[key], KNOWN[key], KNOWN[key], ANYTHING))
    text = json.dumps(fields, ensure_ascii=False).encode(errors="replace")
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


def _time(days: int, seconds: int, fraction: float) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC)
    try:
        moment += timedelta(days=days, seconds=seconds + fraction)
    except OverflowError:
        return "9999-99-99T99:99:99Z"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


LOGS = st.lists(lines() | st.binary(max_size=30), max_size=40).map(b"\n".join)
WINDOWS = st.builds(Window, st.just(NOW), st.none() | st.integers(-200_000, 0).map(lambda each: NOW + each))


def check(story: Story, window: Window) -> None:
    if story.begin is None or story.end is None:
        assert story.spans == ()
        return
    assert story.begin <= story.end == window.now
    ends = [story.begin, *(span.end for span in story.spans)]
    assert [span.start for span in story.spans] == ends[:-1]  # end to end, from the first moment on
    assert ends[-1] == story.end
    assert all(span.end > span.start for span in story.spans)
    assert abs(sum(story.seconds.values()) - (story.end - story.begin)) < 1e-3
    assert story.availability is None or 0 <= story.availability <= 100
    assert sum(story.qr_by_cause.values()) == len(story.episodes)
    losses = [each for each in story.failures if each.event == EventName.WHATSAPP_DISCONNECT]
    assert sum(each.count for each in losses) <= sum(story.disconnects.values())
    for way in story.reconnects.values():
        assert way.count > 0
        assert way.p50 is None or (way.p95 is not None and way.p50 <= way.p95)
    for episode in story.episodes:
        assert episode.end is None or episode.start <= episode.end <= story.end
        assert episode.codes > 0
    for failure in story.failures:
        assert failure.first <= failure.last <= story.end
        assert failure.count > 0


@given(LOGS, WINDOWS, st.sampled_from(Presence))
def test_every_log_is_told_and_its_figures_agree(log: bytes, window: Window, presence: Presence) -> None:
    check(tell("a", log, window, presence), window)


@given(LOGS, WINDOWS, st.sampled_from(Presence))
def test_what_another_process_told_is_the_same(log: bytes, window: Window, presence: Presence) -> None:
    story = tell("sales", log, window, presence)
    assert pickle.loads(pickle.dumps(story)) == story


@given(LOGS, st.data())
def test_so_is_every_beginning_and_every_end_of_it(log: bytes, draw: st.DataObject) -> None:
    cut = draw.draw(st.integers(0, len(log)))
    for part in (log[:cut], log[cut:]):
        check(tell("a", part, Window(NOW), Presence.RUNS), Window(NOW))


@given(LOGS, WINDOWS, st.sampled_from(Presence))
def test_and_all_that_is_said_of_it_is_printable(log: bytes, window: Window, presence: Presence) -> None:
    story = tell("a", log, window, presence)
    clock = Clock(window.now)
    said = [
        *tables.summary_columns([story], clock, SAY),
        *tables.error_columns([story], clock, SAY),
        *(plain(line) for line in tables.verdicts([story], clock, SAY)),
        *(plain(line) for line in tables.error_screen([story], clock, SAY)),
    ]
    for line in said:
        assert not any(ord(each) < 32 and each != "\t" for each in line), line
        assert "\x7f" not in line
    json.dumps([data.summary([story], window, SAY), data.errors([story], window, SAY)], allow_nan=False)
    Page("p", [story], window, clock, SAY, "").html().encode()


@given(st.lists(st.tuples(st.sampled_from(DisconnectReason), st.integers(1, 500)), max_size=20))
def test_counts_are_those_of_the_lines(outages: list[tuple[DisconnectReason, int]]) -> None:
    log = Log().start().ready()
    for reason, seconds in outages:
        log.wait(10).drop(reason.value).wait(seconds).ready("page", float(seconds))
    story = log.wait(10).tell()
    assert sum(story.disconnects.values()) == len(outages)
    assert dict(story.disconnects) == {
        reason.value: sum(each is reason for each, _ in outages) for reason, _ in outages
    }
    assert story.seconds.get("RECONNECTING", 0) == sum(seconds for _, seconds in outages)
    way = story.reconnects.get("page")
    assert (way.count if way else 0) == len(outages)
    assert way is None or {way.p50, way.p95} <= {float(seconds) for _, seconds in outages}
