"""What the watcher does beyond `up`: bots that run and are not well, and changes that come to one bot first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from manager.observed import Observed
from manager.plan import ActionKind
from manager.problems import EngineError, EngineProblem
from manager.text import catalogue
from manager.watch.core import Rang
from manager.watch.happenings import Kind
from tests.fake_engine import READY
from tests.watching import Watching, fleet_text

CLIENTS = ("a", "b", "c")
SCAN = {
    "state": "WAITING_FOR_QR_SCAN",
    "permanent": False,
    "user_action": "scan_qr",
    "session_present": False,
}
FAILED = {"state": "FAILED", "permanent": True, "user_action": "fix_settings", "session_present": True}
STARTING = {"state": "STARTING", "permanent": False, "user_action": "wait", "session_present": True}


def text(memory: str, *clients: str) -> str:
    return fleet_text("".join(f"- {{clientId: {each}, memory: {memory}}}\n" for each in clients or CLIENTS))


@pytest.fixture
def watching() -> Watching:
    """Three bots run and are healthy, and all is quiet."""
    made = Watching()
    made.save(text("512m"))
    made.wait(5)
    for client in CLIENTS:
        health(made, client, "healthy")
    made.wait(31)
    made.told.clear()
    made.passes.clear()
    return made


def container(watching: Watching, client: str) -> Any:
    return next(each for each in watching.engine.model.containers.values() if each.client_id == client)


def health(watching: Watching, client: str, word: str) -> None:
    """As the engine's own health check finds it; it tells of it."""
    found = container(watching, client)
    watching.engine.model.containers[found.id] = replace(found, health=word)
    watching.happen(Rang())


def metric(watching: Watching, name: str, **labels: str) -> float | None:
    return watching.metrics.registry.get_sample_value(f"oturum_manager_{name}", labels)


def memories(watching: Watching) -> dict[str, str]:
    return {each.client_id: each.settings["memory"] for each in watching.engine.model.containers.values()}


# ---- not well


def test_an_unhealthy_bot_is_restarted_in_its_own_container_and_no_other(watching: Watching) -> None:
    before = set(watching.engine.model.containers)
    watching.engine.statuses["b"] = None
    health(watching, "b", "unhealthy")
    watching.wait(10)
    assert watching.kinds() == [Kind.BOT_UNHEALTHY]
    watching.wait(10)
    steps = [each for each in watching.told if each.kind is Kind.STEP_DONE]
    assert [(each.client_id, each.values["action"]) for each in steps] == [("b", "stop"), ("b", "start")]
    assert {each.fields()["cause"] for each in steps} == {"unhealthy"}
    assert set(watching.engine.model.containers) == before
    assert metric(watching, "bot_restarts_total", client_id="b", reason="unhealthy") == 1
    assert metric(watching, "bot_restarts_total", client_id="a", reason="unhealthy") == 0


def test_a_container_that_was_made_anew_meanwhile_is_not_ill(watching: Watching) -> None:
    watching.engine.statuses["b"] = None
    observe = watching.engine.observe

    def made_anew(*args: Any) -> Observed:
        if Kind.BOT_RESTART in watching.kinds():
            old = watching.engine.model.containers.pop(container(watching, "b").id)
            watching.engine.model.containers["anew"] = replace(old, id="anew", health="starting")
        return observe(*args)

    watching.engine.observe = made_anew  # type: ignore[method-assign]
    health(watching, "b", "unhealthy")
    watching.wait(20)
    assert watching.kinds() == [Kind.BOT_UNHEALTHY, Kind.BOT_RESTART], "and no step was taken"


def test_a_bot_that_waits_for_a_person_is_left_alone(watching: Watching) -> None:
    watching.engine.statuses["b"] = SCAN
    health(watching, "b", "unhealthy")
    watching.wait(3600)
    assert watching.kinds() == [Kind.BOT_LEFT]
    assert metric(watching, "bot_restarts_total", client_id="b", reason="unhealthy") == 0


def test_a_bot_that_stays_unhealthy_is_given_up_and_told_of_once(watching: Watching) -> None:
    watching.engine.statuses["b"] = None
    health(watching, "b", "unhealthy")
    watching.wait(3 * 3600)
    assert watching.kinds().count(Kind.BOT_RESTART) == 4
    assert watching.kinds().count(Kind.BOT_GAVE_UP) == 1
    assert metric(watching, "bot_gave_up", client_id="b") == 1
    assert metric(watching, "bot_gave_up", client_id="a") == 0
    health(watching, "b", "healthy")
    watching.wait(300)
    assert metric(watching, "bot_gave_up", client_id="b") == 0


def test_a_bot_that_is_gone_from_the_file_is_told_of_no_more(watching: Watching) -> None:
    watching.save(text("512m", "a", "c"))
    watching.wait(40)
    assert metric(watching, "bot_gave_up", client_id="b") is None
    assert metric(watching, "bot_desired", client_id="b") is None
    assert metric(watching, "bot_oom_kills_total", client_id="b") is None
    assert metric(watching, "bot_restarts_total", client_id="b", reason="oom") is None


def test_what_the_kernel_ended_is_counted_and_told(watching: Watching) -> None:
    watching.worker.healer.oom("b")
    watching.happen(Rang())
    watching.wait(1)
    assert watching.kinds() == [Kind.BOT_OOM]
    assert metric(watching, "bot_oom_kills_total", client_id="b") == 1
    watching.engine.statuses["b"] = None
    health(watching, "b", "unhealthy")
    watching.wait(60)
    assert metric(watching, "bot_restarts_total", client_id="b", reason="oom") == 1


def test_well_bots_are_not_asked(watching: Watching) -> None:
    asked: list[str] = []
    inspect = watching.engine.inspect

    def counted(name: str) -> dict[str, Any]:
        asked.append(name)
        return inspect(name)

    watching.engine.inspect = counted  # type: ignore[method-assign]
    watching.wait(300)
    assert asked == []


# ---- a change comes to one bot first


def test_a_change_comes_to_one_bot_first_and_to_the_others_once_it_is_ready(watching: Watching) -> None:
    watching.engine.statuses["a"] = watching.engine.statuses["b"] = READY
    watching.engine.statuses["c"] = READY
    changed_first: list[str] = []

    def starting(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE and not changed_first:
            watching.engine.statuses["a"] = STARTING
            changed_first.append("a")

    watching.engine.before_write = starting
    watching.save(text("1g"))
    watching.wait(30)
    assert len(watching.passes) >= 25, "it is looked after every second"
    assert memories(watching) == {"a": "1g", "b": "512m", "c": "512m"}
    assert metric(watching, "drift") == 8, "stop, remove, create and start of two bots wait"
    watching.engine.statuses["a"] = READY
    watching.wait(5)
    assert memories(watching) == dict.fromkeys(CLIENTS, "1g")
    watching.wait(5)
    kinds = [each for each in watching.kinds() if each.name.startswith("ROLLOUT")]
    assert kinds[0:2] == [Kind.ROLLOUT_STEP, Kind.ROLLOUT_REACHED]
    assert kinds[-1] is Kind.ROLLOUT_DONE
    assert metric(watching, "rollout_halted") == 0


def test_a_change_that_breaks_the_first_bot_reaches_no_other_until_it_is_mended(watching: Watching) -> None:
    def breaking(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE:
            watching.engine.statuses["a"] = FAILED

    watching.engine.before_write = breaking
    watching.save(text("1g"))
    watching.wait(600)
    assert memories(watching) == {"a": "1g", "b": "512m", "c": "512m"}
    (halt,) = [each for each in watching.told if each.kind is Kind.ROLLOUT_HALT]
    assert "then correct bots.yaml: it is carried out when it is saved." in halt.say(catalogue("en"))
    assert "düzeltin: kaydedilince uygulanır." in halt.say(catalogue("tr"))
    assert metric(watching, "rollout_halted") == 1
    assert metric(watching, "last_success_timestamp_seconds"), "the watcher itself is at work"
    assert Kind.CONVERGED not in watching.kinds()
    watching.engine.before_write = lambda kind: watching.engine.statuses.update(a=READY)
    watching.save(text("768m"))
    watching.wait(30)
    assert memories(watching) == dict.fromkeys(CLIENTS, "768m")
    assert metric(watching, "rollout_halted") == 0
    assert Kind.CONVERGED in watching.kinds()


def test_new_bots_wait_for_no_roll_out(watching: Watching) -> None:
    def breaking(kind: ActionKind) -> None:
        if kind is ActionKind.REMOVE:
            watching.engine.statuses["a"] = STARTING

    watching.engine.before_write = breaking
    watching.save(text("1g", *CLIENTS, "new"))
    watching.wait(3)
    assert memories(watching) == {"a": "1g", "b": "512m", "c": "512m", "new": "1g"}


# ---- a newer file while a pass is under way


def test_a_saved_file_does_not_wait_for_the_end_of_a_long_pass(watching: Watching) -> None:
    """Of the older file only the steps under way are finished: here the making of two containers, not their start."""
    begun: list[ActionKind] = []

    def save_meanwhile(kind: ActionKind) -> None:
        begun.append(kind)
        if kind is ActionKind.CREATE and begun.count(kind) == 1:
            watching.save(text("512m", *CLIENTS, "e"))
            watching.now += 1
            watching.happen(Rang())

    watching.engine.before_write = save_meanwhile
    watching.save(text("512m", *CLIENTS, "d"))
    watching.wait(1)
    watching.wait(5)
    assert ActionKind.START not in begun[: begun.index(ActionKind.CREATE) + 1]
    assert memories(watching).keys() == {*CLIENTS, "e"}
    assert watching.engine.model.running() == {*CLIENTS, "e"}
    assert metric(watching, "reconciles_total", result="interrupted") == 1
    assert metric(watching, "actions_total", kind="start", result="ok") == 3 + 1, "d was never started"


def test_a_pass_that_takes_long_is_cut_in_slices_and_counts_as_work(watching: Watching) -> None:
    def take_long(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE:
            assert watching.stopping.wait(10)

    watching.metrics.last_success.set(0)
    watching.worker.slice_seconds = 0.01
    watching.engine.before_write = take_long
    watching.save(text("512m", *CLIENTS, "d", "e"))
    watching.wait(0.7)
    assert metric(watching, "reconciles_total", result="interrupted") == 1
    assert metric(watching, "last_success_timestamp_seconds")
    watching.worker.slice_seconds = 100
    watching.engine.before_write = lambda kind: None
    watching.wait(2)
    assert watching.engine.model.running() == {*CLIENTS, "d", "e"}


def test_one_bot_that_cannot_be_made_keeps_no_other_from_being_healed(watching: Watching) -> None:
    def refuse(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE:
            raise EngineError(EngineProblem.DISK_FULL, "no space left on device")

    watching.engine.before_write = refuse
    watching.save(text("512m", *CLIENTS, "d"))
    watching.wait(60)
    watching.engine.statuses["b"] = None
    health(watching, "b", "unhealthy")
    watching.wait(60)
    assert metric(watching, "bot_restarts_total", client_id="b", reason="unhealthy") == 1


def test_a_prometheus_that_cannot_be_joined_keeps_no_bot_from_being_healed() -> None:
    """It is on the host's network, say: whoever wanted it to be joined is told, and the bots are looked after."""
    watching = Watching(join="scrapes")

    def refuse(network: str, label: str) -> None:
        raise EngineError(EngineProblem.OTHER, f"nothing with the label {label} can be put on {network}")

    watching.engine.join_labelled = refuse  # type: ignore[method-assign]
    watching.save(text("512m"))
    watching.wait(5)
    watching.engine.statuses["b"] = None
    health(watching, "b", "unhealthy")
    watching.wait(600)
    assert metric(watching, "bot_restarts_total", client_id="b", reason="unhealthy")
    assert watching.kinds().count(Kind.PASS_FAILED) == 1
