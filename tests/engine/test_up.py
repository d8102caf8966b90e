"""`up`, `down`, `restart` and `rm` on a real engine: what differs is done, what does not is not touched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import docker
import pytest

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT
from manager import reconcile
from manager.engine import Engine
from manager.execute import Step, StepState
from manager.fleet import Fleet
from manager.plan import ActionKind
from manager.problems import EngineError, EngineProblem
from manager.reconcile import Progress
from tests.engine.conftest import TRIVIAL_IMAGE, Killed, changed, make_fleet

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("trivial_image")]


def ours(sdk: docker.APIClient, project: str) -> dict[str, dict[str, object]]:
    found = sdk.containers(all=True, filters={"label": f"{LABEL_PROJECT}={project}"})
    return {each["Labels"][LABEL_CLIENT_ID]: each for each in found}


def states(sdk: docker.APIClient, project: str) -> dict[str, object]:
    return {client: each["State"] for client, each in ours(sdk, project).items()}


def ids(sdk: docker.APIClient, project: str) -> dict[str, object]:
    return {client: each["Id"] for client, each in ours(sdk, project).items()}


def volumes(sdk: docker.APIClient, project: str) -> set[str]:
    found = sdk.volumes(filters={"label": f"{LABEL_PROJECT}={project}"})["Volumes"] or []
    return {each["Name"] for each in found}


def test_up_from_nothing_makes_every_bot_run(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    outcome = reconcile.up(make_fleet(project, "one", "two"), engine)
    assert outcome.ok
    assert states(sdk, project) == {"one": "running", "two": "running"}
    assert volumes(sdk, project) == {f"{project}-session-one", f"{project}-session-two"}


def test_a_second_up_writes_nothing_and_asks_three_times(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, *(f"c{number}" for number in range(5)))
    reconcile.up(fleet, engine)
    before = ids(sdk, project)
    again = Engine(engine.host)
    outcome = reconcile.up(fleet, again)
    assert outcome.ok
    assert outcome.nothing_to_do
    assert (again.calls.writes, again.calls.execs) == (0, 0)
    assert again.calls.reads <= 3
    assert ids(sdk, project) == before


def test_a_dry_run_says_the_plan_and_writes_nothing(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, "one")
    dry = Engine(engine.host)
    plan = reconcile.up(fleet, dry, dry_run=True).plan
    assert dry.calls.writes == 0
    assert ours(sdk, project) == {}
    outcome = reconcile.up(fleet, engine)
    assert outcome.plan == plan
    done = [step.action for step in outcome.steps]
    assert done == [*plan.shared, *(action for lane in plan.lanes for action in lane)]


def test_one_more_bot_touches_none_of_the_others(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    reconcile.up(make_fleet(project, "one", "two"), engine)
    before = ids(sdk, project)
    started = {name: sdk.inspect_container(each)["State"]["StartedAt"] for name, each in before.items()}
    reconcile.up(make_fleet(project, "one", "two", "three"), engine)
    after = ids(sdk, project)
    assert {name: after[name] for name in before} == before
    assert {name: sdk.inspect_container(before[name])["State"]["StartedAt"] for name in before} == started
    assert states(sdk, project)["three"] == "running"


def test_a_changed_bot_is_recreated_alone_on_its_old_volume(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, "one", "two")
    reconcile.up(fleet, engine)
    before = ids(sdk, project)
    engine.exec(str(before["one"]), ["touch", "/session/kept"], 10)
    outcome = reconcile.up(changed(fleet, "one", memory=96 * 1024 * 1024), engine)
    after = ids(sdk, project)
    assert outcome.ok
    assert after["one"] != before["one"]
    assert after["two"] == before["two"]
    assert sdk.inspect_container(after["one"])["HostConfig"]["Memory"] == 96 * 1024 * 1024
    assert engine.exec(str(after["one"]), ["ls", "/session"], 10).stdout.split() == ["kept"]


def test_a_disabled_and_a_removed_bot_stop_and_keep_their_volumes(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, "one", "two", "three")
    reconcile.up(fleet, engine)
    fewer = replace(changed(fleet, "two", enabled=False), bots=changed(fleet, "two", enabled=False).bots[:2])
    outcome = reconcile.up(fewer, engine)
    assert outcome.ok
    assert set(states(sdk, project)) == {"one"}
    assert volumes(sdk, project) == {f"{project}-session-{name}" for name in ("one", "two", "three")}
    assert {note.client_id for note in outcome.notes} >= {"two", "three"}


def test_up_for_one_bot_leaves_the_others_as_they_are(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    reconcile.up(make_fleet(project, "one", "two"), engine, frozenset({"two"}))
    assert set(states(sdk, project)) == {"two"}


def test_a_refused_plan_is_not_carried_out(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    outcome = reconcile.up(make_fleet(project, "one"), engine, confirm=lambda plan: False)
    assert not outcome.confirmed
    assert ours(sdk, project) == {}


@pytest.mark.parametrize("end", ["stop", "kill", "pause"])
def test_up_brings_back_what_somebody_stopped(
    engine: Engine, sdk: docker.APIClient, project: str, end: str
) -> None:
    fleet = make_fleet(project, "one")
    reconcile.up(fleet, engine)
    getattr(sdk, end)(f"{project}-bot-one")
    assert reconcile.up(fleet, engine).ok
    assert states(sdk, project) == {"one": "running"}


def test_up_starts_a_bot_whose_network_was_removed(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, "one")
    reconcile.up(fleet, engine)
    sdk.stop(f"{project}-bot-one", timeout=1)
    sdk.remove_network(f"{project}-bots")
    outcome = reconcile.up(fleet, engine)
    assert outcome.ok, outcome.errors
    assert states(sdk, project) == {"one": "running"}


def test_down_removes_containers_and_network_and_keeps_volumes(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, "one", "two")
    reconcile.up(fleet, engine)
    assert reconcile.down(fleet, engine).ok
    assert ours(sdk, project) == {}
    assert len(volumes(sdk, project)) == 2
    assert sdk.networks(names=[f"{project}-bots"]) == []
    again = Engine(engine.host)
    assert reconcile.down(fleet, again).ok
    assert again.calls.writes == 0


def test_down_for_one_bot_leaves_the_other_and_the_network(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, "one", "two")
    reconcile.up(fleet, engine)
    assert reconcile.down(fleet, engine, frozenset({"one"})).ok
    assert states(sdk, project) == {"two": "running"}


def test_restart_keeps_the_container(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    fleet = make_fleet(project, "one")
    reconcile.up(fleet, engine)
    before = ids(sdk, project)
    started = sdk.inspect_container(before["one"])["State"]["StartedAt"]
    assert reconcile.restart(fleet, engine).ok
    assert ids(sdk, project) == before
    assert states(sdk, project) == {"one": "running"}
    assert sdk.inspect_container(before["one"])["State"]["StartedAt"] > started


def test_rm_removes_one_session_and_no_other(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    fleet = make_fleet(project, "one", "two")
    reconcile.up(fleet, engine)
    assert reconcile.remove_client(fleet, engine, "one").ok
    assert states(sdk, project) == {"two": "running"}
    assert volumes(sdk, project) == {f"{project}-session-two"}


def test_rm_leaves_a_volume_that_is_not_ours(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    name = f"{project}-session-one"
    sdk.create_volume(name)
    try:
        with pytest.raises(EngineError) as caught:
            reconcile.remove_client(make_fleet(project, "one"), engine, "one")
        assert caught.value.problem is EngineProblem.FOREIGN_VOLUME
        assert sdk.inspect_volume(name)["Name"] == name
    finally:
        sdk.remove_volume(name)


# ---- what is in the way


def test_a_missing_image_is_one_clear_error_and_nothing_is_made(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    with pytest.raises(EngineError) as caught:
        reconcile.up(make_fleet(project, "one", image="oturum-test-no-such-image:1"), engine)
    assert caught.value.problem is EngineProblem.IMAGE_MISSING
    assert "docker pull oturum-test-no-such-image:1" in str(caught.value)
    assert volumes(sdk, project) == set()


def test_a_strangers_container_of_our_name_is_left_alone_and_the_others_run(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    stranger = sdk.create_container(TRIVIAL_IMAGE, name=f"{project}-bot-one")["Id"]
    try:
        outcome = reconcile.up(make_fleet(project, "one", "two"), engine)
        assert not outcome.ok
        assert states(sdk, project) == {"two": "running"}
        assert sdk.inspect_container(stranger)["State"]["Status"] == "created"
        assert [note.client_id for note in outcome.notes if note.blocking] == ["one"]
    finally:
        sdk.remove_container(stranger, force=True)


def test_a_strangers_volume_of_our_name_is_left_alone_and_the_others_run(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    name = f"{project}-session-one"
    sdk.create_volume(name, labels={LABEL_PROJECT: "somebody-else"})
    try:
        outcome = reconcile.up(make_fleet(project, "one", "two"), engine)
        assert not outcome.ok
        assert states(sdk, project) == {"two": "running"}
    finally:
        sdk.remove_volume(name)


def test_a_lane_that_fails_leaves_the_others_going(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = changed(make_fleet(project, "one", "two"), "one", memory=1024)  # the engine's least is 6 MB
    seen: list[Progress] = []
    outcome = reconcile.up(fleet, engine, on_progress=seen.append)
    assert not outcome.ok
    assert len(outcome.errors) == 1
    assert states(sdk, project) == {"two": "running"}
    failed = [step for step in outcome.steps if step.state is StepState.FAILED]
    assert [(step.action.client_id, step.action.kind) for step in failed] == [("one", ActionKind.CREATE)]
    skipped = [step.action.kind for step in outcome.steps if step.state is StepState.SKIPPED]
    assert skipped == [ActionKind.START]


# ---- several at once, and cut short


def in_threads(*calls: Callable[[], object]) -> None:
    errors: list[BaseException] = []

    def guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("locked", [pytest.param(True, id="one host"), pytest.param(False, id="two hosts")])
def test_two_ups_at_once_end_as_one(
    engine: Engine, sdk: docker.APIClient, project: str, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not locked:  # managers of two hosts share the engine, and no lock file
        monkeypatch.setattr(reconcile, "turn", lambda *args, **kwargs: threading.Lock())
    fleet = make_fleet(project, *(f"c{number}" for number in range(6)))
    outcomes: list[reconcile.Outcome] = []
    in_threads(*[lambda: outcomes.append(reconcile.up(fleet, Engine(engine.host))) for _ in range(3)])
    assert all(outcome.ok for outcome in outcomes), [outcome.errors for outcome in outcomes]
    assert set(states(sdk, project).values()) == {"running"}
    assert len(sdk.containers(all=True, filters={"label": f"{LABEL_PROJECT}={project}"})) == 6
    assert reconcile.up(fleet, engine).nothing_to_do


def test_two_ups_at_once_with_different_files_never_run_two_on_a_volume(
    engine: Engine, sdk: docker.APIClient, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "turn", lambda *args, **kwargs: threading.Lock())
    base = make_fleet(project, "one", "two")
    reconcile.up(base, engine)
    fleets = [changed(base, "one", memory=size * 1024 * 1024) for size in (70, 80, 90)]
    over = threading.Event()
    most: list[int] = []

    def watch() -> None:
        while not over.is_set():
            running = sdk.containers(filters={"volume": f"{project}-session-one"})
            most.append(len(running))

    watcher = threading.Thread(target=watch)
    watcher.start()
    in_threads(*[lambda fleet=fleet: reconcile.up(fleet, Engine(engine.host)) for fleet in fleets])
    over.set()
    watcher.join()
    assert max(most) == 1
    assert reconcile.up(base, engine).ok
    assert reconcile.up(base, engine).nothing_to_do


@pytest.mark.parametrize("after", range(1, 11))
def test_up_that_is_killed_after_any_step_is_finished_by_the_next(
    engine: Engine, sdk: docker.APIClient, project: str, after: int
) -> None:
    old = make_fleet(project, "one", "two")
    reconcile.up(old, engine, frozenset({"one"}))
    fleet = changed(old, "one", memory=96 * 1024 * 1024)
    count = 0

    def kill_at(progress: Progress) -> None:
        nonlocal count
        if isinstance(progress, Step) and progress.state in (StepState.STARTED, StepState.DONE):
            count += 1
            if count >= after:
                raise Killed

    with pytest.raises(Killed):
        reconcile.up(fleet, engine, on_progress=kill_at)
    outcome = reconcile.up(fleet, engine)
    assert outcome.ok, outcome.errors
    assert states(sdk, project) == {"one": "running", "two": "running"}
    assert volumes(sdk, project) == {f"{project}-session-one", f"{project}-session-two"}
    assert reconcile.up(fleet, engine).nothing_to_do


def fleet_with_proxy(fleet: Fleet, client_id: str, password: str) -> Fleet:
    from manager.fleet import Proxy  # noqa: PLC0415

    return changed(fleet, client_id, proxy=Proxy("http://proxy.invalid:3128", "user", password))


def test_a_new_proxy_password_reaches_the_bot_and_nothing_else(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    fleet = make_fleet(project, "one")
    reconcile.up(fleet_with_proxy(fleet, "one", "first-secret"), engine)
    reconcile.up(fleet_with_proxy(fleet, "one", "second-secret"), engine)
    name = f"{project}-bot-one"
    assert "second-secret" in engine.exec(name, ["cat", "/session/secrets/proxy.json"], 10).stdout
    shown = str(sdk.inspect_container(name))
    assert "first-secret" not in shown
    assert "second-secret" not in shown


def test_up_finishes_a_creation_that_died_before_the_secrets_were_there(
    engine: Engine, sdk: docker.APIClient, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = fleet_with_proxy(make_fleet(project, "one"), "one", "the-secret")

    def die(*args: object, **kwargs: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(docker.APIClient, "put_archive", die)
        with pytest.raises(Killed):
            reconcile.up(fleet, engine)
    assert states(sdk, project) == {"one": "created"}
    assert reconcile.up(fleet, engine).ok
    assert (
        "the-secret" in engine.exec(f"{project}-bot-one", ["cat", "/session/secrets/proxy.json"], 10).stdout
    )
