"""The engine goes away in the middle of `up`: one clear error, and the next `up` finishes the work."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT
from drill.ownengine import OwnEngine
from manager import reconcile
from manager.engine import Engine
from manager.execute import Step, StepState
from manager.plan import ActionKind
from manager.problems import EngineError, EngineProblem
from manager.reconcile import Progress
from tests.engine.conftest import TRIVIAL_IMAGE, Killed, changed, make_fleet, needs_root

pytestmark = [pytest.mark.engine, needs_root]


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


@pytest.fixture
def half_made(own: OwnEngine) -> Path:
    """The folder of bot `one`'s volume, that the engine knows nothing of but its name."""
    own.kill()
    folder = own.volume_folder("half-session-one")
    folder.mkdir(parents=True)
    own.start()
    return folder


@pytest.mark.parametrize("earlier", [False, True], ids=["its folder is there", "not even its folder"])
def test_an_empty_volume_that_a_dead_engine_half_made_becomes_the_bots(
    own: OwnEngine, half_made: Path, earlier: bool
) -> None:
    if earlier:
        half_made.rmdir()
    fleet = make_fleet("half", "one", "two")
    outcome = reconcile.up(fleet, Engine(own.host))
    assert outcome.ok, (outcome.errors, outcome.notes)
    sdk = docker.APIClient(base_url=own.host, version="auto")
    assert sdk.inspect_volume("half-session-one")["Labels"] == {
        LABEL_PROJECT: "half",
        LABEL_CLIENT_ID: "one",
    }
    assert running(own) == {"half-session-one": 1, "half-session-two": 1}
    assert len(sdk.containers(all=True)) == 2
    assert reconcile.up(fleet, Engine(own.host)).nothing_to_do


def test_a_volume_of_nobody_with_something_in_it_is_left_alone(own: OwnEngine, half_made: Path) -> None:
    (half_made / "Default").mkdir()
    outcome = reconcile.up(make_fleet("half", "one", "two"), Engine(own.host))
    assert {error.problem for error in outcome.errors} == {EngineProblem.FOREIGN_VOLUME}
    assert [each.name for each in half_made.iterdir()] == ["Default"]
    sdk = docker.APIClient(base_url=own.host, version="auto")
    assert sdk.inspect_volume("half-session-one")["Labels"] is None
    assert running(own) == {"half-session-two": 1}
    assert len(sdk.containers(all=True)) == 1


def test_an_empty_volume_of_nobody_that_a_container_has_is_left_alone(
    own: OwnEngine, half_made: Path
) -> None:
    sdk = docker.APIClient(base_url=own.host, version="auto")
    config = sdk.create_host_config(binds=["half-session-one:/theirs"], network_mode="none")
    sdk.create_container(TRIVIAL_IMAGE, name="theirs", host_config=config)
    outcome = reconcile.up(make_fleet("half", "one", "two"), Engine(own.host))
    assert [note.client_id for note in outcome.notes if note.blocking] == ["one"]
    assert sdk.inspect_volume("half-session-one")["Labels"] is None
    assert running(own) == {"half-session-two": 1}


def test_up_that_dies_while_it_looks_into_a_half_made_volume_is_finished_by_the_next(
    own: OwnEngine, half_made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = make_fleet("half", "one")

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "remove", die)
        with pytest.raises(Killed):
            reconcile.up(fleet, Engine(own.host))
    assert len(docker.APIClient(base_url=own.host, version="auto").containers(all=True)) == 1
    outcome = reconcile.up(fleet, Engine(own.host))
    assert outcome.ok, (outcome.errors, outcome.notes)
    assert running(own) == {"half-session-one": 1}
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
