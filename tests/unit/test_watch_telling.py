"""What the watcher tells, and what it serves over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.webdoor import PortTaken
from manager.execute import Step, StepState
from manager.image import ImageProgress
from manager.plan import Action, ActionKind, Cause
from manager.problems import EngineError, EngineProblem
from manager.reconcile import Waiting
from manager.text import catalogue
from manager.watch import discovery
from manager.watch.happenings import Happening, Kind
from manager.watch.metrics import WatchMetrics
from manager.watch.server import Server
from manager.watch.status import Status
from manager.watch.telling import PassTeller, Teller
from tests.fleets import fleet_of
from tests.watching import Watching, fleet_text

SAY = catalogue("en")


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
    assert happened[1].fields() == {"action": "start", "target": "p-bot-a", "cause": "new", "seconds": 0.25}


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


def status_of(watching: Watching, language: str = "en") -> Status:
    status = Status(Path("bots.yaml"), "h", watching.core, watching.metrics, catalogue(language))
    status.troubles = lambda: watching.worker.troubles
    return status


class Asked(dict[str, int]):
    """Whoever takes out what is in it has the metrics asked for at that very moment, as Prometheus may."""

    def __init__(self, metrics: WatchMetrics, *clients: str) -> None:
        super().__init__(dict.fromkeys(clients, 1))
        self.metrics = metrics
        self.answers: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for each in super().__iter__():
            self.answers.append(self.metrics.render().decode())
            yield each

    def items(self) -> Any:
        return ((each, 1) for each in self)


def test_no_bot_that_should_run_is_ever_missing_from_the_metrics() -> None:
    metrics = WatchMetrics()
    metrics.bots({"a": 1, "b": 1, "gone": 1}, frozenset("a"))
    metrics.given_up(["a", "b", "gone"], frozenset("b"))
    asked = Asked(metrics, "a", "b")
    metrics.bots(asked, frozenset("a"))
    metrics.given_up(asked, frozenset("b"))
    assert len(asked.answers) > 2
    for answer in [*asked.answers, metrics.render().decode()]:
        assert 'oturum_manager_bot_gave_up{client_id="b"} 1.0' in answer
        assert 'oturum_manager_bot_desired{client_id="b"} 1.0' in answer
    assert "gone" not in "".join(
        line for line in metrics.render().decode().splitlines(keepends=True) if "_total" not in line
    )


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


@pytest.mark.parametrize("language", ["en", "tr"])
def test_health_tells_of_a_stopped_roll_out_and_of_bots_that_were_given_up(language: str) -> None:
    watching = Watching()
    watching.save(fleet_text("- clientId: a\n- clientId: b\n"))
    watching.wait(5)
    status = status_of(watching, language)
    watching.metrics.rollout_halted.set(1)
    watching.metrics.given_up(["a", "b"], frozenset({"b", "gone"}))
    health = status.health()
    halted, gave_up = health["problems"]
    assert health["ok"]
    assert "python -m manager status" in halted
    assert ": b. " in gave_up


def test_health_tells_of_what_cannot_be_done_and_counts_it() -> None:
    watching = Watching()
    watching.engine.model.foreign_names = frozenset({"p-bot-b"})

    def refuse(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE:
            raise EngineError(EngineProblem.DISK_FULL, "no space left on device")

    watching.engine.before_write = refuse
    watching.save(fleet_text("- clientId: a\n- clientId: b\n"))
    watching.wait(40)
    health = status_of(watching).health()
    taken, full = health["problems"]
    assert health["ok"]
    assert "docker rename p-bot-b p-bot-b-old" in taken
    assert "no space left on device" in full
    assert health["bots"]["drift"] >= 2
    watching.engine.model.foreign_names = frozenset()
    watching.engine.before_write = lambda kind: None
    watching.wait(60)
    health = status_of(watching).health()
    assert (health["problems"], health["bots"]) == ([], {"desired": 2, "running": 2, "drift": 0})


def test_health_tells_of_a_program_that_cannot_be_started_again() -> None:
    watching = Watching(broken="SyntaxError")
    watching.save(fleet_text("- clientId: a\n"))
    watching.wait(5)
    assert status_of(watching).health()["problems"] == []
    watching.changed_since = watching.now
    watching.wait(60)
    (problem,) = status_of(watching).health()["problems"]
    assert "SyntaxError" in problem
    watching.changed_since = None
    watching.wait(60)
    assert status_of(watching).health()["problems"] == []


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
