"""The event log as people read it."""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest

from bot.contract import EventName, Level
from manager.loglines import Layout, Stamped, left_behind, nanoseconds, stamped
from manager.pieces import coloured, plain
from manager.text import catalogue

ISTANBUL = timezone(timedelta(hours=3))


def line(language: str = "tr", names: int = 0, raw: str | None = None, **event: Any) -> str:
    whole = {
        "time": "2026-05-04T12:00:00.123Z", "event": "BOT_SESSION", "level": "success", "client_id": "a",
        "message": "existing session found, reconnecting", **event,
    }  # fmt: skip
    layout = Layout(catalogue(language), names, ISTANBUL)
    return plain(layout.line(Stamped(1, "a", json.dumps(whole) if raw is None else raw)))


def test_the_layout_its_people_know() -> None:
    told = line(event="WHATSAPP_DISCONNECT", level="warning", message="connection lost",
                reason="CONNECTION_ERROR", session="present", sessionWasAvailable=True)  # fmt: skip
    assert told == (
        "2026-05-04 15:00:00  ⚠️  Uyarı        | WHATSAPP_DISCONNECT    | (connection lost) | "
        "sebep: CONNECTION_ERROR | session: var ✅ | sessionWasAvailable: true"
    )


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("tr", ("✅ Başarılı", "ℹ️  Bilgi", "⚠️  Uyarı", "❌ Hata (ERROR)", "sebep: X", "session: yok ❌")),
        ("en", ("✅ Success", "ℹ️  Info", "⚠️  Warning", "❌ Error", "reason: X", "session: absent ❌")),
    ],
)
def test_levels_reason_and_session_in_both_languages(language: str, words: tuple[str, ...]) -> None:
    told = [line(language, level=level.value, reason="X", session="absent") for level in Level]
    for level, word in zip(told, words[:4], strict=True):
        assert f"  {word}" in level
        assert words[4] in level
        assert words[5] in level


def test_columns_stand_one_below_the_other() -> None:
    told = [line("en", event=name.value, level=level.value) for name in EventName for level in Level]
    # Both pictures with a variation selector take one column more than they have cells.
    assert len({each.replace("️ ", "").index("| (") for each in told}) == 1


def test_a_hint_stands_in_parentheses_and_a_fix_can_be_copied() -> None:
    told = line(hint="permission: no write access", fix="chown -R 10001 x", missing=["a", "b"], seconds=20.0)
    assert told.endswith(
        "| hint: (permission: no write access) | fix: chown -R 10001 x | missing: a, b | seconds: 20"
    )


def test_nothing_is_told_twice() -> None:
    """What the message has said already is left out; what mends it comes first of the rest."""
    told = line("en", event="BOT_STATE", message="STARTING -> FAILED", **{"from": "STARTING", "to": "FAILED"})
    assert told.endswith("| (STARTING -> FAILED)")
    problem = "no browser: /x is not there"
    told = line(
        "en", message=f"the client could not start: {problem}", problem=problem, attempt=3, fix="up", hint="h"
    )
    assert told.endswith(f"| (the client could not start: {problem}) | hint: (h) | fix: up | attempt: 3")
    told = line("en", message="the page has not answered for 20 s", seconds=20.0, waited=[20.0])
    assert told.endswith("20 s) | waited: 20")


@pytest.mark.parametrize(
    "field",
    [
        {"how": "page"},  # a word of the program's, which a sentence may hold by chance
        {"session": "absent"},
        {"ok": True},
        {"name": "page crash"},  # not whole words
        {"empty": ""},
        {"code": 2},
        {"text": "The page"},
    ],
)
def test_what_the_message_only_seems_to_say_is_told(field: dict[str, Any]) -> None:
    message = "the page crashed 12 times; True, absent"
    assert f"| {next(iter(field))}:" in line("en", message=message, **field)


def test_one_number_in_the_message_does_not_stand_for_two_fields() -> None:
    assert line("en", message="code 1", number=1, attempt=1).endswith("| number: 1 | attempt: 1")


def test_odd_values_are_told_as_they_are() -> None:
    assert line(session=["x"], reason=None).endswith(" | session: x | sebep: null")
    assert line(level=["x"]).startswith("{")
    assert line(a={"b": 1.5}, c=[{"d": "é"}]).endswith('| a: {"b": 1.5} | c: [{"d": "é"}]')


def test_several_bots_are_told_apart() -> None:
    assert line(names=5).startswith("2026-05-04 15:00:00  a      ✅")
    assert "  a  " not in line()


@pytest.mark.parametrize(
    "raw",
    [
        "Traceback (most recent call last):",
        '  File "/app/bot/x.py", line 3',
        "",
        "7",
        "[1]",
        '{"time": "now"}',
        '{"time": 1, "event": "X", "level": "loud", "client_id": "a", "message": ""}',
        "[" * 100_000,
    ],
)
def test_what_is_no_event_stays_as_it_is(raw: str) -> None:
    assert line(raw=raw) == raw.rstrip()
    assert line(raw=raw, names=3) == f"a    {raw}".rstrip()


@pytest.mark.parametrize("evil", ["\x1b]0;owned\x07", "\x1b[2J", "a\rb", "\x9b31m", "\u202etxt"])
def test_nothing_in_a_log_steers_the_terminal(evil: str) -> None:
    for told in (line(message=evil), line(event=evil), line(detail=evil), line(raw=f"x {evil}"), line(time=evil),
                 line(**{evil: "x"})):  # fmt: skip
        assert not set(told) & {"\x1b", "\x07", "\r", "\x9b", "\u202e"}


def test_colours_change_no_text() -> None:
    import click  # noqa: PLC0415

    found = Layout(catalogue("en"), 3, UTC).line(Stamped(1, "a", "not an event"))
    assert click.unstyle(coloured(found)).rstrip() == plain(found)


def test_the_engines_time_to_the_nanosecond() -> None:
    assert nanoseconds("1970-01-01T00:00:01.000000002Z") == 1_000_000_002
    assert nanoseconds("1970-01-01T00:00:01.5Z") == 1_500_000_000
    assert nanoseconds("1970-01-01T00:00:01Z") == 1_000_000_000
    for text in ("", "now", "1970-01-01T00:00:01", "1970-13-01T00:00:01Z", "1970-01-01T00:00:01.1234567890Z"):
        assert nanoseconds(text) is None


def test_a_line_without_the_engines_time_belongs_to_the_one_before() -> None:
    first = stamped("a", "1970-01-01T00:00:01Z Traceback (most recent call last):")
    assert first == Stamped(1_000_000_000, "a", "Traceback (most recent call last):")
    assert stamped("a", "rest of it", first.at) == Stamped(first.at, "a", "rest of it")
    assert stamped("a", "1970-01-01T00:00:01Z ").text == ""


def test_lines_that_no_engine_stamped_stay_in_their_order() -> None:
    early, late = "2026-05-04T12:00:00.000Z", "2026-05-04T13:00:00.500Z"
    lines = [
        f'{{"time": "{late}", "a": 1}}',
        "no event",
        f'{{"time": "{early}"}}',
        '{"time": "?"}',
        '{"time": "20',
    ]
    found = left_behind("a", ("\n".join(lines) + "\n\n").encode())
    assert [each.text for each in found] == lines
    assert {each.at for each in found} == {nanoseconds(late)}
    assert sorted(found, key=lambda each: each.at) == found
    assert left_behind("a", b"") == []
