"""`watch` on a real engine, as people start it: what is saved comes true, and nothing that need not be is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from bot.contract import LABEL_PROJECT
from manager.engine import Engine
from manager.exits import Exit
from tests.cli.conftest import PROGRAM, ROOT
from tests.engine.watchers import Watched, fetch, fetch_until, running, text_of

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("trivial_image")]

Bots = dict[str, str]  # clientId -> memory
BURSTS, SAVES = 10, 5  # fifty edits


@pytest.fixture
def watched(engine: Engine, project: str, tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path / "bots.yaml", project, engine.host)
    yield made
    made.close()


def save_in_place(file: Path, text: str) -> None:
    file.write_text(text)


def save_by_rename(file: Path, text: str) -> None:
    beside = file.with_name(f".{file.name}.swp")
    beside.write_text(text)
    beside.replace(file)


def save_anew(file: Path, text: str) -> None:
    file.unlink()
    file.write_text(text)


SAVES_AS = (save_in_place, save_by_rename, save_anew)


def next_version(bots: Bots, burst: int, save: int) -> tuple[Bots, str]:
    """Of the bots, and which one it is about. Only one of them is touched in a burst, however often it is saved."""
    about = ("changing", "coming")[burst % 2]
    if about == "changing":
        return bots | {about: f"{129 + burst * SAVES + save}m"}, about
    gone = {client: memory for client, memory in bots.items() if client != about}
    return (gone if about in bots and save == SAVES - 1 else bots | {about: "128m"}), about


def test_fifty_edits_converge_and_restart_no_bot_that_need_not_be(
    sdk: docker.APIClient, project: str, watched: Watched
) -> None:
    bots = {"steady": "128m", "changing": "128m"}
    watcher = watched.begin(bots)
    address = watcher.until("WATCH_START")["address"]
    watcher.until("CONVERGED", running=2)
    before = running(sdk, project)
    edits = 0
    for burst in range(BURSTS):
        latest = bots
        for save in range(SAVES):
            latest, about = next_version(bots, burst, save)
            text = text_of(project, latest)
            half = text[: len(text) * 2 // 3] + "["
            SAVES_AS[edits % 3](watched.file, half if save == SAVES // 2 else text)
            edits += 1
        watcher.until("CONFIG_LOADED")
        watcher.until("CONVERGED", running=len(latest))
        after = running(sdk, project)
        assert after.keys() == latest.keys()
        assert {c: each for c, each in after.items() if c != about} == {
            c: each for c, each in before.items() if c != about and c in latest
        }
        assert (after.get(about) == before.get(about)) == (bots.get(about) == latest.get(about))
        bots, before = latest, after
    assert edits == 50
    memory = sdk.inspect_container(before["changing"][0])["HostConfig"]["Memory"]
    assert f"{memory // 1024**2}m" == bots["changing"]

    metrics = fetch(address, "/metrics")
    assert "oturum_manager_drift 0.0" in metrics
    assert 'oturum_manager_bot_running{client_id="steady"} 1.0' in metrics
    watched.file.write_text("bots: [")
    watcher.until("CONFIG_INVALID")
    assert "oturum_manager_config_valid 0.0" in fetch(address, "/metrics")
    health = json.loads(fetch(address, "/healthz"))
    assert not health["config"]["valid"]
    assert str(watched.file) in health["problems"][0]
    targets = {target for group in json.loads(fetch(address, "/sd")) for target in group["targets"]}
    assert targets == {f"{project}-bot-{client}:9464" for client in bots}
    assert running(sdk, project) == before, "the last good file goes on to count"

    watched.save(bots)
    watcher.until("CONFIG_MENDED")
    sdk.kill(before["steady"][0])
    sdk.remove_container(before["changing"][0], force=True)
    watcher.until("STEP_DONE", client_id="changing", action="start")
    watcher.until("CONVERGED", running=len(bots))
    assert running(sdk, project).keys() == bots.keys()
    assert watcher.end() == Exit.OK
    assert running(sdk, project).keys() == bots.keys(), "the bots go on without it"
    assert not [
        each for each in watcher.lines if each["level"] == "error" and each["event"] != "CONFIG_INVALID"
    ]


def test_one_watcher_a_project_and_up_beside_it(
    engine: Engine, sdk: docker.APIClient, project: str, watched: Watched
) -> None:
    bots = {"one": "128m", "two": "128m"}
    first = watched.begin(bots)
    address = first.until("WATCH_START")["address"]
    first.until("CONVERGED")
    before = running(sdk, project)

    swollen = engine.exec(before["one"][0], ["sh", "-c", "x=a; while :; do x=$x$x; done"], 60)
    assert swollen.exit_code == 128 + signal.SIGKILL, "by the kernel, for want of memory"
    first.until("BOT_OOM", client_id="one")
    assert 'bot_oom_kills_total{client_id="one"} 1.0' in fetch(address, "/metrics")

    second = watched.begin()
    out, error = second.process.communicate(timeout=60)
    assert second.process.returncode == Exit.HELD
    assert f"pid {first.process.pid} on " in error
    assert json.loads(out.splitlines()[-1])["exit"] == Exit.HELD
    assert running(sdk, project) == before

    watched.save(bots | {"two": "130m", "three": "128m"})
    ups = [
        subprocess.Popen(
            [*PROGRAM, "--file", str(watched.file), "up", "--yes"],
            env=os.environ | {"DOCKER_HOST": watched.host, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [each.wait(60) for each in ups] == [0, 0]
    first.until("CONFIG_LOADED")
    first.until("CONVERGED", running=3)
    after = running(sdk, project)
    assert after["one"] == before["one"]
    assert len(sdk.containers(all=True, filters={"label": f"{LABEL_PROJECT}={project}"})) == 3

    down = subprocess.run(
        [*PROGRAM, "--file", str(watched.file), "down", "three"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"pid {first.process.pid} on " in down.stderr, "it says who will undo that"
    first.until("CONVERGED", running=3)
    after |= {"three": running(sdk, project)["three"]}

    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    third = watched.begin()
    third.until("CONVERGED", running=3)
    assert running(sdk, project) == after
    assert third.end() == Exit.OK
    watched.begin().until("CONVERGED", running=3)


def test_a_stop_in_the_middle_of_a_plan_leaves_what_the_next_up_finishes(
    sdk: docker.APIClient, project: str, watched: Watched
) -> None:
    bots = {f"c{number}": "128m" for number in range(12)}
    watcher = watched.begin(bots)
    watcher.until("STEP_DONE", action="create-volume")
    assert watcher.end() == Exit.OK
    told = [each["event"] for each in watcher.lines]
    assert told[-1] == "WATCH_STOP"
    assert "WATCH_STOPPING" in told
    assert "STEP_FAILED" not in told
    assert len(running(sdk, project)) < len(bots)
    watched.begin().until("CONVERGED", running=12)


def test_a_bots_file_that_was_never_valid_is_no_engine_that_is_away(watched: Watched) -> None:
    watched.file.write_text("bots: [")
    watcher = watched.begin()
    address = watcher.until("WATCH_START")["address"]
    watcher.until("CONFIG_MISSING")
    fetch_until(address, "/metrics", "oturum_manager_engine_up 1.0")
    assert json.loads(fetch(address, "/healthz"))["engine"]["up"]
    assert watcher.end() == Exit.OK
