"""`up`, `down`, `restart` on a real engine, without a terminal: lines and JSON, causes, exit codes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import docker
import pytest

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT
from tests.cli.conftest import PROGRAM, Cli

pytestmark = pytest.mark.engine

Fleet = Callable[..., None]


def containers(sdk: docker.APIClient, project: str) -> dict[str, str]:
    found = sdk.containers(all=True, filters={"label": f"{LABEL_PROJECT}={project}"})
    return {each["Labels"][LABEL_CLIENT_ID]: each["Id"] for each in found}


def states(sdk: docker.APIClient, project: str) -> dict[str, str]:
    found = sdk.containers(all=True, filters={"label": f"{LABEL_PROJECT}={project}"})
    return {each["Labels"][LABEL_CLIENT_ID]: each["State"] for each in found}


def volumes(sdk: docker.APIClient, project: str) -> set[str]:
    found = sdk.volumes(filters={"label": f"{LABEL_PROJECT}={project}"})["Volumes"] or []
    return {each["Name"] for each in found}


def without_times(lines: list[str]) -> list[str]:
    return [line.rsplit(": ", 1)[0] for line in lines]


def test_up_names_each_step_with_its_cause(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    ran = cli("up")
    assert (ran.code, ran.err) == (0, "")
    *steps, summary, following = ran.lines
    assert following == "Next: python -m manager status"
    assert steps[0].startswith(f"create network {project}-bots (the bots' network does not exist): ")
    assert sorted(without_times(steps[1:])) == sorted(
        f"{client}: {what} (new)"
        for client in ("sales", "support")
        for what in (
            f"create volume {project}-session-{client}",
            f"create {project}-bot-{client}",
            f"start {project}-bot-{client}",
        )
    )
    assert summary.startswith("7 step(s) done in ")
    assert states(sdk, project) == {"sales": "running", "support": "running"}
    assert "\x1b" not in ran.out


def test_a_second_up_says_nothing_to_do_and_touches_nothing(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    cli("up")
    before = containers(sdk, project)
    ran = cli("up")
    assert (ran.code, ran.out, ran.err) == (0, "Nothing to do.\n", "")
    assert cli("up", "--dry-run").out == "Nothing to do.\n"
    assert containers(sdk, project) == before


def test_a_dry_run_says_how_a_roll_out_would_go(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    assert "changed first" not in cli("up", "--canary", "--dry-run").out  # new bots wait for nobody
    cli("up")
    before = containers(sdk, project)
    fleet("sales, memory: 512m", "support")
    ran = cli("up", "--canary", "--batch", "2", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == [
        "recreate sales: memory 384m -> 512m",
        "Dry run: nothing was changed.",
        "One bot is changed first, the others once it is as well as before.",
        "At most 2 bot(s) are changed at a time; the next ones once those are as well as before.",
    ]
    assert containers(sdk, project) == before


def test_a_dry_run_shows_the_plan_that_up_then_carries_out(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support", "night")
    cli("up")
    before = containers(sdk, project)
    fleet("'sales', memory: 512m", "support, enabled: false", "new")
    shown = cli("up", "--dry-run")
    assert shown.code == 0
    assert shown.lines[:4] == [
        "recreate sales: memory 384m -> 512m",
        "create new: new",
        "stop night: not in bots.yaml any more",
        "stop support: disabled in bots.yaml",
    ]
    assert shown.lines[-1] == "Dry run: nothing was changed."
    assert containers(sdk, project) == before

    dry, done = cli("up", "--dry-run", "--json"), cli("up", "--json")
    assert (dry.code, done.code) == (0, 0)
    assert dry.json["plan"] == done.json["plan"]
    assert (dry.json["dry_run"], dry.json["steps"]) == (True, [])
    carried_out: dict[str, list[str]] = {}
    for step in done.json["steps"]:
        assert step["state"] == "done"
        carried_out.setdefault(step["client_id"], []).append(step["kind"])
    assert carried_out == {
        lane["client_id"]: [action["kind"] for action in lane["actions"]] for lane in dry.json["plan"]
    }
    assert states(sdk, project) == {"sales": "running", "new": "running"}


def test_the_sessions_of_disabled_and_removed_bots_stay_and_up_says_so(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support", "night")
    cli("up")
    fleet("sales", "support, enabled: false")
    ran = cli("up")
    assert (ran.code, ran.err) == (0, "")
    assert f"support is disabled; its volume {project}-session-support stays." in ran.lines
    assert any(
        "night is not in bots.yaml any more" in line and "rm night --volume" in line for line in ran.lines
    )
    assert volumes(sdk, project) == {f"{project}-session-{name}" for name in ("sales", "support", "night")}
    again = cli("up").lines
    assert again[-1] == "Nothing to do."
    assert again[0].startswith("1 volume(s) without a bot in bots.yaml: night.")
    notes = cli("up", "--json").json["notes"]
    assert [(note["key"], note["blocking"]) for note in notes] == [("leftover_volumes", False)]


def test_only_the_named_bots(cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str) -> None:
    fleet("sales", "support", "night")
    assert cli("up", "sales", "night").code == 0
    assert states(sdk, project) == {"sales": "running", "night": "running"}
    assert cli("down", "night").code == 0
    assert states(sdk, project) == {"sales": "running"}


def test_restart_is_the_same_container_started_again(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    cli("up")
    before = containers(sdk, project)
    started = {name: sdk.inspect_container(each)["State"]["StartedAt"] for name, each in before.items()}
    ran = cli("restart", "sales")
    assert ran.code == 0
    assert without_times(ran.lines[:-1]) == [
        f"sales: stop {project}-bot-sales (restart was asked for)",
        f"sales: start {project}-bot-sales (restart was asked for)",
    ]
    assert containers(sdk, project) == before
    after = {name: sdk.inspect_container(each)["State"]["StartedAt"] for name, each in before.items()}
    assert after["sales"] > started["sales"]
    assert after["support"] == started["support"]


def test_restart_of_a_bot_that_is_not_up(cli: Cli, fleet: Fleet) -> None:
    fleet("sales")
    ran = cli("restart", "sales")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "sales has no container that could be restarted. Run: python -m manager up sales\n"
    told = cli("restart", "sales", "--json")
    assert (told.code, told.json["ok"], told.json["exit"]) == (1, False, 1)
    assert told.json["notes"][0]["key"] == "needs_up"


def test_down_takes_everything_but_the_sessions(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    cli("up")
    fleet("sales")
    dry = cli("down", "--dry-run")
    assert dry.lines == ["stop sales: down", "stop support: down", "Dry run: nothing was changed."]
    assert len(states(sdk, project)) == 2
    assert cli("down").code == 0
    assert containers(sdk, project) == {}
    assert volumes(sdk, project) == {f"{project}-session-{name}" for name in ("sales", "support")}
    assert sdk.networks(names=[f"{project}-bots"]) == []
    assert cli("down").out == "Nothing to do.\n"


def test_down_and_restart_know_a_bot_that_was_taken_out_of_the_file(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    cli("up")
    fleet("sales")
    assert cli("restart", "support").code == 0
    assert cli("down", "support").code == 0
    assert states(sdk, project) == {"sales": "running"}


@pytest.mark.parametrize("command", ["up", "down", "restart", "rm"])
def test_an_unknown_bot_and_the_one_that_was_meant(cli: Cli, fleet: Fleet, command: str) -> None:
    fleet("sales", "support")
    ran = cli(command, "slaes")
    assert (ran.code, ran.out) == (6, "")
    assert ran.err == "No bot slaes in bots.yaml. Known: sales, support. Did you mean sales?\n"


def test_an_unknown_bot_as_json(cli: Cli, fleet: Fleet) -> None:
    fleet("sales")
    ran = cli("up", "slaes", "--json")
    assert (ran.code, ran.json["ok"], ran.json["exit"]) == (6, False, 6)
    assert ran.json["error"]["fix"] == "Did you mean sales?"


@pytest.mark.parametrize("command", ["up", "down", "restart", "doctor", "rm x"])
def test_every_mistake_in_the_file_at_once_and_nothing_touched(
    cli: Cli, sdk: docker.APIClient, project: str, command: str
) -> None:
    cli.file.write_text(f"project: {project}\nbots:\n  - {{clientId: a, memroy: 1g}}\n  - {{clientId: A}}\n")
    ran = cli(*command.split())
    told = ran.out if command == "doctor" else ran.err
    assert ran.code == (7 if command == "doctor" else 4)
    assert "bots.yaml:3:19: bots[0].memroy: unknown key (did you mean memory?)" in told
    assert "bots.yaml:4:16: bots[1].clientId: " in told
    assert volumes(sdk, project) == set()
    assert containers(sdk, project) == {}


def test_a_strangers_container_of_our_name_and_the_other_bots_run(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, trivial_image: str
) -> None:
    fleet("sales", "support")
    stranger = sdk.create_container(trivial_image, name=f"{project}-bot-sales")["Id"]
    try:
        ran = cli("up")
        assert ran.code == 1
        assert ran.err == (
            f"sales: a container that is not ours has the name {project}-bot-sales. Rename it (docker rename "
            f"{project}-bot-sales {project}-bot-sales-old), or choose another `project:` in bots.yaml.\n"
        )
        assert states(sdk, project) == {"support": "running"}
        again = cli("up")
        assert (again.code, again.out) == (1, "")
    finally:
        sdk.remove_container(stranger, force=True)


def test_a_strangers_volume_of_our_name(cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str) -> None:
    fleet("sales")
    name = f"{project}-session-sales"
    sdk.create_volume(name, labels={LABEL_PROJECT: "somebody-else", LABEL_CLIENT_ID: "sales"})
    try:
        ran = cli("up")
        assert (ran.code, len(ran.err.splitlines())) == (1, 1)
        assert f"docker volume inspect {name}" in ran.err
        assert states(sdk, project) == {}
        gone = cli("rm", "sales", "--volume", "--yes")
        assert gone.code == 1
        assert "was not made for the project" in gone.err
        assert sdk.inspect_volume(name)["Labels"][LABEL_PROJECT] == "somebody-else"
    finally:
        sdk.remove_volume(name)


def test_an_image_that_is_not_there(cli: Cli, fleet: Fleet) -> None:
    fleet("sales", image="oturum-test-nowhere:1")
    ran = cli("up")
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "docker pull oturum-test-nowhere:1" in ran.err


def test_failed_steps_are_told_with_what_mends_them(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, image_with: Callable[..., str]
) -> None:
    fleet("sales", "support", image=image_with("WORKDIR /bin/busybox", 'CMD ["sleep", "infinity"]'))
    ran = cli("up")
    assert ran.code == 1
    *failed, summary = ran.err.splitlines()
    assert summary == "4 of 7 step(s) failed or were left out."
    for line, client in zip(sorted(failed), ("sales", "support"), strict=True):
        assert line.startswith(f"{client}: create {project}-bot-{client} (new): The Docker engine refused: ")
        assert "/bin/busybox" in line
        assert "`python -m manager doctor` looks for the cause" in line
        left = f"{client}: start {project}-bot-{client} (new): left out, because a step before it failed"
        assert left in ran.lines
    told = cli("up", "--json")
    assert (told.code, told.json["ok"], told.json["exit"]) == (1, False, 1)
    assert [step["state"] for step in told.json["steps"]] == ["failed", "skipped"] * 2
    assert {step["error"]["problem"] for step in told.json["steps"] if "error" in step} == {"other"}
    assert states(sdk, project) == {}


@pytest.mark.parametrize("command", [["up"], ["up", "--dry-run"], ["down"], ["restart"], ["rm", "sales"]])
def test_no_engine_is_one_line_with_what_mends_it(cli: Cli, command: list[str]) -> None:
    cli.bots("shop", "sales")
    ran = cli(*command, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert (ran.code, ran.out) == (5, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("No Docker engine answers at unix:///nowhere/docker.sock: ")
    assert "`sudo systemctl start docker`" in line
    if command != ["rm", "sales"]:
        told = cli(*command, "--json", DOCKER_HOST="unix:///nowhere/docker.sock")
        assert (told.code, told.json["exit"], told.json["ok"]) == (5, 5, False)
        assert told.json["error"]["fix"]


def test_turkish(cli: Cli, fleet: Fleet, project: str) -> None:
    fleet("satis")
    first = cli("up", OTURUM_LANG="tr")
    assert first.lines[-2].startswith("4 adım ")
    assert f"satis: {project}-bot-satis başlat (yeni)" in without_times(first.lines)
    assert cli("up", OTURUM_LANG="tr").out == "Yapılacak bir şey yok.\n"
    assert cli("up", "sats", OTURUM_LANG="tr").err.endswith("satis mi demek istediniz?\n")
    for variable in ("LC_ALL", "LANG"):
        assert cli("up", OTURUM_LANG="", **{variable: "tr_TR.UTF-8"}).out == "Yapılacak bir şey yok.\n"


@pytest.mark.parametrize("command", [["--help"], ["up", "--dry-run"], ["validate"], ["doctor"]])
def test_a_reader_that_has_seen_enough(cli: Cli, fleet: Fleet, command: list[str]) -> None:
    fleet("sales")
    ended = _with_closed_pipe(cli, command)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_up_goes_on_when_nobody_reads_what_it_says(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str
) -> None:
    fleet("sales", "support")
    ended = _with_closed_pipe(cli, ["up"])
    assert (ended.returncode, ended.stderr) == (1, "")
    assert states(sdk, project) == {"sales": "running", "support": "running"}


def _with_closed_pipe(cli: Cli, command: list[str]) -> subprocess.CompletedProcess[str]:
    """As after `| head`: every write to stdout meets a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [*PROGRAM, *command],
            cwd=cli.folder,
            env=cli.environ,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)


def test_what_a_second_up_does_not_need_is_not_read(cli: Cli, fleet: Fleet) -> None:
    fleet("sales")
    cli("up")
    ran = cli("up", PYTHONPROFILEIMPORTTIME="1")
    assert ran.out == "Nothing to do.\n"
    read = {
        line.rsplit("|", 1)[-1].strip() for line in ran.err.splitlines() if line.startswith("import time:")
    }
    assert "manager.reconcile" in read
    assert not {name.split(".")[0] for name in read} & {"rich", "segno", "playwright", "aiohttp"}
    assert "manager.doctor" not in read
