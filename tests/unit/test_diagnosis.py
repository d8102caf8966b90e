"""What an event log tells of a bot: its times, its counts, its QR episodes, its failures."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import click
import msgspec
import pytest

from bot.contract import State
from manager import stories
from manager.diagnosis import Presence, Window, data, period
from manager.diagnosis.discreet import discreet
from manager.diagnosis.event import Event, blocks
from manager.diagnosis.story import EARLIEST, Beyond, Kept, Span, Way
from manager.diagnosis.words import Clock, verdict_line
from manager.text import catalogue
from tests.stories import HOUR, Log, at

SAY = catalogue("en")
READY = State.READY.value
STARTING = State.STARTING.value
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=timezone(timedelta(hours=3)))


def test_a_bot_that_starts_is_cut_off_once_and_comes_back() -> None:
    log = Log().start().wait(60).ready("restart", 60.0).wait(HOUR).outage(30).wait(HOUR)
    story = log.tell()
    assert (story.state, story.since, story.uptime) == (READY, at(60 + HOUR + 30), 90 + 2 * HOUR)
    assert story.spans == (
        Span(at(0), at(60), STARTING),
        Span(at(60), at(60 + HOUR), READY),
        Span(at(60 + HOUR), at(90 + HOUR), State.RECONNECTING.value),
        Span(at(90 + HOUR), at(90 + 2 * HOUR), READY),
    )
    assert story.availability == pytest.approx(100 * 2 * HOUR / (2 * HOUR + 90))
    assert story.disconnects == {"CONNECTION_ERROR": 1}
    assert story.reconnects == {"restart": Way(1, 60.0, 60.0), "page": Way(1, 30.0, 30.0)}
    assert story.episodes == ()
    assert {(each.event, each.reason) for each in story.failures} == {
        ("WHATSAPP_DISCONNECT", "CONNECTION_ERROR"),
        ("BOT_RECONNECT", "page"),
    }


def test_percentiles_are_values_that_occurred() -> None:
    log = Log().start().ready()
    for seconds in range(1, 21):
        log.wait(60).outage(float(seconds))
    assert log.tell().reconnects["page"] == Way(20, 10.0, 19.0)


def test_a_stop_that_was_asked_for_does_not_count_against_it() -> None:
    log = Log().start().ready().wait(HOUR).stop().wait(9 * HOUR)
    story = log.tell(Presence.IS_DOWN)
    assert (story.state, story.since, story.uptime) == (Beyond.STOPPED, at(HOUR), None)
    assert (story.availability, story.unclean) == (100.0, 0)
    assert story.seconds == {READY: HOUR, Beyond.STOPPED: 9 * HOUR}


def test_killed_and_back_at_once_was_down_that_long() -> None:
    log = (
        Log()
        .start()
        .ready()
        .wait(HOUR)
        .outage(10)
        .wait(30)
        .start()
        .wait(10)
        .ready("restart", 10.0)
        .wait(HOUR)
    )
    story = log.tell()
    assert story.seconds[Beyond.DOWN] == 30
    assert (story.unclean, story.starts) == (1, 2)
    (end,) = [each for each in story.failures if each.event == "STARTUP"]
    assert (end.reason, end.count, end.last) == ("unclean", 1, at(HOUR + 10))


def test_killed_at_an_unknown_moment_is_not_known_rather_than_ready() -> None:
    log = Log().start().ready().wait(HOUR).outage(10).wait(5 * HOUR).start().wait(10).ready("restart", 10.0)
    story = log.wait(HOUR).tell()
    assert story.seconds[Beyond.UNKNOWN] == 5 * HOUR
    assert story.availability == pytest.approx(100 * 2 * HOUR / (2 * HOUR + 20))


def test_gone_without_a_word_is_down_since_its_last() -> None:
    story = Log().start().ready().wait(HOUR).outage(10).wait(3 * HOUR).tell(Presence.GONE)
    assert (story.state, story.since, story.unclean) == (Beyond.DOWN, at(HOUR + 10), 1)
    assert story.seconds[Beyond.UNKNOWN] == 3 * HOUR


def test_an_end_that_was_explained_is_no_riddle() -> None:
    log = (
        Log().start().add("BOT_INIT", "error", "the client could not start", problem="no browser", hint="apt")
    )
    story = log.wait(HOUR).tell(Presence.IS_DOWN)
    assert (story.state, story.unclean) == (Beyond.DOWN, 0)
    assert [(each.event, each.hint) for each in story.failures] == [("BOT_INIT", "apt")]


def test_a_failed_start_that_is_tried_again_explains_no_end() -> None:
    log = Log().start().add("BOT_INIT", "error", "slow", retryInSeconds=5.0).wait(200)
    assert log.tell(Presence.GONE).unclean == 1


def test_a_log_that_begins_in_the_middle_knows_the_state_it_left() -> None:
    log = Log()
    log.state = READY
    log.add("SESSION_KEPT", generation=4, moment="live").wait(HOUR).outage(60)
    assert log.tell().seconds == {READY: HOUR, State.RECONNECTING.value: 60}


def test_missing_lines_are_seen_by_the_state_that_was_never_entered() -> None:
    log = Log().start().ready().wait(HOUR)
    log.state = State.RECONNECTING.value  # the lines of the drop were lost
    story = log.enter(State.READY).wait(HOUR).tell()
    assert story.seconds == {Beyond.UNKNOWN: HOUR, READY: HOUR}


def test_a_clock_that_jumps_back_and_forth_makes_no_time() -> None:
    log = Log().start().ready().wait(HOUR)
    log.now -= 600
    log.outage(10)
    log.now += 1e9
    log.drop()
    log.now -= 1e9
    story = log.wait(HOUR).ready("page", HOUR).tell()
    assert sum(story.seconds.values()) == pytest.approx((story.end or 0) - (story.begin or 0))
    assert 0 <= (story.availability or 0) <= 100
    assert story.disconnects == {"CONNECTION_ERROR": 2}


def test_a_machine_that_starts_in_1970_has_not_run_for_decades() -> None:
    log = Log()
    log.now = -1_700_000_000
    log.start()
    log.now = 0
    assert log.start().wait(10).ready().wait(HOUR).tell().begin == at(0)


def test_only_the_window_counts_but_its_beginning_is_known() -> None:
    log = Log().start().ready().outage(10).wait(10 * HOUR).outage(20).wait(HOUR)
    story = log.tell(since=9 * HOUR)
    assert (story.begin, story.disconnects) == (at(9 * HOUR), {"CONNECTION_ERROR": 1})
    assert story.spans[0] == Span(at(9 * HOUR), at(10 * HOUR + 10), READY)
    assert story.reconnects["page"].count == 1
    assert story.starts == 0


# ---- QR episodes


def test_an_episode_runs_from_the_first_code_to_the_scan() -> None:
    log = Log().start().code("first_pairing").wait(20).code("first_pairing", 2).wait(10).pair().ready()
    (episode,) = log.tell().episodes
    assert (episode.start, episode.end, episode.codes, episode.waiting) == (at(0), at(30), 2, False)
    assert log.tell().phone == "90*******567"
    assert not log.tell().failures


def test_a_restart_in_the_middle_of_an_episode_begins_none() -> None:
    log = (
        Log()
        .start()
        .code("logout")
        .wait(20)
        .code("logout", 2)
        .stop()
        .wait(60)
        .start()
        .wait(5)
        .code("logout", 3)
    )
    (episode,) = log.tell().episodes
    assert (episode.codes, episode.end, episode.waiting) == (3, None, True)
    assert log.tell().qr_by_cause == {"logout": 1}
    (episode,) = log.stop().tell(Presence.IS_DOWN).episodes
    assert not episode.waiting


def test_a_session_that_came_back_from_a_backup_was_scanned_by_nobody() -> None:
    log = Log().start().ready().wait(HOUR).code("session_lost").wait(20).code("session_lost", 2).stop()
    back = log.wait(3 * HOUR).start().wait(5).ready("restart", 5.0)
    (episode,) = back.tell().episodes
    assert (episode.end, episode.back, episode.waiting) == (None, at(4 * HOUR + 25), False)
    (shown,) = data.summary([back.tell()], Window(at(0)), SAY)["bots"][0]["qr_episodes"]
    assert (shown["end"], shown["came_back"]) == (None, "2026-11-25T04:00:25.000Z")
    for language, words in (("en", "came back without a scan, after 3h"), ("tr", "okutmadan geri geldi")):
        assert words in verdict_line(episode, "sales", Clock(at(0)), catalogue(language))
    assert back.code("logout").pair().ready().tell().episodes[0].back == episode.back


def test_a_lost_session_tells_what_was_tried_in_vain() -> None:
    evidence = ["memory_kills=2", "free=900MiB"]
    log = Log().start().ready().wait(HOUR).drop("SESSION_LOST").wait(10)
    log.add("SESSION_RESTORE", "warning", "trying", kind="mirror").wait(10)
    log.add("SESSION_RESTORE", "warning", "trying", kind="generation", generation=7).wait(10)
    log.add("SESSION_LOST", "error", "lost", verdict="storage", evidence=evidence).enter(State.STARTING)
    (episode,) = log.code("session_lost", verdict="storage", evidence=evidence).tell().episodes
    assert (episode.verdict, episode.evidence, episode.alarming) == ("storage", tuple(evidence), True)
    assert episode.tried == ("mirror", "generation 7")
    assert log.tell().rescued == 0


def test_a_restore_that_helps_is_told_and_asks_nobody() -> None:
    log = Log().start().ready().wait(HOUR).drop("SESSION_LOST")
    story = (
        log.add("SESSION_RESTORE", "warning", "trying", kind="mirror").wait(30).ready("relaunch", 30.0).tell()
    )
    assert (story.rescued, story.episodes) == (1, ())
    assert all(each.event != "WHATSAPP_QR" for each in story.failures)


# ---- the session


def test_the_last_good_copy_is_one_that_a_ready_has_proven() -> None:
    log = Log().start().add("SESSION_KEPT", generation=1, moment="launch")
    assert log.tell().generation is None
    log.wait(5).ready().wait(HOUR)
    assert log.tell().generation == Kept(1, at(0))
    log.add("SESSION_KEPT", generation=2, moment="live").wait(60)
    assert log.tell().generation == Kept(2, at(5 + HOUR))
    log.drop("SESSION_LOST").add("SESSION_KEPT", generation=3, moment="launch")
    log.add("SESSION_RESTORE", "warning", kind="generation", generation=2).ready("relaunch", 5.0)
    assert log.tell().generation == Kept(2, at(5 + HOUR))


def test_the_session_was_written_when_the_log_or_its_own_file_says_so_whichever_is_later() -> None:
    log = Log().start().wait(10).ready().wait(HOUR)
    assert log.tell().written == at(10)
    assert log.tell(written=at(HOUR)).written == at(HOUR)
    assert log.tell(written=at(3)).written == at(10)


@pytest.mark.parametrize("end", ["WHATSAPP_LOGOUT", "SESSION_ERASED"])
def test_of_a_session_that_is_over_nothing_is_kept(end: str) -> None:
    log = Log().start().ready().add("SESSION_KEPT", generation=1, moment="live").wait(HOUR)
    log.add(end, "warning").wait(60)
    story = log.tell(written=at(HOUR))
    assert (story.generation, story.written) == (None, None)
    story = log.pair().ready().add("SESSION_KEPT", generation=1, moment="live").tell(written=at(2 * HOUR))
    assert (story.generation, story.written) == (Kept(1, at(HOUR + 60)), at(2 * HOUR))


# ---- failures


def test_the_same_sentence_with_other_numbers_is_one_kind() -> None:
    log = Log().start()
    for free in (812.5, 640.0, 12.0):
        problem = f"free space runs low: {free} MiB"
        log.wait(60).add(
            "STORAGE_WARNING", "warning", f"the folder: {problem}", problem=problem, hint="h", fix="f"
        )
    (failure,) = log.tell().failures
    assert (failure.count, failure.first, failure.last) == (3, at(60), at(180))
    assert (failure.text, failure.hint, failure.fix) == ("free space runs low: 12.0 MiB", "h", "f")


def test_a_time_that_cannot_be_counts_as_a_reconnect_of_unknown_length() -> None:
    log = Log().start().ready()
    for seconds in (1e308, -5.0, 4.0):
        log.wait(60).outage(0).lines.pop()
        log.add("WHATSAPP_READY", "success", "ready", how="page", seconds=seconds)
    way = log.tell().reconnects["page"]
    assert (way.count, way.p50, way.p95) == (3, 4.0, 4.0)


def test_nothing_of_a_restart_that_was_asked_for_is_a_failure() -> None:
    log = (
        Log().start().ready().wait(60).stop().wait(5).start().repair("restart").wait(5).ready("restart", 5.0)
    )
    assert log.tell().failures == ()


# ---- lines


def line(**fields: object) -> bytes:
    return json.dumps({"time": "2026-11-25T10:00:00.000Z", "event": "BOT_STATE", **fields}).encode()


def read(log: bytes) -> tuple[list[Event], int]:
    found = list(blocks(log))
    return [event for events, _ in found for event in events], sum(missed for _, missed in found)


@pytest.mark.parametrize(
    ("log", "events", "unreadable"),
    [
        (b"", 0, 0),
        (b"\n\n", 0, 0),
        (line() + b"\n" + line()[:25], 1, 1),
        (line()[30:] + b"\n" + line() + b"\n", 1, 1),
        (b"not an event\n[]\n7\nnull\n{}\n" + line(), 1, 5),
        (b"\xff\xfe\n" + line(), 1, 1),
        (b"[" * 100_000 + b"\n" + line(), 1, 1),
        (line(more=[{"a": [1, {}]}] * 50), 1, 0),
        (line(time="yesterday") + b"\n" + line(), 1, 1),
        ((line() + b"\n") * 9_999 + b"not an event\n" + line(), 10_000, 1),
    ],
)
def test_what_is_no_event_is_counted_and_left_out(log: bytes, events: int, unreadable: int) -> None:
    found = read(log)
    assert (len(found[0]), found[1]) == (events, unreadable)


def test_a_key_that_another_version_uses_otherwise_costs_that_key_alone() -> None:
    log = line(to="READY", reason={"code": 5}, seconds="long", evidence=[1], number=True)
    (event,), unreadable = read(log)
    assert (event.to, event.reason, event.seconds, event.evidence, event.number) == ("READY", *[None] * 4)
    assert unreadable == 0


@pytest.mark.parametrize("number", [-1, 2**64, 10**30])
def test_a_number_that_no_copy_has_costs_no_answer(number: int) -> None:
    log = Log().start().ready().wait(60).add("SESSION_KEPT", generation=number, moment="live")
    story = log.tell()
    assert story.generation == Kept(None, at(60))
    msgspec.json.encode(data.summary([story], Window(at(60)), SAY))


def test_a_time_without_a_zone_is_utc() -> None:
    (event,), _ = read(line(time="2026-11-25T10:00:00") + b"\n")
    assert event.time.isoformat() == "2026-11-25T10:00:00+00:00"


def test_events_and_states_of_a_later_version_are_kept_by_their_names() -> None:
    log = Log().start().add("BOT_STATE", **{"from": "STARTING", "to": "DREAMING"}).wait(60)
    log.add("BOT_DREAM", "error", "a nightmare")
    story = log.tell()
    assert (story.state, story.seconds) == ("DREAMING", {"DREAMING": 60})
    assert [each.event for each in story.failures] == ["BOT_DREAM"]


# ---- what people write, and what nobody should read


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90m", "2026-11-26T07:30:00+03:00"),
        ("24h", "2026-11-25T09:00:00+03:00"),
        (" 7D ", "2026-11-19T09:00:00+03:00"),
        ("2w", "2026-11-12T09:00:00+03:00"),
        ("2026-11-20", "2026-11-20T00:00:00+03:00"),
        ("2026-11-20 09:30", "2026-11-20T09:30:00+03:00"),
        ("2026-11-20T09:30Z", "2026-11-20T09:30:00+00:00"),
    ],
)
def test_since(text: str, moment: str) -> None:
    assert period.since(text, NOW, lambda naive: naive.replace(tzinfo=NOW.tzinfo)).isoformat() == moment


def test_a_date_means_the_midnight_of_that_date_whatever_the_clocks_say_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as berlin:
        berlin.setenv("TZ", "Europe/Berlin")
        time.tzset()
        assert (
            period.since("2026-10-20", NOW, stories.local).timestamp()
            == datetime(2026, 10, 19, 22, tzinfo=UTC).timestamp()
        )
    time.tzset()


@pytest.mark.parametrize(
    "text", ["", "h", "-1h", "1y", "24", "2026-13-01", "2026-11-27", "999999w", "1h30m", "²h"]
)
def test_since_refuses(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  any text
        period.since(text, NOW, stories.local)


def test_a_window_does_not_begin_before_there_were_bots() -> None:
    context = click.Context(click.Command("report"))
    assert stories.window(context, context.command, "0001-01-01").since == EARLIEST  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("phone 905551112233 said", "phone 90*******233 said"),
        ("wid=905551112233:14@c.us", "wid=90*******233"),
        ("+905551112233", "90*******233"),
        ("browser=142.0.7444.59 free=20480MiB", "browser=142.0.7444.59 free=20480MiB"),
        ("90*******233", "90*******233"),
        ("proxy http://me:secret@proxy:8080 refused", "proxy http://***@proxy:8080 refused"),
        ("proxy http://me:p@ss@proxy:8080 refused", "proxy http://***@proxy:8080 refused"),
        ("a\nb\x1b[31mc\u202e", "a b [31mc "),
        ("x" * 700, "x" * 599 + "…"),
        ("x" * 580 + " http://me:a-long-secret@proxy", "x" * 580 + " http://***@proxy"),
        ("x" * 590 + " 905551112233", "x" * 590 + " 90******…"),
    ],
)
def test_what_nobody_else_should_read_is_taken_out(text: str, told: str) -> None:
    assert discreet(text) == told
