"""A roll-out from the first pass to the last, on an engine that is only a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bot.contract import State
from manager import rolling
from manager.fleet import Fleet
from manager.plan import ActionKind, Plan
from manager.problems import EngineError, EngineProblem
from manager.reconcile import Outcome, Progress
from manager.rollout import Fate, News, Rollout
from manager.spec import readable_settings
from manager.streams import ExecResult
from tests.fake_engine import FakeEngine
from tests.fleets import fleet_of, specs_of
from tests.model_engine import ModelEngine

IMAGE = "anything"
OLD = replace(fleet_of("a", "b", "c", memory="512m"), image=IMAGE)
NEW = replace(fleet_of("a", "b", "c", memory="1g"), image=IMAGE)


class TalkingEngine(FakeEngine):
    """Bots answer `status`: READY after they were asked `patience` times, or what `becomes` says of the new ones."""

    def __init__(self, patience: int = 0) -> None:
        super().__init__(ModelEngine())
        self.becomes: Mapping[str, State] = {}
        self.asked: dict[str, int] = {}
        self.patience = patience

    def exec(
        self, container: str, argv: list[str], timeout: float, environ: Mapping[str, str] | None = None
    ) -> ExecResult:
        assert argv[-2:] == ["status", "--json"]
        found = self.model.containers[container]
        count = self.asked[container] = self.asked.get(container, 0) + 1
        state = State.READY
        if found.settings["memory"] == "1g":
            state = self.becomes.get(found.client_id, State.READY)
            state = state if count > self.patience else State.STARTING
        told = {"state": state.value, "permanent": state.permanent, "session_present": True}
        return ExecResult(0, json.dumps(told), "")

    def memories(self) -> dict[str, str]:
        return {each.client_id: each.settings["memory"] for each in self.model.containers.values()}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "LOOK_SECONDS", 0)


def up(
    fleet: Fleet, engine: TalkingEngine, rollout: Rollout, *, sure: bool = True
) -> tuple[Outcome, list[str], list[Plan]]:
    told: list[str] = []
    asked: list[Plan] = []

    def tell(progress: Progress | News) -> None:
        if isinstance(progress, News):
            told.append(progress.key)

    def confirm(plan: Plan) -> bool:
        asked.append(plan)
        return sure

    outcome = rolling.up(fleet, engine, rollout, None, tell, "en", confirm=confirm, environ={})  # type: ignore[arg-type]
    return outcome, told, asked


def running(patience: int = 0) -> TalkingEngine:
    engine = TalkingEngine(patience)
    up(OLD, engine, Rollout())
    assert engine.memories() == dict.fromkeys("abc", "512m")
    return engine


def test_from_nothing_everything_starts_at_once() -> None:
    engine = TalkingEngine()
    outcome, told, _ = up(OLD, engine, Rollout())
    assert (outcome.ok, told) == (True, [])
    assert engine.model.running() == {"a", "b", "c"}


def test_it_returns_when_all_are_as_well_as_before() -> None:
    engine = running(patience=3)
    outcome, told, _ = up(NEW, engine, Rollout(batch=1))
    assert outcome.ok
    assert told == ["first", "reached", "batch", "reached", "last", "reached", "done"]
    assert engine.memories() == dict.fromkeys("abc", "1g")
    assert [step.action.client_id for step in outcome.steps if step.action.kind is ActionKind.START] == [
        "a", "b", "c",
    ]  # fmt: skip


def test_it_asks_once_and_about_all_of_it() -> None:
    engine = running()
    outcome, told, (asked,) = up(NEW, engine, Rollout(), sure=False)
    assert not outcome.confirmed
    assert told == []
    assert [lane[0].client_id for lane in asked.lanes] == ["a", "b", "c"]
    assert outcome.plan == asked
    assert engine.memories() == dict.fromkeys("abc", "512m")
    assert len(up(NEW, engine, Rollout())[2]) == 1


def test_who_thinks_it_over_for_long_takes_no_time_from_the_first_bot() -> None:
    """Three minutes are the bot's, to become READY."""
    engine = running(patience=3)
    now = 0.0

    def confirm(_: Plan) -> bool:
        nonlocal now
        now += 600
        return True

    outcome = rolling.up(
        NEW,
        engine,
        Rollout(),
        None,
        lambda _: None,
        "en",
        confirm=confirm,
        environ={},
        clock=lambda: now,  # type: ignore[arg-type]
    )
    assert outcome.ok
    assert engine.memories() == dict.fromkeys("abc", "1g")


def test_a_failure_ends_it_and_stands_in_the_outcome() -> None:
    engine = running()
    engine.becomes = {"a": State.FAILED}
    outcome, told, _ = up(NEW, engine, Rollout())
    assert not outcome.ok
    assert outcome.halt is not None
    assert (outcome.halt.client_id, outcome.halt.trial.fate, outcome.halt.left) == (
        "a",
        Fate.STUCK,
        ("b", "c"),
    )
    assert told == ["first", "halt"]
    assert engine.memories() == {"a": "1g", "b": "512m", "c": "512m"}
    assert len(outcome.plan.lanes) == 3


def test_the_same_command_again_sacrifices_no_second_bot_and_goes_on_when_the_first_is_mended() -> None:
    engine = running()
    engine.becomes = {"a": State.FAILED}
    up(NEW, engine, Rollout())
    outcome, told, _ = up(NEW, engine, Rollout())
    assert (outcome.halt is not None, told) == (True, ["halt"])
    assert engine.memories() == {"a": "1g", "b": "512m", "c": "512m"}
    engine.becomes = {}
    outcome, told, _ = up(NEW, engine, Rollout())
    assert (outcome.ok, told) == (True, ["first", "reached", "last", "reached", "done"])


def test_a_step_that_fails_ends_it() -> None:
    engine = running()

    def refuse(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE:
            raise EngineError(EngineProblem.DISK_FULL, "no space left on device")

    engine.before_write = refuse
    outcome, _, _ = up(NEW, engine, Rollout())
    assert [error.problem for error in outcome.errors] == [EngineProblem.DISK_FULL]
    assert outcome.halt is None
    engine.before_write = lambda kind: None
    assert up(NEW, engine, Rollout())[0].ok
    assert engine.memories() == dict.fromkeys("abc", "1g")


def test_what_the_model_says_is_what_a_spec_says() -> None:
    assert readable_settings(specs_of(NEW)[0])["memory"] == "1g"
