"""manager/engine/ against a real engine: confinement as the kernel sees it, exec, logs, events, secrets."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from bot.contract import BOT_UID, LABEL_CLIENT_ID, LABEL_PROJECT
from manager import reconcile
from manager.engine import Engine
from manager.problems import EngineError, EngineProblem
from manager.spec import ContainerSpec
from tests.engine.conftest import TRIVIAL_IMAGE, needs_root

pytestmark = pytest.mark.engine


def spec_of(project: str, client_id: str = "one", **changes: object) -> ContainerSpec:
    values: dict[str, object] = {
        "project": project,
        "client_id": client_id,
        "name": f"{project}-bot-{client_id}",
        "volume": f"{project}-session-{client_id}",
        "network": f"{project}-bots",
        "hostname": client_id,
        "image_id": TRIVIAL_IMAGE,
        "environment": {"BOT_SETTINGS": "{}"},
        "memory_bytes": 64 * 1024 * 1024,
        "stop_grace_seconds": 5,
        "labels": {LABEL_PROJECT: project, LABEL_CLIENT_ID: client_id},
    }
    return ContainerSpec(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def running(engine: Engine, project: str, trivial_image: str) -> str:
    return make(engine, spec_of(project, secrets={"proxy.json": '{"password": "hunter2"}'}))


def make(engine: Engine, spec: ContainerSpec) -> str:
    engine.create_network(spec.network, spec.project)
    engine.create_volume(spec.volume, spec.project, spec.client_id)
    container = engine.create(spec)
    engine.start(container)
    return container


def status_of(engine: Engine, container: str) -> dict[str, str]:
    text = engine.exec(container, ["cat", "/proc/self/status"], 10).stdout
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


# ---- confinement


def test_a_bot_has_no_privilege_at_all(engine: Engine, running: str) -> None:
    status = status_of(engine, running)
    assert status["Uid"].split()[0] == str(BOT_UID)
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_only_session_and_tmp_can_be_written(engine: Engine, running: str) -> None:
    assert engine.exec(running, ["touch", "/session/x"], 10).exit_code == 0
    assert engine.exec(running, ["touch", "/tmp/x"], 10).exit_code == 0
    refused = engine.exec(running, ["touch", "/bin/x"], 10)
    assert refused.exit_code != 0
    assert "Read-only" in refused.stderr


def test_the_browsers_sandbox_gets_its_user_namespace_and_no_other(engine: Engine, running: str) -> None:
    own = engine.exec(running, ["unshare", "-U", "-r", "chroot", "/", "id", "-u"], 10)
    assert (own.exit_code, own.stdout.strip()) == (0, "0")
    for other in ("-m", "-u", "-i", "-n"):
        assert engine.exec(running, ["unshare", other, "true"], 10).exit_code != 0


def test_limits_are_what_was_asked_for(sdk: docker.APIClient, running: str) -> None:
    found = sdk.inspect_container(running)
    host = found["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 * 1024 * 1024
    assert host["PidsLimit"] == 256
    assert host["Init"] is True
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
    assert not host["PortBindings"]
    assert not host["Privileged"]
    assert found["Config"]["StopTimeout"] == 5
    assert found["Config"]["Hostname"] == "one"


# ---- secrets


def test_a_secret_is_a_file_of_the_bot_alone_and_stands_nowhere_else(
    engine: Engine, sdk: docker.APIClient, running: str
) -> None:
    read = engine.exec(running, ["cat", "/session/secrets/proxy.json"], 10)
    assert json.loads(read.stdout) == {"password": "hunter2"}
    listed = engine.exec(
        running, ["stat", "-c", "%a %u", "/session/secrets", "/session/secrets/proxy.json"], 10
    )
    assert listed.stdout.split() == ["700", str(BOT_UID), "400", str(BOT_UID)]
    assert "hunter2" not in json.dumps(sdk.inspect_container(running))


def test_a_secret_that_cannot_be_delivered_leaves_no_container(
    engine: Engine, sdk: docker.APIClient, project: str, trivial_image: str
) -> None:
    spec = spec_of(project, secrets={"../../bad/" + "x" * 300: "text"})
    engine.create_network(spec.network, project)
    with pytest.raises(EngineError):
        engine.create(spec)
    assert sdk.containers(all=True, filters={"name": spec.name}) == []


# ---- exec, logs, events


def test_exec_keeps_stdout_stderr_and_exit_code_apart(engine: Engine, running: str) -> None:
    result = engine.exec(running, ["sh", "-c", "echo out; echo 'ığüşöç' >&2; exit 3"], 10)
    assert (result.exit_code, result.stdout, result.stderr) == (3, "out\n", "ığüşöç\n")


def test_exec_brings_a_large_answer_whole(engine: Engine, running: str) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line-$i; i=$((i+1)); done"
    lines = engine.exec(running, ["sh", "-c", script], 60).stdout.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (20000, "line-0", "line-19999")


def test_exec_that_never_answers_ends_in_time(engine: Engine, running: str) -> None:
    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        engine.exec(running, ["sleep", "60"], 1)
    assert caught.value.problem is EngineProblem.SLOW_EXEC
    assert time.monotonic() - began < 5


def test_exec_that_never_stops_talking_ends_in_time(engine: Engine, running: str) -> None:
    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        engine.exec(running, ["sh", "-c", "while :; do echo x; sleep 0.1; done"], 1)
    assert caught.value.problem is EngineProblem.SLOW_EXEC
    assert time.monotonic() - began < 5


def test_exec_in_a_stopped_container_says_so(engine: Engine, running: str) -> None:
    engine.stop(running, 5)
    with pytest.raises(EngineError) as caught:
        engine.exec(running, ["true"], 5)
    assert caught.value.problem is EngineProblem.NOT_RUNNING


def test_exec_of_an_unknown_program_is_a_result_not_an_error(engine: Engine, running: str) -> None:
    assert engine.exec(running, ["no-such-program"], 10).exit_code in (126, 127)


def test_logs_follow_until_the_container_ends(
    engine: Engine, sdk: docker.APIClient, project: str, trivial_image: str
) -> None:
    spec = spec_of(project)
    engine.create_network(spec.network, project)
    body = {
        "Image": TRIVIAL_IMAGE,
        "Cmd": [
            "sh",
            "-c",
            "echo first; until [ -e /tmp/go ]; do sleep 0.05; done; echo last; printf unended",
        ],
        "Labels": {LABEL_PROJECT: project},
    }
    container = sdk.create_container_from_config(body, name=spec.name)["Id"]
    engine.start(container)
    lines = engine.logs(container, follow=True)
    assert next(lines) == "first"
    engine.exec(container, ["touch", "/tmp/go"], 10)
    assert list(lines)[:1] == ["last"]
    assert list(engine.logs(container, tail=1)) == ["unended"]


def test_events_name_what_happens_to_the_projects_containers(
    engine: Engine, running: str, project: str
) -> None:
    since = time.time() - 60
    seen: list[str] = []
    died = threading.Event()

    def listen() -> None:
        for event in engine.events(project, since):
            seen.append(event["Action"])
            if event["Action"] == "die":
                died.set()
                return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    engine.stop(running, 5)
    assert died.wait(20)
    assert [each for each in seen if each in ("create", "start", "die")] == ["create", "start", "die"]


# ---- stopping and removing


def test_stop_returns_when_the_container_is_seen_stopped(
    engine: Engine, sdk: docker.APIClient, running: str
) -> None:
    engine.stop(running, 5)
    assert sdk.inspect_container(running)["State"]["Running"] is False
    engine.stop(running, 5)  # a second stop is no error


def test_stop_ends_a_container_that_ignores_the_signal(
    engine: Engine, sdk: docker.APIClient, project: str, trivial_image: str
) -> None:
    body = {
        "Image": TRIVIAL_IMAGE,
        "Cmd": ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"],
        "Labels": {LABEL_PROJECT: project},
    }
    container = sdk.create_container_from_config(body)["Id"]
    engine.start(container)
    assert next(engine.logs(container, follow=True)) == "deaf"
    engine.stop(container, 1)
    assert sdk.inspect_container(container)["State"]["Running"] is False


def test_stop_ends_a_paused_container(engine: Engine, sdk: docker.APIClient, running: str) -> None:
    sdk.pause(running)
    engine.stop(running, 5)
    assert sdk.inspect_container(running)["State"]["Status"] == "exited"


def test_a_running_container_is_never_removed(engine: Engine, sdk: docker.APIClient, running: str) -> None:
    """Another manager may have started it since it was looked at: a race that is lost, not an error."""
    assert problem_of_call(lambda: engine.remove(running)) is EngineProblem.RUNS_AGAIN
    assert EngineProblem.RUNS_AGAIN in reconcile.RACES
    assert sdk.inspect_container(running)["State"]["Running"] is True


def test_removing_what_is_gone_says_gone(engine: Engine, running: str) -> None:
    engine.stop(running, 5)
    engine.remove(running)
    for call in (engine.remove, engine.start, engine.inspect, lambda each: engine.stop(each, 1)):
        with pytest.raises(EngineError) as caught:
            call(running)
        assert caught.value.problem is EngineProblem.GONE


def test_eight_at_once_make_one_network(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    name = f"{project}-bots"
    start = threading.Barrier(8)

    def create() -> None:
        start.wait()
        engine.create_network(name, project)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each["Name"] for each in sdk.networks(names=[name]) if each["Name"] == name] == [name]


# ---- refusals, each by its name


def problem_of_call(call: Callable[[], object]) -> EngineProblem:
    with pytest.raises(EngineError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value.problem


def test_no_engine_there(tmp_path: Path) -> None:
    engine = Engine(f"unix://{tmp_path}/none.sock")
    assert problem_of_call(engine.info) is EngineProblem.UNREACHABLE


def test_a_socket_nobody_listens_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    assert problem_of_call(Engine(f"unix://{tmp_path}/dead.sock").info) is EngineProblem.UNREACHABLE


def test_a_tcp_port_nobody_listens_on() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert problem_of_call(Engine(f"tcp://127.0.0.1:{port}").info) is EngineProblem.UNREACHABLE


def test_a_host_name_nobody_knows() -> None:
    assert problem_of_call(Engine("tcp://no-such-host.invalid:2375").info) is EngineProblem.NO_SUCH_HOST


@needs_root
def test_a_socket_one_may_not_use(tmp_path: Path) -> None:
    path = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o600)
        assert as_nobody(lambda: Engine(f"unix://{path}").info(), tmp_path) == "permission"


def as_nobody(call: Callable[[], object], folder: Path) -> str:
    """The problem that `call` meets in a child process without any right."""
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            call()
        except EngineError as error:
            os.write(write, error.problem.value.encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as answer:
        return answer.read()


def test_an_image_that_is_not_there(engine: Engine, project: str) -> None:
    engine.create_network(f"{project}-bots", project)
    spec = spec_of(project, image_id="oturum-test-no-such-image:1")
    assert problem_of_call(lambda: engine.create(spec)) is EngineProblem.IMAGE_MISSING
    assert engine.image_id("oturum-test-no-such-image:1") is None


def test_a_name_that_is_taken(engine: Engine, running: str, project: str) -> None:
    assert problem_of_call(lambda: engine.create(spec_of(project))) is EngineProblem.NAME_TAKEN


def test_a_volume_of_another_project(engine: Engine, sdk: docker.APIClient, project: str) -> None:
    other = f"{project}-other"
    sdk.create_volume(f"{project}-v", labels={LABEL_PROJECT: other})
    try:
        call = lambda: engine.create_volume(f"{project}-v", project, "one")  # noqa: E731
        assert problem_of_call(call) is EngineProblem.FOREIGN_VOLUME
    finally:
        sdk.remove_volume(f"{project}-v")


def test_a_volume_in_use_stays(engine: Engine, sdk: docker.APIClient, running: str, project: str) -> None:
    name = f"{project}-session-one"
    assert problem_of_call(lambda: engine.remove_volume(name)) is EngineProblem.VOLUME_IN_USE
    assert sdk.inspect_volume(name)["Name"] == name


def test_a_container_whose_program_is_missing_cannot_start(
    engine: Engine, sdk: docker.APIClient, project: str, trivial_image: str
) -> None:
    body = {"Image": TRIVIAL_IMAGE, "Cmd": ["no-such-program"], "Labels": {LABEL_PROJECT: project}}
    container = sdk.create_container_from_config(body)["Id"]
    assert problem_of_call(lambda: engine.start(container)) is EngineProblem.CANNOT_START
