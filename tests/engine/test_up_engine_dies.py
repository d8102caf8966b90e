"""The engine goes away in the middle of `up`: one clear error, and the next `up` finishes the work."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest

from manager import reconcile
from manager.engine import Engine
from manager.execute import Step, StepState
from manager.plan import ActionKind
from manager.problems import EngineError, EngineProblem
from manager.reconcile import Progress
from tests.engine.conftest import changed, import_trivial, make_fleet
from tests.engine.own_engine import OwnEngine

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can start an engine"),
]


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory, trivial_archive: bytes) -> Iterator[OwnEngine]:
    engine = OwnEngine(tmp_path_factory.mktemp("e"))
    try:
        engine.start()
        import_trivial(docker.APIClient(base_url=engine.host, version="auto"), trivial_archive)
        yield engine
    finally:
        engine.close()


def running(own: OwnEngine) -> dict[str, int]:
    """How many containers run on each volume."""
    found: dict[str, int] = {}
    for container in docker.APIClient(base_url=own.host, version="auto").containers():
        for mount in container["Mounts"]:
            found[mount["Name"]] = found.get(mount["Name"], 0) + 1
    return found


MOMENTS = [
    (ActionKind.CREATE_NETWORK, StepState.DONE),
    (ActionKind.CREATE_VOLUME, StepState.DONE),
    (ActionKind.CREATE, StepState.STARTED),
    (ActionKind.CREATE, StepState.DONE),
    (ActionKind.START, StepState.STARTED),
]


@pytest.mark.xfail(reason="known defect: a volume may lose its labels when the engine dies while it is made")
def test_an_engine_that_dies_in_the_middle_of_up(own: OwnEngine) -> None:
    for number, (kind, state) in enumerate(MOMENTS):
        fleet = make_fleet(f"died{number}", "one", "two", "three")
        killed = False

        def kill_at(progress: Progress, kind: ActionKind = kind, state: StepState = state) -> None:
            nonlocal killed
            if (
                isinstance(progress, Step)
                and (progress.action.kind, progress.state) == (kind, state)
                and not killed
            ):
                killed = True
                own.kill()

        outcome = reconcile.up(fleet, Engine(own.host), on_progress=kill_at)
        assert killed
        assert {error.problem for error in outcome.errors} == {EngineProblem.UNREACHABLE}, outcome.errors
        with pytest.raises(EngineError) as caught:
            reconcile.up(fleet, Engine(own.host))
        assert caught.value.problem is EngineProblem.UNREACHABLE

        own.start()
        finished = reconcile.up(fleet, Engine(own.host))
        assert finished.ok, (finished.errors, finished.notes)
        volumes = {f"died{number}-session-{name}": 1 for name in ("one", "two", "three")}
        assert {name: count for name, count in running(own).items() if name in volumes} == volumes
        assert reconcile.up(fleet, Engine(own.host)).nothing_to_do


def test_an_engine_that_dies_while_bots_are_recreated(own: OwnEngine) -> None:
    fleet = make_fleet("again", "one", "two")
    assert reconcile.up(fleet, Engine(own.host)).ok
    for number, kind in enumerate((ActionKind.STOP, ActionKind.REMOVE)):
        fleet = changed(fleet, "one", memory=(65 + number) * 1024 * 1024)
        fleet = changed(fleet, "two", memory=(65 + number) * 1024 * 1024)

        def kill_at(progress: Progress, kind: ActionKind = kind) -> None:
            if isinstance(progress, Step) and (progress.action.kind, progress.state) == (
                kind,
                StepState.STARTED,
            ):
                own.kill()

        assert not reconcile.up(fleet, Engine(own.host), on_progress=kill_at).ok
        own.start()
        outcome = reconcile.up(fleet, Engine(own.host))
        assert outcome.ok, outcome.errors
        assert running(own) == {"again-session-one": 1, "again-session-two": 1}
        assert reconcile.up(fleet, Engine(own.host)).nothing_to_do
