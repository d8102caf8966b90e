"""The watcher's bells, its hold on the project, and that it never goes deaf."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from manager.configproblems import ConfigErrors
from manager.fleet import Fleet
from manager.observed import Observed
from manager.problems import EngineError, EngineProblem
from manager.text import catalogue
from manager.watch.bells import EngineBell, FileBell
from manager.watch.core import Event, Rang, Saved
from manager.watch.holder import LABEL_HOLDER, Held, Holder, about_me, holder_of
from manager.watch.loop import Surroundings, watch
from manager.watch.work import Ways
from tests.fake_engine import FakeEngine
from tests.model_engine import ModelEngine
from tests.watching import fleet_text

SECONDS = 10
SAY = catalogue("en")


# ---- bots.yaml


class Bells:
    """What rang, in order."""

    def __init__(self) -> None:
        self.rung: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def __call__(self, event: Event) -> None:
        self.rung.put(event)

    def fleet(self) -> Fleet | ConfigErrors:
        event = self.rung.get(timeout=SECONDS)
        assert isinstance(event, Saved)
        return event.fleet

    def until(self, wanted: Callable[[Fleet | ConfigErrors], bool]) -> None:
        """A file that is written just now may be seen half first."""
        while not wanted(self.fleet()):
            pass


def has(*client_ids: str) -> Callable[[Fleet | ConfigErrors], bool]:
    return lambda found: isinstance(found, Fleet) and found.client_ids == set(client_ids)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bots.yaml"
    path.write_text(fleet_text("- clientId: a\n"))
    return path


@pytest.fixture
def bells(file: Path) -> Iterator[Bells]:
    made = Bells()
    bell = FileBell(file, {}, made)
    bell.start()
    yield made
    bell.stop()


def test_the_file_is_read_at_first_and_however_it_is_saved(file: Path, bells: Bells) -> None:
    bells.until(has("a"))
    file.write_text(fleet_text("- clientId: b\n"))
    bells.until(has("b"))
    beside = file.with_suffix(".new")
    beside.write_text(fleet_text("- clientId: c\n"))
    beside.replace(file)
    bells.until(has("c"))
    file.unlink()
    bells.until(lambda found: isinstance(found, ConfigErrors))
    file.write_text(fleet_text("- clientId: d\n"))
    bells.until(has("d"))


def test_a_save_that_changes_no_letter_is_one_all_the_same(file: Path, bells: Bells) -> None:
    """A file that is written in place again and again looks alike in between, and is not at rest."""
    bells.until(has("a"))
    file.write_text(file.read_text())
    bells.until(has("a"))


def test_a_file_behind_a_link_that_is_turned_is_seen(file: Path, tmp_path: Path) -> None:
    """As a folder of settings is exchanged as a whole (a checkout, a mounted ConfigMap)."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bots.yaml").write_text(fleet_text(f"- clientId: {name}\n"))
    current = tmp_path / "current"
    current.symlink_to("one")
    bells = Bells()
    bell = FileBell(current / "bots.yaml", {}, bells)
    bell.start()
    try:
        bells.until(has("one"))
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(current)
        bells.until(has("two"))
    finally:
        bell.stop()


def test_a_variable_that_changes_in_the_env_file_is_a_change(file: Path, bells: Bells) -> None:
    bells.until(has("a"))
    file.write_text(fleet_text("- clientId: ${NAME:-x}\n"))
    bells.until(has("x"))
    (file.parent / ".env").write_text("NAME=y\n")
    bells.until(has("y"))


# ---- the engine


class TalkingEngine:
    """Its event stream is what the test puts into `said`: an event, or the error that ends it."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[dict[str, Any] | EngineError] = queue.SimpleQueue()
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def events(self, project: str, kinds: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        self.asked.append((project, kinds))

        def stream() -> Iterator[dict[str, Any]]:
            while True:
                said = self.said.get(timeout=SECONDS)
                if isinstance(said, EngineError):
                    raise said
                yield said

        return stream()


def test_events_ring_and_a_lost_connection_rings_and_comes_back() -> None:
    engine, rung = TalkingEngine(), queue.SimpleQueue[Event]()
    bell = EngineBell(engine, "p", rung.put)  # type: ignore[arg-type]
    bell.start()
    try:
        assert rung.get(timeout=SECONDS) == Rang(connection=True)
        engine.said.put({"Action": "die"})
        assert rung.get(timeout=SECONDS) == Rang()
        engine.said.put(EngineError(EngineProblem.UNREACHABLE))
        assert rung.get(timeout=SECONDS) == Rang(connection=True), "lost"
        assert rung.get(timeout=SECONDS) == Rang(connection=True), "there again"
        assert [project for project, _ in engine.asked] == ["p", "p"]
        assert "exec_die" not in engine.asked[0][1], "each health check makes one"
    finally:
        bell.stop()
        engine.said.put(EngineError(EngineProblem.UNREACHABLE))


# ---- the hold on the project


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(ModelEngine())


def test_the_second_holder_is_told_who_the_first_is(engine: FakeEngine) -> None:
    first, second = Holder(engine, "pid 1 on a"), Holder(engine, "pid 2 on b")
    second.patience = 0
    first.take("p", "image")
    with pytest.raises(Held) as caught:
        second.take("p", "image")
    assert (caught.value.holder, caught.value.container) == ("pid 1 on a", "p-watch")
    second.take("q", "image")
    first.release()
    second.take("p", "image")


def test_a_hold_that_slips_away_is_told(engine: FakeEngine) -> None:
    lost: queue.SimpleQueue[bool] = queue.SimpleQueue()
    holder = Holder(engine, "pid 1 on a", lambda: lost.put(True))
    holder.take("p", "image")
    engine.last_lease.end()
    assert lost.get(timeout=SECONDS)
    assert not holder.holds


@pytest.mark.parametrize(
    "left",
    [
        pytest.param({"status": "exited"}, id="ended and not removed"),
        pytest.param({"status": "created", "created": "2020-01-01T00:00:00Z"}, id="never started"),
        pytest.param({"holder": "pid 1 on a"}, id="our own, from before the engine died"),
    ],
)
def test_what_a_dead_watcher_left_is_cleared_away(engine: FakeEngine, left: dict[str, str]) -> None:
    engine.leases["p-watch"] = left.get("holder", "pid 7 on elsewhere")
    engine.lease_status = left.get("status", "running")
    engine.lease_created = left.get("created", engine.lease_created)
    holder = Holder(engine, "pid 1 on a")
    holder.take("p", "image")
    assert engine.leases["p-watch"] == "pid 1 on a"


def test_a_watcher_that_starts_just_now_is_not_taken_for_a_dead_one(engine: FakeEngine) -> None:
    engine.leases["p-watch"] = "pid 7 on elsewhere"
    engine.lease_status = "created"
    engine.lease_created = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    holder = Holder(engine, "pid 1 on a")
    holder.patience = 0
    with pytest.raises(Held):
        holder.take("p", "image")


@pytest.mark.parametrize(
    ("marked", "host", "command"),
    [
        (False, "0123456789ab", "kill {pid}"),
        (True, "web1", "kill {pid}"),
        (True, "0123456789ab", "docker stop 0123456789ab"),
    ],
)
def test_it_says_how_it_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, marked: bool, host: str, command: str
) -> None:
    monkeypatch.setattr("manager.watch.holder._IN_A_CONTAINER", tmp_path if marked else tmp_path / "none")
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert f"ends with: {command.format(pid=os.getpid())})" in about_me("http://127.0.0.1:9465")


def test_the_label_names_the_holder(engine: FakeEngine) -> None:
    Holder(engine, "pid 1 on a").take("p", "image")
    assert engine.inspect("p-watch")["Config"]["Labels"][LABEL_HOLDER] == "pid 1 on a"


def test_a_watcher_at_work_can_be_seen_by_others(engine: FakeEngine) -> None:
    assert holder_of(engine, "p") is None
    holder = Holder(engine, "pid 1 on a")
    holder.take("p", "image")
    assert holder_of(engine, "p") == "pid 1 on a"
    assert holder_of(engine, "q") is None
    engine.lease_status = "exited"
    assert holder_of(engine, "p") is None


# ---- all of it together


class SilentEngine(FakeEngine):
    """Tells of no event until the test is over."""

    def __init__(self) -> None:
        super().__init__(ModelEngine())
        self.over = threading.Event()

    def events(self, project: str, kinds: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        self.over.wait(SECONDS)
        yield from ()


class BrokenPassEngine(SilentEngine):
    def observe(self, *args: object) -> Observed:
        raise ZeroDivisionError("what nobody foresaw")


class BrokenEventsEngine(SilentEngine):
    def events(self, project: str, kinds: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        raise ZeroDivisionError("what nobody foresaw")


@pytest.mark.parametrize("kind", [BrokenPassEngine, BrokenEventsEngine])
def test_what_nobody_foresaw_ends_it_loudly_instead_of_leaving_it_deaf(
    file: Path, kind: type[SilentEngine]
) -> None:
    engine = kind()
    around = Surroundings(file, engine, Ways({}), SAY, lambda happening: None, "127.0.0.1", 0)  # type: ignore[arg-type]
    try:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(asyncio.wait_for(watch(around), SECONDS))
    finally:
        engine.over.set()
    assert engine.leases == {}, "the project is free again"
