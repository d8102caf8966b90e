"""`watch` without any engine: it waits for one, takes its own program's updates, and ends as it is told."""

from __future__ import annotations

import json
import shutil
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from manager.exits import Exit
from tests.cli.conftest import ROOT, Cli
from tests.engine.watchers import Watcher, text_of


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of the program, to be updated."""
    folder = tmp_path / "program"
    for name in ("manager", "bot"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def watcher(program: Path, tmp_path: Path) -> Iterator[Watcher]:
    file = tmp_path / "bots.yaml"
    file.write_text(text_of("nowhere", {"one": "128m"}))
    made = Watcher(file, f"unix://{tmp_path}/no-engine.sock", program=program)
    yield made
    made.close()


def test_without_an_engine_it_waits_and_says_so_and_an_update_takes_over(
    watcher: Watcher, program: Path
) -> None:
    address = watcher.until("WATCH_START")["address"]
    watcher.until("ENGINE_LOST", problem="unreachable")
    with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:
        health = json.load(answer)
    assert (health["ok"], health["engine"]["up"]) == (True, False)
    with (program / "manager" / "plan.py").open("a") as file:
        file.write("\n# as another version would have it\n")
    watcher.until("WATCH_RENEW")
    assert watcher.until("WATCH_START")["pid"] == watcher.process.pid
    watcher.until("ENGINE_LOST")
    assert watcher.end(signal.SIGINT) == Exit.INTERRUPTED
    assert watcher.lines[-1]["event"] == "WATCH_STOP"


def test_an_update_that_cannot_be_started_is_told_and_waited_for(watcher: Watcher, program: Path) -> None:
    """Its packages are installed after its files, or somebody has merged badly: a dead watcher would stay dead."""
    watcher.until("WATCH_START")
    watcher.until("ENGINE_LOST")
    file = program / "manager" / "plan.py"
    good = file.read_text()
    file.write_text(good + "\nimport a_package_that_is_not_here_yet\n")
    told = watcher.until("WATCH_BROKEN")
    assert "No module named 'a_package_that_is_not_here_yet'" in told["message"]
    file.write_text(good + "\n# as another version would have it\n")
    watcher.until("WATCH_RENEW")
    assert watcher.until("WATCH_START")["pid"] == watcher.process.pid
    assert [each["event"] for each in watcher.lines].count("WATCH_BROKEN") == 1
    assert watcher.end() == Exit.OK


@pytest.mark.parametrize("address", ["9465", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:9465", ""])
def test_an_address_that_is_none_is_wrong_usage(cli: Cli, address: str) -> None:
    ran = cli("watch", "--listen", address)
    assert ran.code == Exit.USAGE
    assert f"`{address}`" in ran.err


def test_a_port_that_is_taken_is_said_with_what_to_type(cli: Cli, watcher: Watcher) -> None:
    address = watcher.until("WATCH_START")["address"].removeprefix("http://")
    ran = cli("watch", "--listen", address)
    assert ran.code == Exit.FAILED
    assert f"Nothing can be served at {address}" in ran.err
    assert "--listen HOST:PORT" in ran.err
