"""One pass on an engine that is only a model: what is admitted is done, and a stop lets running steps finish."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from manager import reconcile
from manager.execute import StepState
from manager.locking import NoTurn, turn
from manager.plan import ActionKind, Plan
from manager.reconcile import Look, Progress, Waiting
from tests.fake_engine import FakeEngine
from tests.fleets import fleet_of
from tests.model_engine import ModelEngine

FLEET = replace(fleet_of("a", "b", "c"), image="anything")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(ModelEngine())


def test_only_what_is_admitted_is_done(engine: FakeEngine) -> None:
    seen: list[Look] = []

    def one_lane(look: Look) -> Plan:
        seen.append(look)
        return replace(look.plan, lanes=look.plan.lanes[:1])

    outcome = reconcile.up(FLEET, engine, admit=one_lane)
    assert outcome.ok
    assert engine.model.running() == {"a"}
    (look,) = seen
    assert [spec.client_id for spec in look.desired] == ["a", "b", "c"]
    assert len(look.plan.lanes) == 3
    assert not look.observed.containers


def test_a_dry_run_shows_what_would_be_admitted(engine: FakeEngine) -> None:
    plan = reconcile.up(FLEET, engine, dry_run=True, admit=lambda look: replace(look.plan, lanes=())).plan
    assert plan.lanes == ()
    assert engine.model.writes == 0


def test_a_stop_in_the_middle_finishes_the_steps_under_way_and_begins_no_other(engine: FakeEngine) -> None:
    stopping = threading.Event()
    all_three = threading.Barrier(3)

    def stop_at(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE:
            all_three.wait(10)
            stopping.set()

    engine.before_write = stop_at
    outcome = reconcile.up(FLEET, engine, stopping=stopping)
    by_kind = {(step.action.kind, step.state) for step in outcome.steps}
    assert (ActionKind.CREATE, StepState.DONE) in by_kind
    assert {state for kind, state in by_kind if kind is ActionKind.CREATE} == {StepState.DONE}
    assert {state for kind, state in by_kind if kind is ActionKind.START} == {StepState.SKIPPED}
    assert outcome.errors == []
    assert {each.client_id for each in engine.model.containers.values()} == {"a", "b", "c"}
    assert engine.model.running() == set()
    engine.before_write = lambda kind: None
    assert reconcile.up(FLEET, engine).ok
    assert engine.model.running() == {"a", "b", "c"}


def test_a_stop_ends_the_wait_for_another_manager(engine: FakeEngine) -> None:
    stopping = threading.Event()
    told: list[Progress] = []

    def tell(progress: Progress) -> None:
        told.append(progress)
        stopping.set()

    with turn(f"project p on {engine.host}"), pytest.raises(NoTurn):
        reconcile.up(FLEET, engine, on_progress=tell, stopping=stopping)
    assert [type(each) for each in told] == [Waiting]
    assert engine.model.writes == 0


def test_a_wait_for_another_manager_ends_with_its_turn(engine: FakeEngine) -> None:
    held, waiting = threading.Event(), threading.Event()

    def hold() -> None:
        with turn(f"project p on {engine.host}"):
            held.set()
            waiting.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    outcome = reconcile.up(
        FLEET, engine, on_progress=lambda progress: waiting.set(), stopping=threading.Event()
    )
    holder.join()
    assert outcome.ok
    assert engine.model.running() == {"a", "b", "c"}


def changed(engine: FakeEngine, *clients: str) -> None:
    """Somebody gave these bots other settings; what runs is to be interrupted for that."""
    for found in list(engine.model.containers.values()):
        if found.client_id in clients:
            engine.model.containers[found.id] = replace(found, spec_hash="other")


def test_while_a_person_is_asked_the_turn_is_free(engine: FakeEngine) -> None:
    """A watcher beside it goes on, however long the answer takes; what it did meanwhile is seen."""
    reconcile.up(FLEET, engine)
    changed(engine, "a")
    told: list[Progress] = []

    def confirm(plan: Plan) -> bool:
        assert len(plan.lanes) == 1
        assert reconcile.up(FLEET, engine, on_progress=told.append, stopping=threading.Event()).ok
        return True

    outcome = reconcile.up(FLEET, engine, confirm=confirm)
    assert not [each for each in told if isinstance(each, Waiting)]
    assert outcome.nothing_to_do


def test_a_person_is_asked_again_where_others_would_be_interrupted_by_now(engine: FakeEngine) -> None:
    reconcile.up(FLEET, engine)
    changed(engine, "a")
    asked: list[set[str | None]] = []

    def confirm(plan: Plan) -> bool:
        asked.append({lane[0].client_id for lane in plan.lanes})
        changed(engine, "b")
        return len(asked) < 2

    outcome = reconcile.up(FLEET, engine, confirm=confirm)
    assert asked == [{"a"}, {"a", "b"}]
    assert not outcome.confirmed
    assert outcome.steps == ()
