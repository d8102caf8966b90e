"""The doctor on a real engine: what it sees of a healthy one, what it finds, and that it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import docker
import pytest

from bot.contract import BOT_UID, LABEL_CLIENT_ID, LABEL_PROJECT
from manager import image
from manager.doctor import Finding, examine, look
from manager.engine import Engine
from manager.fleet import Fleet
from manager.spec import volume_name
from manager.text import catalogue
from tests.engine.conftest import make_fleet, needs_root

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

ALL_CHECKS = [
    "engine",
    "api",
    "image",
    "disk",
    "memory",
    "volumes",
    "namespaces",
    "limits",
    "clock",
    "logs",
]


@pytest.fixture(scope="module")
def bot_image(engine: Engine) -> str:
    return image.ensure(engine, None, os.environ).tag


@pytest.fixture
def fleet(project: str, bot_image: str) -> Fleet:
    made = make_fleet(project, "a", "b")
    return replace(made, image=None, bots=tuple(replace(bot, memory=512 * 1024**2) for bot in made.bots))


def found(fleet: Fleet | None) -> list[Finding]:
    return list(examine(fleet, os.environ, catalogue()))


def of(check: str, findings: list[Finding]) -> Finding:
    (finding,) = [each for each in findings if each.check == check]
    return finding


def in_volume(sdk: docker.APIClient, bot_image: str, volume: str, script: str) -> str:
    """Root's word on a volume, as an unlucky restore would have it."""
    container = sdk.create_container(
        bot_image,
        ["sh", "-c", script],
        user="0:0",
        host_config=sdk.create_host_config(binds=[f"{volume}:/session"], network_mode="none"),
    )["Id"]
    try:
        sdk.start(container)
        assert sdk.wait(container)["StatusCode"] == 0
        return str(sdk.logs(container).decode())
    finally:
        sdk.remove_container(container, force=True)


def volume_of(engine: Engine, project: str, client_id: str) -> str:
    name = volume_name(project, client_id)
    engine.create_volume(name, project, client_id)
    return name


def test_every_check_answers_once_and_a_healthy_engine_has_no_errors(engine: Engine, fleet: Fleet) -> None:
    volume_of(engine, fleet.project, "a")
    findings = found(fleet)
    assert [each.check for each in findings] == ALL_CHECKS
    assert [each for each in findings if each.level == "error"] == []
    for check in ("engine", "api", "image", "volumes", "namespaces", "clock", "logs"):
        assert of(check, findings).level == "ok", findings
    assert "tried" in of("namespaces", findings).message


def test_without_a_fleet_the_engine_is_still_examined(fleet: Fleet) -> None:
    assert [each.check for each in found(None)] == [each for each in ALL_CHECKS if each != "volumes"]


def test_nothing_is_left_behind_and_nothing_is_made(
    engine: Engine, sdk: docker.APIClient, fleet: Fleet
) -> None:
    volume = volume_of(engine, fleet.project, "a")
    label = {"label": f"{LABEL_PROJECT}={fleet.project}"}
    before = {each["Id"] for each in sdk.containers(all=True)}
    found(fleet)
    assert {each["Id"] for each in sdk.containers(all=True)} <= before
    assert [each["Name"] for each in sdk.volumes(filters=label)["Volumes"]] == [volume]
    assert sdk.networks(filters=label) == []


def test_the_look_into_a_session_cannot_write_to_it(
    engine: Engine, sdk: docker.APIClient, fleet: Fleet, bot_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = volume_of(engine, fleet.project, "a")
    in_volume(sdk, bot_image, volume, "chmod 777 /session")
    monkeypatch.setattr(look, "SCRIPT", "touch /sessions/0/written; chown 0 /sessions/0; exit 0")
    found(fleet)
    assert in_volume(sdk, bot_image, volume, "ls -A /session; stat -c %u /session").split() == [str(BOT_UID)]


def test_a_session_of_another_owner_is_found_and_the_fix_mends_it(
    engine: Engine, sdk: docker.APIClient, fleet: Fleet, bot_image: str
) -> None:
    volume = volume_of(engine, fleet.project, "a")
    in_volume(sdk, bot_image, volume, "mkdir /session/profile; ln -s nowhere /session/lock; chown 0 /session")
    finding = of("volumes", found(fleet))
    assert (finding.level, volume in finding.message) == ("error", True)
    assert "uid 0 instead of 10001" in finding.message
    fix_volume(finding)
    assert of("volumes", found(fleet)).level == "ok"


def test_one_strange_file_deep_in_a_shut_session_is_found_and_the_fix_mends_it(
    engine: Engine, sdk: docker.APIClient, fleet: Fleet, bot_image: str
) -> None:
    volume = volume_of(engine, fleet.project, "b")
    deep = "/session/profile/Local Storage/leveldb"
    in_volume(
        sdk,
        bot_image,
        volume,
        f"mkdir -p '{deep}'; touch '{deep}/LOCK'; chown -R {BOT_UID} /session; chmod -R go= /session;"
        f"chown 1000 '{deep}/LOCK'",
    )
    finding = of("volumes", found(fleet))
    assert finding.level == "error"
    assert "profile/Local Storage/leveldb/LOCK belongs to uid 1000" in finding.message
    fix_volume(finding)
    assert of("volumes", found(fleet)).level == "ok"


def fix_volume(finding: Finding) -> None:
    """What stands in backticks, typed; the bot's restart, which is another command's business, left out."""
    command = (finding.fix or "").split("`")[1].split(" && python -m manager restart")[0]
    subprocess.run(["sh", "-c", command], check=True, timeout=60)


def test_a_new_volume_that_no_bot_used_yet_is_well(engine: Engine, fleet: Fleet) -> None:
    volume_of(engine, fleet.project, "a")
    assert of("volumes", found(fleet)).level == "ok"


def test_a_bot_on_another_image_is_named(
    engine: Engine, sdk: docker.APIClient, fleet: Fleet, trivial_image: str
) -> None:
    labels = {LABEL_PROJECT: fleet.project, LABEL_CLIENT_ID: "b"}
    sdk.start(sdk.create_container(trivial_image, labels=labels)["Id"])
    finding = of("image", found(fleet))
    assert finding.level == "warning"
    assert finding.message.endswith(": b.")


def test_without_the_image_what_can_be_seen_from_here_is_seen(engine: Engine, fleet: Fleet) -> None:
    volume_of(engine, fleet.project, "a")
    findings = found(replace(fleet, image="oturum-no-such-image:1"))
    assert [each.check for each in findings] == ALL_CHECKS
    assert of("image", findings).level == "error"
    assert of("volumes", findings).level == "warning"
    assert "docker pull oturum-no-such-image:1" in (of("image", findings).fix or "")


def test_an_image_that_cannot_run_the_look_is_a_finding(fleet: Fleet, sdk: docker.APIClient) -> None:
    """An image of an empty archive: nothing in it can be started."""
    tag = "oturum-test-empty:1"
    sdk.import_image_from_data(b"\0" * 10240, repository="oturum-test-empty", tag="1")
    try:
        findings = found(replace(fleet, image=tag))
    finally:
        sdk.remove_image(tag, force=True)
    assert of("container", findings).level == "error"
    assert "executable file not found" in of("container", findings).message
    assert of("namespaces", findings).level == "ok"
    assert "`" in (of("container", findings).fix or "")


def test_a_sandbox_that_the_kernel_refuses_is_an_error(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bots' own seccomp profile refuses a mount namespace: as a real kernel says no."""
    monkeypatch.setattr(look, "_SANDBOX", ("unshare", "--user", "--map-root-user", "--mount", "true"))
    finding = of("namespaces", found(fleet))
    assert finding.level == "error"
    assert "Operation not permitted" in finding.message


@needs_root
def test_a_user_who_may_not_open_the_socket_gets_the_command(engine: Engine) -> None:
    findings = as_nobody(engine)
    assert [each["check"] for each in findings] == ["engine"]
    group = Path(engine.host.removeprefix("unix://")).group()
    expected = (
        "sudo groupadd -f docker" if group == "root" else f"sudo usermod -aG {group} nobody && newgrp {group}"
    )
    assert expected in findings[0]["fix"]
    assert "nobody" in findings[0]["message"]


def as_nobody(engine: Engine) -> list[dict[str, str]]:
    """In a process of its own, forked: the sources and libraries, read already, may be shut to `nobody`."""
    list(examine(None, {"DOCKER_HOST": "unix:///nowhere"}, catalogue()))
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            findings = list(examine(None, {"DOCKER_HOST": engine.host}, catalogue()))
            os.write(writing, json.dumps([asdict(each) for each in findings]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    decoded: list[dict[str, str]] = json.loads(text)
    return decoded
