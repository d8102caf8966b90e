"""What wakes the watcher and what it does next: the real core and real passes, time in the test's hand."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from manager.locking import turn
from manager.observed import ContainerState
from manager.plan import ActionKind
from manager.problems import EngineError, EngineProblem
from manager.text import catalogue
from manager.watch.core import RELIST_SECONDS, PassEnd, Rang, StopAsked
from manager.watch.happenings import Happening, Kind
from manager.watch.holder import Held
from manager.watch.program import Program
from manager.watch.telling import PassTeller
from manager.watch.work import Ways, Worker
from tests.fleets import read
from tests.watching import Watching, fleet_text, saved

TWO = fleet_text("- clientId: a\n- clientId: b\n")
THREE = fleet_text("- clientId: a\n- clientId: b\n- clientId: c\n")
BAD = fleet_text("- clientId: [\n")


@pytest.fixture
def watching() -> Watching:
    """Two bots run, and all is quiet."""
    made = Watching()
    made.save(TWO)
    made.wait(5)
    assert made.engine.model.running() == {"a", "b"}
    made.told.clear()
    made.passes.clear()
    return made


def test_the_first_file_is_taken_at_once_and_looked_over_again_when_it_is_done() -> None:
    watching = Watching()
    watching.save(TWO)
    assert watching.engine.model.running() == {"a", "b"}
    watching.wait(5)
    assert [each for each in watching.kinds() if each is not Kind.STEP_DONE] == [
        Kind.CONFIG_LOADED,
        Kind.CONVERGED,
    ]
    assert watching.metrics.number("drift") == 0
    assert watching.metrics.number("running_bots") == 2


def test_a_saved_file_adds_a_bot_once_it_rests(watching: Watching) -> None:
    watching.save(THREE)
    watching.wait(0.3)
    assert watching.engine.model.running() == {"a", "b"}
    watching.wait(1)
    assert watching.engine.model.running() == {"a", "b", "c"}


def test_a_file_seen_half_stops_no_bot(watching: Watching) -> None:
    before = set(watching.engine.model.containers)
    for text in (fleet_text(""), fleet_text("- clientId: a\n"), TWO):
        watching.save(text)
        watching.wait(0.3)
    watching.wait(5)
    assert set(watching.engine.model.containers) == before
    assert watching.passes == []


def test_a_file_that_never_rests_is_believed_after_a_while(watching: Watching) -> None:
    for _ in range(20):
        watching.save(THREE)
        watching.wait(0.3)
    assert watching.engine.model.running() == {"a", "b", "c"}


def test_a_bad_file_changes_nothing_and_is_told_once(watching: Watching) -> None:
    watching.save(BAD)
    watching.wait(2)
    watching.save(BAD)
    watching.wait(2 * RELIST_SECONDS)
    assert watching.kinds() == [Kind.CONFIG_INVALID]
    assert watching.engine.model.running() == {"a", "b"}
    watching.engine.model.containers.clear()
    watching.happen(Rang())
    watching.wait(1)
    assert watching.engine.model.running() == {"a", "b"}, "the last good file goes on to count"
    watching.save(TWO)
    watching.wait(1)
    assert watching.kinds()[-1] is Kind.CONFIG_MENDED


def test_without_any_good_file_it_waits_for_one() -> None:
    watching = Watching()
    watching.save(BAD)
    watching.wait(100)
    assert watching.kinds() == [Kind.CONFIG_MISSING]
    assert watching.passes == []
    watching.save(TWO)
    watching.wait(1)
    assert watching.engine.model.running() == {"a", "b"}


def test_another_project_is_refused_and_the_old_one_kept(watching: Watching) -> None:
    watching.save(TWO.replace("project: p", "project: q"))
    watching.wait(1)
    assert watching.kinds() == [Kind.CONFIG_INVALID]
    assert watching.core.project == "p"
    assert watching.core.errors is not None
    assert [each.key for each in watching.core.errors.problems] == ["other_project"]


def test_everything_is_looked_at_every_thirty_seconds(watching: Watching) -> None:
    watching.wait(10 * RELIST_SECONDS)
    assert 9 <= len(watching.passes) <= 11
    watching.engine.model.containers.clear()
    watching.wait(RELIST_SECONDS)
    assert watching.engine.model.running() == {"a", "b"}, "though no event told of it"


def test_a_burst_of_events_is_one_pass(watching: Watching) -> None:
    for _ in range(10):
        watching.happen(Rang())
        watching.wait(0.01)
    watching.wait(3)
    assert len(watching.passes) == 1


def test_events_without_end_do_not_put_a_pass_off_for_ever(watching: Watching) -> None:
    for _ in range(60):
        watching.happen(Rang())
        watching.wait(0.1)
    assert 2 <= len(watching.passes) <= 4


def test_a_failing_step_is_tried_again_ever_more_slowly_and_told_once(watching: Watching) -> None:
    def refuse(kind: ActionKind) -> None:
        if kind is ActionKind.CREATE:
            raise EngineError(EngineProblem.DISK_FULL, "no space left on device")

    watching.engine.before_write = refuse
    watching.save(THREE)
    watching.wait(1)
    began = len(watching.passes)
    watching.wait(600)
    assert 600 / 31 <= len(watching.passes) - began <= 600 / 30 + 6
    assert watching.kinds().count(Kind.STEP_FAILED) == 1
    assert watching.metrics.number("drift") == 2, "create and start are still to be done"
    watching.engine.before_write = lambda kind: None
    watching.wait(31)
    assert watching.engine.model.running() == {"a", "b", "c"}
    assert watching.kinds()[-1] is Kind.CONVERGED


@pytest.mark.parametrize("whole", [False, True])
def test_what_still_fails_with_another_file_is_told_again(watching: Watching, whole: bool) -> None:
    """Whoever saved it wants to know whether it helped. `whole`: not even a plan can be made."""

    def refuse(kind: ActionKind) -> None:
        raise EngineError(EngineProblem.DISK_FULL, "no space left on device")

    def missing(reference: str) -> None:
        return None

    if whole:
        watching.engine.image_id = missing  # type: ignore[method-assign]
    watching.engine.before_write = refuse
    watching.save(fleet_text("- clientId: a\n- clientId: b\n- clientId: c\n"))
    watching.wait(60)
    kind = Kind.PASS_FAILED if whole else Kind.STEP_FAILED
    before = watching.kinds().count(kind)
    watching.save(fleet_text("- clientId: a\n- clientId: b\n- {clientId: c, memory: 2g}\n"))
    watching.wait(60)
    assert watching.kinds().count(kind) == 2 * before > 0


def test_the_events_of_a_failing_pass_do_not_bring_its_retry_forward(watching: Watching) -> None:
    """A bot with secrets is made anew each time: what somebody left unstarted may lack them."""

    def refuse(kind: ActionKind) -> None:
        if kind is ActionKind.START:
            raise EngineError(EngineProblem.CANNOT_START, "no")

    watching.engine.before_write = refuse
    watching.save(TWO + "- {clientId: c, proxy: 'http://user:word@proxy:1'}\n")
    watching.wait(100)
    began, writes = len(watching.passes), watching.engine.model.writes
    watching.wait(600)
    assert watching.engine.model.writes > writes
    assert len(watching.passes) - began <= 21


def test_a_saved_file_does_not_wait_for_the_retry(watching: Watching) -> None:
    def refuse(kind: ActionKind) -> None:
        raise EngineError(EngineProblem.DISK_FULL, "no space left on device")

    watching.engine.before_write = refuse
    watching.save(THREE)
    watching.wait(300)
    watching.engine.before_write = lambda kind: None
    watching.save(fleet_text("- clientId: a\n"))
    watching.wait(1)
    assert watching.engine.model.running() == {"a"}


def test_an_engine_that_goes_away_is_told_once_and_its_return_at_once(watching: Watching) -> None:
    watching.engine.down = True
    watching.happen(Rang(connection=True))
    watching.wait(1)
    assert watching.metrics.number("engine_up") == 0
    watching.wait(120)
    assert watching.kinds() == [Kind.ENGINE_LOST]
    watching.engine.down = False
    watching.engine.model.containers.clear()
    watching.happen(Rang(connection=True))
    watching.wait(1)
    assert watching.engine.model.running() == {"a", "b"}
    assert watching.metrics.number("engine_up") == 1
    assert Kind.ENGINE_BACK in watching.kinds()


def test_another_managers_build_is_waited_for_and_a_stop_ends_the_wait() -> None:
    watching = Watching()
    watching.engine.image_id = lambda reference: None  # type: ignore[method-assign]

    def stop(happening: Happening) -> None:
        told.append(happening)
        stopping.set()

    told, stopping = list[Happening](), threading.Event()
    watching.worker = Worker(
        watching.engine,  # type: ignore[arg-type]
        watching.holder,
        watching.metrics,
        PassTeller(stop, catalogue("en")),
        Ways({}),
    )
    with turn(f"project p on {watching.engine.host}"):
        ended = watching.worker.make_pass(read("project: p\nbots: []\n"), stopping)
    assert ended.end is PassEnd.INTERRUPTED
    assert [each.kind for each in told] == [Kind.MANAGER_WAIT]


def test_an_engine_that_answers_is_up_before_the_first_pass_is_over() -> None:
    """It may take minutes, and an alert on this hides those of all bots."""
    watching, seen = Watching(), list[float]()
    watching.engine.before_write = lambda kind: seen.append(watching.metrics.number("engine_up"))
    watching.save(TWO)
    watching.wait(1)
    assert set(seen) == {1.0}


def test_an_engine_that_comes_back_is_up_before_its_first_pass_is_over(watching: Watching) -> None:
    watching.engine.down = True
    watching.happen(Rang(connection=True))
    watching.wait(5)
    seen: list[float] = []
    watching.engine.before_write = lambda kind: seen.append(watching.metrics.number("engine_up"))
    watching.engine.down = False
    watching.engine.model.containers.clear()
    watching.wait(31)
    assert set(seen) == {1.0}


def test_an_engine_that_is_away_at_the_start_is_waited_for() -> None:
    watching = Watching()
    watching.engine.down = True
    watching.save(TWO)
    watching.wait(60)
    watching.engine.down = False
    watching.wait(31)
    assert watching.engine.model.running() == {"a", "b"}


def test_a_stop_between_passes_ends_it(watching: Watching) -> None:
    watching.happen(StopAsked())
    assert watching.over
    assert watching.core.next_at() is None


def test_a_stop_in_the_middle_of_a_pass_lets_its_steps_finish(watching: Watching) -> None:
    watching.engine.before_write = lambda kind: watching.happen(StopAsked())
    watching.save(fleet_text("- clientId: a\n"))
    watching.wait(1)
    assert watching.over
    assert watching.kinds().count(Kind.WATCH_STOPPING) == 1
    assert watching.engine.model.running() == {"a"}, "the stop under way was finished"
    (left,) = [each for each in watching.engine.model.containers.values() if each.client_id == "b"]
    assert left.state is ContainerState.EXITED, "and the removal after it not begun"
    assert watching.metrics.registry.get_sample_value(
        "oturum_manager_reconciles_total", {"result": "interrupted"}
    ) == 1  # fmt: skip


def test_a_bot_that_must_not_be_touched_is_told_of_once_and_tried_again(watching: Watching) -> None:
    watching.engine.model.foreign_names = frozenset({"p-bot-c"})
    watching.save(THREE)
    watching.wait(200)
    assert watching.kinds().count(Kind.PLAN_NOTE) == 1
    assert Kind.CONVERGED not in watching.kinds()
    watching.engine.model.foreign_names = frozenset()
    watching.wait(31)
    assert watching.kinds()[-1] is Kind.CONVERGED


def test_a_bot_that_ends_again_and_again_is_told_of_once(watching: Watching) -> None:
    """It is seen running in between, and after an hour it is worth another line."""
    containers = watching.engine.model.containers
    ended = next(each for each in containers.values() if each.client_id == "a")
    for _ in range(10):
        for state in (ContainerState.RESTARTING, ContainerState.RUNNING):
            containers[ended.id] = replace(ended, state=state)
            watching.happen(Rang())
            watching.wait(31)
    assert watching.kinds().count(Kind.PLAN_NOTE) == 1
    watching.wait(3600)
    containers[ended.id] = replace(ended, state=ContainerState.RESTARTING)
    watching.wait(31)
    assert watching.kinds().count(Kind.PLAN_NOTE) == 2


def test_it_ends_when_another_watcher_has_the_project() -> None:
    watching = Watching()

    def held(project: str, image: str) -> None:
        raise Held("pid 1 on elsewhere", f"{project}-watch")

    watching.holder.take = held  # type: ignore[method-assign]
    watching.save(TWO)
    assert watching.over
    assert watching.core.held_by == "pid 1 on elsewhere"
    assert watching.engine.model.writes == 0


def test_a_lost_hold_is_taken_again_before_anything_is_done(watching: Watching) -> None:
    watching.holder.release()
    watching.engine.model.containers.clear()
    watching.engine.leases["p-watch"] = "pid 1 on elsewhere"
    watching.holder.patience = 0
    watching.happen(Rang(connection=True))
    watching.wait(1)
    assert watching.over
    assert watching.engine.model.running() == set()


def test_the_same_content_in_other_words_is_no_change(watching: Watching) -> None:
    watching.happen(replace(saved("# said otherwise\n" + TWO)))
    watching.wait(5)
    assert watching.told == []
    assert watching.passes == []


# ---- its own program


def test_an_outdated_watcher_does_nothing_and_starts_anew_once_the_update_is_over() -> None:
    watching = Watching()
    watching.save(TWO)
    watching.wait(5)
    watching.changed_since = watching.now
    watching.engine.model.containers.clear()
    watching.happen(Rang())
    watching.wait(1)
    watching.changed_since = watching.now  # one more file
    watching.wait(4)
    assert not watching.over
    watching.wait(6)
    assert watching.over
    assert watching.core.renewing
    assert watching.kinds()[-1] is Kind.WATCH_RENEW
    assert watching.engine.model.running() == set(), "that is for the new one to do"


def test_the_programs_files_are_known(tmp_path: Path) -> None:
    (tmp_path / "manager" / "watch").mkdir(parents=True)
    (tmp_path / "bot").mkdir()
    file = tmp_path / "manager" / "watch" / "core.py"
    file.write_text("1")
    now = 100.0
    program = Program(tmp_path, lambda: now)
    (tmp_path / "bot" / "runner.py").write_text("the image's")
    (tmp_path / "manager" / "watch" / "core.cpython-311.pyc").write_text("made while it runs")
    assert program.changed_for() is None
    (tmp_path / "bot" / "contract.py").write_text("shared")
    assert program.changed_for() == 0
    now = 103
    assert program.changed_for() == 3
    file.write_text("12")
    assert program.changed_for() == 0
    file.unlink()
    assert program.changed_for() == 0


def test_a_file_saved_during_a_pass_that_has_nothing_to_do_is_next(watching: Watching) -> None:
    def save_meanwhile() -> None:
        watching.before_pass = lambda: None
        watching.save(THREE)
        watching.wait(1)

    watching.before_pass = save_meanwhile
    watching.wait(RELIST_SECONDS)
    watching.wait(2)
    assert watching.engine.model.running() == {"a", "b", "c"}
