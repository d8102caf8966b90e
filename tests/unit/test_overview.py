"""Rows of `status`: what the engine and the bots say, read together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.contract import State, UserAction
from manager import overview, overviewtext
from manager.observed import ContainerState, ObservedContainer
from manager.overview import Detail, Mute, Place, Row, Seen, Weight
from manager.pieces import plain
from manager.text import catalogue
from manager.troubles import LastWords
from tests.fleets import fleet_of, read

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
SAY = catalogue("en")


def container(client: str, state: str = "running", **more: Any) -> ObservedContainer:
    return ObservedContainer(
        id=f"id-{client}", name=f"p-bot-{client}", client_id=client, state=ContainerState(state),
        spec_hash="", image_id="", volume=None, **more,
    )  # fmt: skip


def status(state: str = "READY", minutes: float = 5, **more: Any) -> dict[str, Any]:
    since = (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return {
        "state": state,
        "since": since,
        "phone": "90*******567",
        "session_present": True,
        "memory_bytes": 365 * 2**20,
        "uptime_seconds": 7200.0,
        "counters": {
            "disconnects": {"LOGOUT": 1, "CONFLICT": 2},
            "reconnects": {"page": 4},
            "qr_requests": {},
        },
        **more,
    }


def one(found: ObservedContainer | None, answer: Any = None, detail: Detail | None = None) -> Row:
    seen = Seen(
        (found,) if found else (),
        frozenset(),
        {"a": answer} if answer else {},
        {"a": detail} if detail else {},
    )
    (row,) = overview.rows(fleet_of("a"), seen, NOW)
    return row


def test_a_bot_that_answers() -> None:
    row = one(container("a", health="healthy"), status())
    assert row == Row(
        "a", Place.ANSWERS, state="READY", since=NOW - timedelta(minutes=5), phone="90*******567",
        session_present=True, disconnects=3, reconnects=4, qr_requests=0, memory_bytes=365 * 2**20,
        uptime_seconds=7200.0, container="p-bot-a", health="healthy", weight=Weight.GOOD,
    )  # fmt: skip


@pytest.mark.parametrize("state", ["READY", "STARTING"])
def test_a_volume_that_is_not_as_it_should_be_is_advised_on(state: str) -> None:
    row = one(container("a"), status(state, minutes=1, storage="no_space"))
    assert (row.storage, row.weight) == ("no_space", Weight.ACT)
    assert row.advice is not None
    assert row.advice.command == "python -m manager logs a"
    assert one(container("a"), status(state, minutes=1, storage=None)).weight is not Weight.ACT


@pytest.mark.parametrize("state", list(State), ids=str)
def test_every_state_that_asks_for_a_person_says_what_to_do(state: State) -> None:
    row = one(container("a"), status(state.value, minutes=1))
    needs_person = state.user_action not in (UserAction.NONE, UserAction.WAIT)
    assert (row.weight is Weight.ACT) == needs_person
    assert (row.advice is not None) == needs_person
    if row.advice:
        assert row.advice.say(SAY)
        assert row.advice.say(catalogue("tr")) != row.advice.say(SAY)


@pytest.mark.parametrize(
    ("state", "minutes", "command"),
    [
        ("WAITING_FOR_QR_SCAN", 1, "python -m manager qr a"),
        ("CONFLICT", 1, "python -m manager restart a"),
        ("BANNED", 1, "python -m manager restart a"),
        ("FAILED", 1, "python -m manager logs a"),
        ("RECONNECTING", 2, "python -m manager logs a"),
        ("STARTING", 11, "python -m manager logs a"),
    ],
)
def test_the_command_to_type(state: str, minutes: float, command: str | None) -> None:
    row = one(container("a"), status(state, minutes))
    assert row.advice is not None
    assert row.advice.command == command


@pytest.mark.parametrize("answer", [{"state": ""}, {"state": None}, {"uptime_seconds": float("inf")}])
def test_an_answer_that_makes_no_sense_is_shown_as_none(answer: dict[str, object]) -> None:
    row = one(container("a"), status() | answer)
    assert overviewtext.columns([row], NOW, SAY)[1].startswith("a     \t" + (row.state or ""))
    assert (row.state, row.uptime_seconds) == (("?", 7200.0) if "state" in answer else ("READY", None))


def test_an_answer_of_another_version_is_read_as_far_as_it_goes() -> None:
    odd = {
        "state": "DREAMING",
        "since": 7,
        "counters": [],
        "memory_bytes": None,
        "phone": None,
        "uptime_seconds": "1",
    }
    row = one(container("a"), odd)
    assert (row.place, row.state, row.since, row.disconnects) == (Place.ANSWERS, "DREAMING", None, None)
    assert overviewtext.screen([row], NOW, SAY, 80)
    assert overviewtext.columns([row], NOW, SAY)


def ended(code: int, *, oom: bool = False, state: str = "exited") -> Detail:
    return Detail(ContainerState(state), code, oom, NOW - timedelta(hours=2), NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("found", "answer", "detail", "place", "command"),
    [
        (None, None, None, Place.ABSENT, "up a"),
        (container("a", "created"), None, None, Place.CREATED, "up a"),
        (container("a", "paused"), None, None, Place.PAUSED, "up a"),
        (container("a", "restarting"), None, ended(10, state="restarting"), Place.RESTARTING, "logs a"),
        (container("a", "exited"), None, ended(137), Place.EXITED, "up a"),
        (container("a", "exited"), None, ended(10), Place.EXITED, "logs a"),
        (container("a", "exited"), None, ended(137, oom=True), Place.OOM, "up a"),
        (container("a", "exited", exit_code=0), None, None, Place.EXITED, "up a"),
        (container("a", "dead"), None, None, Place.REMOVING, "up a"),
        (container("a"), Mute.LATE, Detail(ContainerState.RUNNING, 0, False, NOW), Place.SILENT, "restart a"),
        (container("a"), None, ended(1), Place.EXITED, "logs a"),  # it ended between two looks
    ],
)
def test_a_bot_that_does_not_run_or_answer(
    found: ObservedContainer | None, answer: Any, detail: Detail | None, place: Place, command: str
) -> None:
    row = one(found, answer, detail)
    assert row.place is place
    assert row.weight is Weight.ACT
    assert row.advice is not None
    assert row.advice.command == f"python -m manager {command}"
    assert row.state is None


def test_a_bot_without_its_socket_has_a_minute_to_make_one() -> None:
    for seconds, place in ((59, Place.STARTING), (61, Place.SILENT)):
        started = Detail(ContainerState.RUNNING, 0, False, NOW - timedelta(seconds=seconds))
        assert one(container("a"), Mute.NO_SOCKET, started).place is place


def test_disabled_bots_and_those_of_no_file() -> None:
    fleet = read("project: p\nbots: [{clientId: a, enabled: false}, {clientId: b, enabled: false}]")
    seen = Seen(
        (container("b"), container("gone"), container("ended", "exited")), frozenset({"a"}), {"b": status()}
    )
    rows = {row.client_id: row for row in overview.rows(fleet, seen, NOW)}
    assert list(rows) == ["a", "b", "ended", "gone"]
    assert (rows["a"].place, rows["a"].weight, rows["a"].session_present) == (
        Place.DISABLED,
        Weight.OFF,
        None,
    )
    assert rows["a"].advice is not None
    assert rows["a"].advice.command == "python -m manager resume a && python -m manager up a"
    assert (rows["b"].state, rows["b"].weight) == ("READY", Weight.ACT)
    assert [rows[each].in_file for each in rows] == [True, True, False, False]
    assert [rows[each].weight for each in ("gone", "ended")] == [Weight.ACT, Weight.OFF]
    assert [row.client_id for row in overview.rows(fleet, seen, NOW, frozenset({"gone"}))] == ["gone"]


def test_of_two_containers_the_one_that_may_write_counts() -> None:
    old = replace(container("a"), id="old", created=1)
    new = replace(container("a", "created"), id="new", created=2)
    assert overview.current([old, new])["a"].id == "old"
    assert overview.current([replace(old, state=ContainerState.EXITED), new])["a"].id == "new"


def test_what_an_inspection_tells() -> None:
    found = Detail.of(
        {"State": {
            "Status": "exited", "ExitCode": 137, "OOMKilled": True,
            "StartedAt": "2026-05-04T10:00:00.123456789Z", "FinishedAt": "0001-01-01T00:00:00Z",
        }}
    )  # fmt: skip
    assert found == Detail(
        ContainerState.EXITED, 137, True, datetime(2026, 5, 4, 10, 0, 0, 123456, tzinfo=UTC), None
    )


def many(count: int) -> list[Row]:
    clients = [f"client-{number}" for number in range(1, count + 1)]
    answers = {each: status() for each in clients[1:]} | {"client-1": status("WAITING_FOR_QR_SCAN")}
    return overview.rows(fleet_of(*clients), Seen(tuple(map(container, clients)), frozenset(), answers), NOW)


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("count", [1, 100])
def test_a_fleet_is_readable_at_eighty_columns(count: int, language: str) -> None:
    lines = [plain(line) for line in overviewtext.screen(many(count), NOW, catalogue(language), 80)]
    assert all(len(line) <= 80 for line in lines)
    assert len(lines) == count + 3  # header, one thing to do, summary
    assert lines[2].strip().endswith(": python -m manager qr client-1")
    column = lines[0].index("SINCE" if language == "en" else "SÜRE")
    assert all(line[column - 1] == " " for line in (lines[1], *lines[3:-1]))


def test_what_does_not_fit_a_window_is_what_is_least_urgent() -> None:
    rows = [*many(100)[1:], many(1)[0]]
    lines = [plain(line) for line in overviewtext.screen(rows, NOW, SAY, 80, height=20)]
    assert len(lines) <= 20
    assert sum("python -m manager qr client-1" in line for line in lines) == 1
    more = next(line for line in lines if line.startswith("… and "))
    shown = sum(line.startswith("client-") for line in lines)
    assert more.startswith(f"… and {100 - shown} more")


def test_long_names_are_folded_and_a_narrow_terminal_gets_a_line_a_value() -> None:
    name = "n" * 63
    seen = Seen((container(name),), frozenset(), {name: status("WAITING_FOR_QR_SCAN")})
    rows = overview.rows(fleet_of(name), seen, NOW)
    for width in (80, 30):
        lines = [plain(line) for line in overviewtext.screen(rows, NOW, SAY, width)]
        assert "".join(lines).replace(" ", "").count("n" * 10) >= 6
        assert f"python -m manager qr {name}" in "\n".join(lines)
    assert max(map(len, lines)) > 30
    assert "  memory 365M" in lines or "  mem 365M" in lines


def test_plain_columns_are_one_line_a_bot() -> None:
    lines = overviewtext.columns(many(3), NOW, SAY)
    assert len(lines) == 4
    cells = [line.split("\t") for line in lines]
    assert {len(each) for each in cells} == {9}
    for column in list(zip(*cells, strict=True))[:-1]:
        assert len({len(each) for each in column}) == 1
    assert [each.strip() for each in cells[2]] == [
        "client-2", "READY", "5m", "90*******567", "yes", "3/4/0", "365M", "2h", "-",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (86399, "23h"), (86400 * 9, "9d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert overviewtext.span(seconds, SAY) == text


def test_as_json_everything_is_plain_and_nothing_is_lost() -> None:
    found = one(container("a"), status("WAITING_FOR_QR_SCAN")).as_json(SAY)
    assert found["since"] == "2026-05-04T11:55:00+00:00"
    assert found["advice"] == {
        "text": "scan the QR: python -m manager qr a",
        "command": "python -m manager qr a",
    }
    assert (found["place"], found["weight"], found["in_file"]) == ("answers", "act", True)


def loop(restarts: int, seconds: float = 2) -> Detail:
    """The engine has just started it, for the `restarts`th time by itself."""
    return Detail(ContainerState.RUNNING, 0, False, NOW - timedelta(seconds=seconds), None, restarts)


BROKEN = LastWords("no browser", "mend it", 5, True)


@pytest.mark.parametrize("answer", [None, Mute.NO_SOCKET, Mute.OTHER, status("STARTING", 0)])
def test_a_crash_loop_is_one_at_whatever_moment_one_looks(answer: Any) -> None:
    found = container("a")
    seen = Seen((found,), frozenset({"a"}), {"a": answer} if answer else {}, {"a": loop(4)}, {"a": BROKEN})
    (row,) = overview.rows(fleet_of("a"), seen, NOW)
    assert (row.place, row.weight, row.reason, row.fix) == (
        Place.RESTARTING,
        Weight.ACT,
        "no browser",
        "mend it",
    )
    assert row.advice is not None
    assert row.advice.command == "python -m manager logs a"
    text = "\n".join(plain(line) for line in overviewtext.screen([row], NOW, SAY, 80))
    assert "no browser" in text
    assert "mend it" in text
    assert "no browser; mend it; cannot go on" in "\n".join(overviewtext.columns([row], NOW, SAY))


@pytest.mark.parametrize("mute", [None, Mute.NO_SOCKET, Mute.OTHER])
@pytest.mark.parametrize(("restarts", "starts"), [(0, 1), (1, 2), (7, 1)])
def test_a_bot_that_has_just_begun_is_starting(mute: Mute | None, restarts: int, starts: int) -> None:
    """Also one that was restarted now and then, in a long life that reached WhatsApp each time."""
    words = LastWords(starts=starts)
    seen = Seen(
        (container("a"),), frozenset(), {"a": mute} if mute else {}, {"a": loop(restarts)}, {"a": words}
    )
    (row,) = overview.rows(fleet_of("a"), seen, NOW)
    assert (row.place, row.weight) == (Place.STARTING, Weight.WAITS)


@pytest.mark.parametrize(
    ("code", "said"), [(137, "exit code 137: it was killed"), (12, "no browser"), (99, None)]
)
def test_why_it_is_stopped(code: int, said: str | None) -> None:
    seen = Seen((container("a", "exited"),), frozenset({"a"}), {}, {"a": ended(code)}, {"a": BROKEN})
    (row,) = overview.rows(fleet_of("a"), seen, NOW)
    why = row.why(SAY)
    assert why == row.as_json(SAY)["reason"]
    assert why is None if said is None else (why or "").startswith(said)


@pytest.mark.parametrize(
    ("found", "volumes", "words", "cell"),
    [
        (container("a", "exited"), {"a"}, BROKEN, "kept"),
        (container("a", "exited"), {"a"}, LastWords(), "on volume"),
        (container("a", "exited"), {"a"}, LastWords(session=False), "no"),
        (container("a"), {"a"}, LastWords(), "-"),  # it starts, and will tell
        (None, {"a"}, None, "on volume"),
        (None, set(), None, "no"),
    ],
)
def test_the_session_of_a_bot_that_does_not_run(
    found: ObservedContainer | None, volumes: set[str], words: LastWords | None, cell: str
) -> None:
    seen = Seen((found,) if found else (), frozenset(volumes), words={"a": words} if words else {})
    (row,) = overview.rows(fleet_of("a"), seen, NOW)
    lines = overviewtext.columns([row], NOW, SAY)
    assert lines[1].split("\t")[4].strip() == cell
    assert lines[-1].startswith("kept, on volume:") == (cell not in ("no", "-"))


@pytest.mark.parametrize(
    ("detail", "advice", "command"),
    [
        ("net::ERR_NAME_NOT_RESOLVED", "DNS", "docker exec p-bot-a getent hosts web.whatsapp.com"),
        ("net::ERR_TUNNEL_CONNECTION_FAILED", "http://h:1 does not answer", "python -m manager up a"),
        ("net::ERR_INTERNET_DISCONNECTED", "no network", "python -m manager up a"),
        ("net::ERR_CERT_AUTHORITY_INVALID", "certificate", "python -m manager logs a"),
    ],
)
@pytest.mark.parametrize("state", ["RECONNECTING", "STARTING"])
def test_an_outage_says_why_at_once_and_what_to_look_at_after_a_while(
    state: str, detail: str, advice: str, command: str
) -> None:
    fleet = read("project: p\nbots: [{clientId: a, proxy: 'http://u:geheim@h:1'}]")
    outage = {"reason": "CONNECTION_ERROR", "detail": detail}
    for minutes, wanted in ((0.5, False), (2, True)):
        answer = status(state, minutes, reconnect=outage)
        (row,) = overview.rows(fleet, Seen((container("a"),), frozenset(), {"a": answer}), NOW)
        assert row.reason == f"CONNECTION_ERROR: {detail}"
        assert (row.weight is Weight.ACT, row.advice is not None) == (wanted, wanted)
        assert "geheim" not in str(row.as_json(SAY))
    assert row.advice is not None
    assert advice in row.advice.say(SAY)
    assert row.advice.command == command


def test_a_failed_bot_says_its_last_error_and_a_ready_one_nothing() -> None:
    events = [{"event": "STORAGE_WARNING", "level": "error", "message": "no room", "fix": "df -h"}]
    row = one(container("a"), status("FAILED", last_events=events))
    assert (row.reason, row.fix) == ("no room", "df -h")
    ready = one(container("a"), status(last_events=events, reconnect={"reason": "CONNECTION_ERROR"}))
    assert (ready.reason, ready.fix) == (None, None)
