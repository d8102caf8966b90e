"""The watcher's parts at its edge: the bells, the hold on the project, what it tells, what it serves."""

from __future__ import annotations

import asyncio
import io
import json
import queue
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from manager.configproblems import ConfigErrors
from manager.execute import Step, StepState
from manager.fleet import Fleet
from manager.image import ImageProgress
from manager.observed import Observed
from manager.plan import Action, ActionKind, Cause
from manager.problems import EngineError, EngineProblem
from manager.reconcile import Waiting
from manager.text import catalogue
from manager.watch import discovery
from manager.watch.bells import EngineBell, FileBell
from manager.watch.core import Event, Rang, Saved
from manager.watch.happenings import Happening, Kind
from manager.watch.holder import LABEL_HOLDER, Held, Holder, holder_of
from manager.watch.loop import Surroundings, watch
from manager.watch.server import PortTaken, Server
from manager.watch.status import Status
from manager.watch.telling import PassTeller, Teller
from manager.watch.work import Ways
from tests.fake_engine import FakeEngine
from tests.fleets import fleet_of
from tests.model_engine import ModelEngine
from tests.watching import Watching, fleet_text

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


# ---- telling


def at_one() -> datetime:
    return datetime(2026, 11, 26, 1, 2, 3, 456789, UTC)


def told(happening: Happening, *, language: str = "en", as_json: bool = False) -> str:
    out = io.StringIO()
    Teller(catalogue(language), out, as_json=as_json, clock=at_one)(happening)
    return out.getvalue()


def test_a_line_for_people_begins_with_the_time() -> None:
    line = told(Happening(Kind.CONVERGED, {"running": 3}))
    assert line == f"{at_one().astimezone():%Y-%m-%d %H:%M:%S}  All is as bots.yaml says: 3 bot(s) run.\n"
    assert "3 bot çalışıyor" in told(Happening(Kind.CONVERGED, {"running": 3}), language="tr")


def test_a_json_line_has_words_of_the_program_beside_the_sentence() -> None:
    error = EngineError(EngineProblem.UNREACHABLE, "connection refused", host="h")
    line = json.loads(told(Happening(Kind.ENGINE_LOST, {"error": error}), as_json=True))
    assert line.pop("message").startswith("No Docker engine answers at h: connection refused.")
    assert line == {
        "time": "2026-11-26T01:02:03.456Z",
        "event": "ENGINE_LOST",
        "level": "error",
        "problem": "unreachable",
    }


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_happening_has_its_sentence(kind: Kind, language: str) -> None:
    assert f"watch.{kind.lower()}" in catalogue(language)._texts


def test_nobody_reading_ends_nothing() -> None:
    out = io.StringIO()
    out.close()
    Teller(SAY, out)(Happening(Kind.WATCH_STOP))


def step(state: StepState, error: EngineError | None = None) -> Step:
    return Step(Action(ActionKind.START, "a", "p-bot-a", Cause("new")), state, 0.25, error)


def test_a_step_is_told_when_it_ends_and_a_failure_once() -> None:
    happened: list[Happening] = []
    tell = PassTeller(happened.append, SAY)
    full = EngineError(EngineProblem.DISK_FULL, "no space")
    for each in (step(StepState.STARTED), step(StepState.FAILED, full), step(StepState.FAILED, full)):
        tell(each, "p")
    assert [each.kind for each in happened] == [Kind.STEP_FAILED]
    assert "docker image prune" in happened[0].say(SAY)
    assert happened[0].fields()["problem"] == "disk_full"
    tell(step(StepState.DONE), "p")
    tell(step(StepState.FAILED, full), "p")
    assert [each.kind for each in happened[1:]] == [Kind.STEP_DONE, Kind.STEP_FAILED]
    assert happened[1].say(SAY) == "a: start p-bot-a (new): 0.2 s"


def test_a_build_is_told_step_by_step_and_who_is_waited_for() -> None:
    happened: list[Happening] = []
    tell = PassTeller(happened.append, SAY)
    for progress in (
        ImageProgress("FROM x", 1, 2),
        ImageProgress("---> y", 1, 2),
        ImageProgress("RUN z", 2, 2),
    ):
        tell(progress, "p")
    tell(Waiting("pid 5"), "p")
    assert [each.say(SAY) for each in happened] == [
        "build step 1 of 2: FROM x",
        "build step 2 of 2: RUN z",
        "Another manager is at work on this project (pid 5); waiting for it.",
    ]


# ---- what is served


def test_every_bot_that_should_run_is_a_target() -> None:
    fleet = fleet_of("a", "b_B")
    assert discovery.groups(fleet) == [
        {
            "targets": [f"p-bot-{client}:9464"],
            "labels": {
                "client_id": client,
                "project": "p",
                "__meta_oturum_container": f"p-bot-{client}",
                "__meta_oturum_memory_limit_bytes": str(768 * 1024**2),
            },
        }
        for client in ("a", "b_B")
    ]


def test_a_disabled_bot_is_no_target_and_a_name_too_long_for_dns_is_not_used() -> None:
    assert discovery.groups(fleet_of("a", enabled="false")) == []
    (group,) = discovery.groups(fleet_of("x" * 63))
    (target,) = group["targets"]
    assert target == f"{'x' * 63}:9464", "its host name, which is its alias on the bots' network"


def ask(status: Status, *paths: str) -> list[tuple[int, str]]:
    async def asked() -> list[tuple[int, str]]:
        server = Server(status)
        await server.start("127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession() as session:
                answers = []
                for path in paths:
                    async with session.get(server.address + path) as answer:
                        answers.append((answer.status, await answer.text()))
                return answers
        finally:
            await server.close()

    return asyncio.run(asked())


def status_of(watching: Watching) -> Status:
    return Status(Path("bots.yaml"), "h", watching.core, watching.metrics, SAY)


def test_before_there_is_a_file_prometheus_keeps_the_targets_it_knows() -> None:
    assert ask(status_of(Watching()), "/sd") == [(503, "[]\n")]


def test_health_tells_of_a_bad_file_and_a_lost_engine_and_is_no_reason_to_start_it_anew() -> None:
    watching = Watching()
    watching.save(fleet_text("- clientId: a\n"))
    watching.wait(5)
    status = status_of(watching)
    assert status.health()["problems"] == []
    watching.save("bots: [")
    watching.wait(1)
    watching.engine.down = True
    watching.wait(31)
    ((code, text), (metrics_code, metrics)) = ask(status, "/healthz", "/metrics")
    health = json.loads(text)
    assert (code, metrics_code) == (200, 200)
    assert health["ok"]
    assert (health["config"]["valid"], health["engine"]["up"]) == (False, False)
    assert "not valid YAML" in health["problems"][0]
    assert "No Docker engine answers" in health["problems"][1]
    assert health["bots"] == {"desired": 1, "running": 1, "drift": 0}
    assert health["last_success"] is not None
    assert "oturum_manager_engine_up 0.0" in metrics
    watching.engine.down = False
    watching.wait(60)
    assert len(status.health()["problems"]) == 1


def test_a_pass_that_never_ends_makes_it_unhealthy() -> None:
    status = status_of(Watching())
    status.passing_since = -1e6
    ((code, text),) = ask(status, "/healthz")
    assert code == 503
    assert not json.loads(text)["ok"]


def test_a_port_that_is_taken_is_said() -> None:
    async def twice() -> None:
        first = Server(status_of(Watching()))
        await first.start("127.0.0.1", 0)
        port = int(first.address.rpartition(":")[2])
        try:
            await Server(status_of(Watching())).start("127.0.0.1", port)
        finally:
            await first.close()

    with pytest.raises(PortTaken) as caught:
        asyncio.run(twice())
    assert "in use" in caught.value.detail


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
