"""The event log: whole lines, on two ways, rotated, and no fault of either way stops the bot."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from bot import events
from bot.contract import EventName, Level, mask_phone
from bot.events import EventLog
from bot.problem import LOCALES
from bot.text import Catalogue


def log_to(file: Path | None, language: str = "en") -> tuple[EventLog, io.StringIO]:
    out = io.StringIO()
    log = EventLog("shop", Catalogue(LOCALES, language), out)
    if file is not None:
        log.attach(file)
    return log, out


def say(log: EventLog, number: int = 1) -> None:
    log.emit(EventName.WHATSAPP_QR, Level.INFO, "qr", {"number": number, "cause": "logout"})


def test_a_line_has_what_was_promised(tmp_path: Path) -> None:
    log, out = log_to(tmp_path / "events/events.jsonl", "tr")
    log.emit(EventName.BOT_STATE, Level.INFO, "state", {"from": "STARTING", "to": "READY"})
    line = json.loads(out.getvalue())
    assert list(line)[:5] == ["time", "event", "level", "client_id", "message"]
    assert (line["event"], line["level"], line["client_id"]) == ("BOT_STATE", "info", "shop")
    assert line["message"] == "STARTING -> READY"
    assert line["time"].endswith("Z")
    assert (tmp_path / "events/events.jsonl").read_text() == out.getvalue()
    assert oct((tmp_path / "events/events.jsonl").stat().st_mode)[-3:] == "600"


def test_lines_from_before_the_volume_was_ours_are_kept_too(tmp_path: Path) -> None:
    log, _ = log_to(None)
    say(log, 1)
    log.attach(tmp_path / "events.jsonl")
    say(log, 2)
    assert [json.loads(each)["number"] for each in (tmp_path / "events.jsonl").read_text().splitlines()] == [
        1,
        2,
    ]


def test_rotation_keeps_the_newest_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_BYTES", 2000)
    file = tmp_path / "events.jsonl"
    log, _ = log_to(file)
    for number in range(200):
        say(log, number)
    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == ["events.jsonl", *(f"events.jsonl.{n}" for n in range(1, 5))]
    assert all(each.stat().st_size <= 2000 for each in files)
    kept = [
        json.loads(line)["number"]
        for each in [*reversed(files[1:]), file]
        for line in each.read_text().splitlines()
    ]
    assert kept == list(range(kept[0], 200))
    assert log.lost_lines == 0


def test_a_volume_that_takes_nothing_costs_lines_not_the_bot(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log, out = log_to(tmp_path / "file/events.jsonl")
    say(log)
    assert log.lost_lines == 1
    assert json.loads(out.getvalue())["number"] == 1


def test_a_line_that_a_full_disk_cuts_short_is_taken_back() -> None:
    log, out = log_to(Path("/dev/full"))
    say(log)
    assert log.lost_lines == 1
    assert out.getvalue()


def test_nobody_listens_any_more(tmp_path: Path) -> None:
    log, out = log_to(tmp_path / "events.jsonl")
    out.close()
    say(log)
    assert log.lost_lines == 1
    assert (tmp_path / "events.jsonl").read_text()


def test_the_last_events_are_at_hand() -> None:
    log, _ = log_to(None)
    for number in range(60):
        say(log, number)
    assert [line["number"] for line in log.last] == list(range(10, 60))


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("905321234567", "90*******567"),
        ("905321234567:3@c.us", "90*******567"),
        ("905321234567.0:12@s.whatsapp.net", "90*******567"),
        ("+90 532 123 45 67", "90*******567"),
        ("12345", "*****"),
        ("", ""),
    ],
)
def test_phone_numbers_are_masked(number: str, masked: str) -> None:
    assert mask_phone(number) == masked


def test_no_standard_output_stops_no_bot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    log = EventLog("shop", Catalogue(LOCALES, "en"))
    log.attach(tmp_path / "events.jsonl")
    say(log)
    assert log.lost_lines == 1
    assert json.loads((tmp_path / "events.jsonl").read_text())["event"] == "WHATSAPP_QR"


def test_json_is_utf8_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(seen, encoding="ascii"))
    log = EventLog("shop", Catalogue(LOCALES, "tr"))
    fields = {"name": "şube", "half": "\ud800"}
    log.emit(EventName.BOT_STATE, Level.INFO, "state", {"from": "STARTING", "to": "READY", **fields})
    line = json.loads(seen.getvalue().decode())
    assert (line["name"], line["half"], log.lost_lines) == ("şube", "?", 0)
