"""The program that hands event logs out of a container: every line, in order, and nothing that is no log."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import pytest

from bot.contract import EventName, Level
from bot.events import KEPT_FILES, EventLog
from bot.problem import LOCALES
from bot.text import Catalogue
from manager import collector, eventlogs
from manager.fleet import Fleet
from manager.observed import Observed


def collect(folder: Path) -> list[tuple[dict[str, object], bytes]]:
    """As it is run: its text alone, without any of our modules."""
    program = Path(collector.__file__).read_text("utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, str(folder)], capture_output=True, check=True, timeout=30
    )
    stream, found = io.BytesIO(done.stdout), []
    while head := stream.readline():
        told = json.loads(head)
        found.append((told, zlib.decompress(stream.read(told["bytes"]))))
    return found


def volume(folder: Path, number: int, **files: str) -> Path:
    events = folder / str(number) / collector.EVENTS
    events.mkdir(parents=True)
    for name, text in files.items():
        (events / f"events.jsonl{name.removeprefix('current').replace('_', '.')}").write_text(text)
    return events


def test_the_files_come_oldest_first_and_volumes_by_number(tmp_path: Path) -> None:
    volume(tmp_path, 10, current="j\n")
    volume(tmp_path, 2, current="c\n", _1="b\n", _2="a\n")
    volume(tmp_path, 0)
    found = collect(tmp_path)
    assert [(head["volume"], lines) for head, lines in found] == [(0, b""), (2, b"a\nb\nc\n"), (10, b"j\n")]
    assert [head["problem"] for head, _ in found] == [None] * 3


def test_it_finds_what_a_bot_writes_and_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.events.MAX_BYTES", 2000)
    log = EventLog("sales", Catalogue(LOCALES, "en"), io.StringIO())
    log.attach(tmp_path / "0" / "events" / "events.jsonl")
    for number in range(60):
        log.emit(EventName.WHATSAPP_QR, Level.INFO, "qr", {"number": number})
    ((_, lines),) = collect(tmp_path)
    numbers = [json.loads(line)["number"] for line in lines.splitlines()]
    assert numbers == list(range(numbers[0], 60))
    assert len(list((tmp_path / "0" / "events").iterdir())) == KEPT_FILES + 1


def test_a_half_written_line_does_not_swallow_the_next_files_first(tmp_path: Path) -> None:
    volume(tmp_path, 0, current="whole\n", _1='{"time": "2026')
    assert collect(tmp_path)[0][1] == b'{"time": "2026\nwhole\n'


def test_a_file_that_moves_on_meanwhile_comes_once(tmp_path: Path) -> None:
    events = volume(tmp_path, 0, current="new\n")
    os.link(events / "events.jsonl", events / "events.jsonl.1")  # as it looks when it was rotated in between
    assert collect(tmp_path)[0][1] == b"new\n"


def test_nothing_but_a_plain_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a session\n")
    events = volume(tmp_path / "volumes", 0, _3="old\n")
    (events / "events.jsonl").symlink_to(secret)
    os.mkfifo(events / "events.jsonl.1")
    (events / "events.jsonl.2").mkdir()
    ((head, lines),) = collect(tmp_path / "volumes")
    assert lines == b"old\n"
    assert str(head["problem"]).startswith("events.jsonl: ")


def test_of_a_log_that_is_far_too_large_the_end_is_read_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "MOST_BYTES", 10)
    volume(tmp_path, 0, current="newest\n", _1="older\n", _2="old\n")
    pieces, problem = collector.log_of(str(tmp_path / "0"))
    assert pieces == [b"newest\n", b"er\n", b""]
    assert problem is not None
    assert "events.jsonl.2" in problem


def test_it_says_when_the_session_was_written_last(tmp_path: Path) -> None:
    volume(tmp_path, 0)
    (tmp_path / "0" / "mirror.json").write_text("{}")
    (tmp_path / "0" / "marker.json").write_text("{}")
    os.utime(tmp_path / "0" / "mirror.json", (5000, 7000))
    os.utime(tmp_path / "0" / "marker.json", (5000, 6000))
    volume(tmp_path, 1)
    assert [head["written"] for head, _ in collect(tmp_path)] == [7000.0, None]


def test_it_needs_the_standard_library_alone() -> None:
    tree = ast.parse(Path(collector.__file__).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert (imported | named) - {"__future__"} <= sys.stdlib_module_names


def test_without_a_volume_no_container_is_started() -> None:
    logs = eventlogs.EventLogs(None, Fleet("p", None, ()), {})  # type: ignore[arg-type]  no engine is asked
    assert list(logs.read(Observed(project="p"), ["a"])) == []


def test_where_there_is_room_for_no_thread_the_logs_come_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    logs = [eventlogs.EventLog(client, zlib.compress(b"x")) for client in ("a", "b")]
    assert list(eventlogs._ahead(iter(logs))) == logs
    monkeypatch.setattr(threading.Thread, "start", refused)
    assert list(eventlogs._ahead(iter(logs))) == logs
