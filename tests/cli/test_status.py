"""Talking where there is no bot to talk to: no engine, no container, a container with something else in it."""

from __future__ import annotations

import json
from collections.abc import Callable

import docker
import pytest

from tests.cli.conftest import Cli

Fleet = Callable[..., None]


@pytest.mark.parametrize(
    "words",
    ["status", "status --json", "logs", "logs -f", "qr one", "pair one 905551112233", "logout one --yes"],
)
def test_without_an_engine_all_say_so_and_end_with_5(cli: Cli, words: str) -> None:
    cli.bots("shop", "one")
    ran = cli(*words.split(), DOCKER_HOST="unix:///nowhere/docker.sock")
    assert ran.code == 5
    assert "unix:///nowhere/docker.sock" in ran.err
    assert "Traceback" not in ran.err
    if "--json" in words:
        assert ran.json["exit"] == 5


@pytest.mark.engine
def test_a_container_with_something_else_in_it(cli: Cli, fleet: Fleet) -> None:
    fleet("one", "two")
    assert cli("up").code == 0
    told = cli("status", "--json")
    assert told.code == 0
    # It may be a bot that takes its time.
    assert {each["client_id"]: each["place"] for each in told.json["bots"]} == {
        "one": "starting",
        "two": "starting",
    }
    for words in ("qr one", "pair one 905551112233", "logout one --yes"):
        ran = cli(*words.split())
        assert ran.code == 1
        assert "python" in ran.err
        assert "Traceback" not in ran.err


@pytest.mark.engine
def test_a_crash_loop_says_so_whenever_one_looks_and_doctor_too(
    cli: Cli, fleet: Fleet, sdk: docker.APIClient, project: str, image_with: Callable[..., str]
) -> None:
    said = '{"event": "BOT_INIT", "level": "error", "message": "no browser", "fix": "mend it"}'
    command = json.dumps(["sh", "-c", f"echo '{said}'; exit 12"])
    fleet("one", image=image_with(f"CMD {command}"))
    news = sdk.events(filters={"type": "container", "event": "die"}, decode=True)
    assert cli("up").code == 0
    name = f"{project}-bot-one"
    died = (each for each in news if each["Actor"]["Attributes"]["name"] == name)
    for _ in range(3):
        next(died)
    for _ in range(3):
        (bot,) = cli("status", "--json").json["bots"]
        assert (bot["place"], bot["reason"], bot["fix"]) == ("restarting", "no browser", "mend it")
        assert bot["advice"]["command"] == "python -m manager logs one"
    doctor = cli("doctor")
    assert doctor.code == 7
    assert any(line.startswith("✗ one: crash loop") and "no browser" in line for line in doctor.lines)


@pytest.mark.engine
def test_bots_that_bots_yaml_no_longer_names_are_told_and_marked(cli: Cli, fleet: Fleet) -> None:
    fleet("one", "two")
    assert cli("up").code == 0
    fleet("one")
    told = cli("status")
    rows = {line.split("\t")[0].strip(): line for line in told.lines}
    assert rows["two*"].endswith("take it down (its session stays): python -m manager up")
    assert told.lines[-1] == "* not in bots.yaml any more"
    assert len(cli("status", "two").lines) == 3
    assert cli("logs", "two").code == 0


@pytest.mark.engine
def test_logs_of_what_never_ran_and_wrong_numbers(cli: Cli, fleet: Fleet) -> None:
    fleet("one")
    ran = cli("logs")
    assert (ran.code, ran.out) == (1, "")
    assert "one has no container" in ran.err
    assert "python -m manager up" in ran.err
    for wrong in ("-1", "x", "1.5"):
        assert cli("logs", "--tail", wrong).code == 2
    assert cli("logs", "nobody").code == 6
