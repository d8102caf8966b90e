"""The scenarios that the product exists for, with the bot's image, the simulator's and a real engine.

All share one fleet; each begins by having it settled, so that any one of them can run alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import docker
import pytest

from bot.contract import LABEL_CLIENT_ID, SESSION_MOUNT, BotExit, EventName
from demo.stage import Stage
from demo.stage import docker as docker_command
from manager import image
from manager.confinement import container_body
from manager.engine import Engine
from manager.exits import Exit
from manager.image import BotImage
from manager.spec import build, volume_name
from setup import simulator_image
from tests.cli.conftest import ROOT, Cli
from tests.engine.cast import Cast, read
from tests.engine.conftest import changed

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

ONE, TWO, IDLE = "one", "Two", "idle"
PAIRED = (ONE, TWO)
QUICK = (
    *("--first-ref-seconds", "900"),  # the idle bot shows one code all the time
    *("--sync-seconds", "0.1", "--load-seconds", "0.05", "--backoff-scale", "0.3"),
    *("--health-seconds", "0.5", "--dead-seconds", "2"),
)
STRANGER = 4242
# A cut of 8 s, which no page overlooks.
GENTLE_SEED = "127"


@pytest.fixture(scope="module")
def bot_image(engine: Engine) -> BotImage:
    return image.ensure(engine, None, os.environ)


@pytest.fixture(scope="module")
def stage(engine: Engine) -> Iterator[Stage]:
    with Stage(engine, f"ot-{uuid.uuid4().hex[:8]}", simulator_image.ensure(), QUICK) as stage:
        yield stage


@pytest.fixture(scope="module")
def running(stage: Stage, bot_image: BotImage, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    file = tmp_path_factory.mktemp("fleet") / "bots.yaml"
    bots = "\n".join(f"  - clientId: {client}" for client in (*PAIRED, IDLE))
    cast = Cast(stage, read(stage, file, bot_image.tag, bots))
    cast.settle(PAIRED)
    return cast


@pytest.fixture
def cast(running: Cast) -> Cast:
    running.settle(PAIRED)
    return running


def manager_of(cast: Cast, bot_image: BotImage, folder: Path, *clients: str) -> Cli:
    """`python -m manager` for the same fleet, with these bots in its bots.yaml."""
    told = {"PYTHONPATH": str(ROOT), "OTURUM_LANG": "en", "SIMULATOR_PIN": cast.stage.pin}
    cli = Cli(folder, os.environ | told)
    read(cast.stage, cli.file, bot_image.tag, "\n".join(f"  - clientId: {client}" for client in clients))
    return cli


def goes_on(cast: Cast, client: str, mark: int) -> None:
    """It found its session and is READY again; nobody was asked to scan."""
    found = cast.event(client, EventName.BOT_SESSION, mark)
    assert (found["session"], found["message"]) == ("present", "existing session found, reconnecting")
    cast.event(client, EventName.WHATSAPP_READY, mark)
    assert cast.qrs(client, mark) == 0


def test_clean_start(cast: Cast) -> None:
    names = [name for name in cast.ears[ONE].names() if name != EventName.BOT_STATE]
    assert names[:6] == [
        "STARTUP", "SESSION_CREATE", "BOT_INIT", "WHATSAPP_QR", "WHATSAPP_PAIRED", "WHATSAPP_READY",
    ]  # fmt: skip
    assert cast.event(ONE, EventName.WHATSAPP_QR)["cause"] == "first_pairing"
    assert cast.status(ONE)["session_present"] is True


def test_two_bots_at_once(cast: Cast, sdk: docker.APIClient) -> None:
    assert cast.codes[ONE] != cast.codes[TWO]
    assert cast.phones[ONE] != cast.phones[TWO]
    for client in PAIRED:
        status = cast.status(client)
        assert (status["client_id"], status["state"]) == (client, "READY")
        assert status["phone"].endswith(cast.phones[client][-3:])
        mounts = sdk.inspect_container(cast.stage.container(client))["Mounts"]
        volumes = [each["Name"] for each in mounts if each["Destination"] == SESSION_MOUNT]
        assert volumes == [volume_name(cast.stage.project, client)]


def test_a_waiting_bot_draws_its_code(cast: Cast) -> None:
    code = cast.stage.code(IDLE)
    assert code.text.count(",") >= 4
    assert code.picture.count("█") > 200
    assert code.text not in code.picture


def test_renderers_run_in_chromiums_own_sandbox(cast: Cast, sdk: docker.APIClient) -> None:
    container = cast.stage.container(ONE)
    init = sdk.inspect_container(container)["State"]["Pid"]
    listed = sdk.top(container, ps_args="-eo pid,args")["Processes"]
    renderers = [int(pid) for pid, command in listed if "--type=renderer" in command]
    assert renderers
    for pid in renderers:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert (status["Seccomp"], status["Seccomp_filters"], status["NoNewPrivs"]) == ("2", "2", "1")
        assert int(status["CapEff"], 16) == 0
        for kind in ("user", "pid", "net"):
            assert Path(f"/proc/{pid}/ns/{kind}").readlink() != Path(f"/proc/{init}/ns/{kind}").readlink()


def test_internet_cut(cast: Cast) -> None:
    marks = {client: cast.ears[client].mark for client in PAIRED}
    cast.stage.order("drop", "--all")
    for client, mark in marks.items():
        lost = cast.event(client, EventName.WHATSAPP_DISCONNECT, mark)
        assert (lost["reason"], lost["session"]) == ("CONNECTION_ERROR", "present")
        cast.event(client, EventName.BOT_STATE, mark, where=lambda one: one["to"] == "RECONNECTING")
    cast.stage.order("restore", "--all")
    for client, mark in marks.items():
        cast.event(client, EventName.WHATSAPP_READY, mark)
        assert cast.qrs(client, mark) == 0


def test_container_killed(cast: Cast) -> None:
    marks = {client: cast.ears[client].mark for client in PAIRED}
    before = cast.stage.container_id(ONE)
    docker_command("kill", before)
    cast.up()
    goes_on(cast, ONE, marks[ONE])
    assert cast.stage.container_id(ONE) == before
    assert cast.quiet(TWO, marks[TWO])


def test_container_killed_and_removed(cast: Cast) -> None:
    mark, before = cast.ears[ONE].mark, cast.stage.container_id(ONE)
    docker_command("rm", "--force", before)
    cast.up()
    goes_on(cast, ONE, mark)
    assert cast.stage.container_id(ONE) != before


def test_a_bot_whose_processes_die_is_started_again_by_the_engine(cast: Cast, sdk: docker.APIClient) -> None:
    mark = cast.ears[ONE].mark
    os.kill(sdk.inspect_container(cast.stage.container(ONE))["State"]["Pid"], 9)
    goes_on(cast, ONE, mark)
    assert sdk.inspect_container(cast.stage.container(ONE))["RestartCount"] == 1


def test_container_recreated_by_a_changed_setting(cast: Cast, sdk: docker.APIClient) -> None:
    marks = {client: cast.ears[client].mark for client in PAIRED}
    before = cast.stage.container_id(ONE)
    memory = 600 * 1024 * 1024
    cast.up(changed(cast.fleet, ONE, memory=memory))
    goes_on(cast, ONE, marks[ONE])
    assert cast.stage.container_id(ONE) != before
    limits = sdk.inspect_container(cast.stage.container(ONE))["HostConfig"]
    assert (limits["Memory"], limits["MemorySwap"]) == (memory, memory)
    assert cast.quiet(TWO, marks[TWO])


def test_restart(cast: Cast) -> None:
    marks = {client: cast.ears[client].mark for client in PAIRED}
    cast.restart(*PAIRED)
    for client, mark in marks.items():
        assert cast.event(client, EventName.SHUTDOWN, mark)["session"] == "present"
        goes_on(cast, client, mark)


def test_sigterm_is_a_clean_stop_within_the_grace(cast: Cast, sdk: docker.APIClient) -> None:
    mark, container = cast.ears[ONE].mark, cast.stage.container(ONE)
    sdk.stop(container)
    state = sdk.inspect_container(container)["State"]
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", BotExit.OK, False)
    assert cast.event(ONE, EventName.SHUTDOWN, mark)["signal"] == "SIGTERM"
    cast.up()
    goes_on(cast, ONE, mark)


def test_a_running_bots_backup_goes_on_under_another_name(
    cast: Cast, bot_image: BotImage, tmp_path: Path
) -> None:
    cli = manager_of(cast, bot_image, tmp_path, ONE, TWO, IDLE, "moved")
    mark = cast.ears[ONE].mark
    saved = cli("backup", ONE, "-o", "one.zst", "--plain")
    assert saved.code == Exit.OK, saved
    assert "its newest generation" in saved.out
    assert not {EventName.SHUTDOWN, EventName.WHATSAPP_DISCONNECT} & {*cast.ears[ONE].names(mark)}
    assert cast.status(ONE)["state"] == "READY"

    # One session must not run twice.
    assert cli("down").code == Exit.OK
    cast.ears["moved"] = cast.stage.ear("moved")
    try:
        restored = cli("restore", "one.zst", "--as", "moved", "--yes")
        assert restored.code == Exit.OK, restored
        assert cli("up", "moved").code == Exit.OK
        goes_on(cast, "moved", 0)
        assert cast.status("moved")["phone"].endswith(cast.phones[ONE][-3:])
    finally:
        cast.ears.pop("moved").close()
        assert cli("rm", "moved", "--volume", "--yes").code == Exit.OK


def test_the_gentle_drill_on_a_bot_that_works(cast: Cast, bot_image: BotImage, tmp_path: Path) -> None:
    cli = manager_of(cast, bot_image, tmp_path, ONE, TWO, IDLE)
    refused = cli("drill", "--gentle", IDLE)
    assert (refused.code, "WAITING_FOR_QR_SCAN" in refused.err) == (Exit.FAILED, True)
    mark = cast.ears[ONE].mark
    process = cli.start("drill", "--gentle", ONE, "--rounds", "1", "--seed", GENTLE_SEED, "--json")
    told, said = process.communicate()
    assert process.returncode == Exit.OK, (told, said, cast.ears[ONE].tale(mark))
    (only,) = json.loads(told)["rounds"]
    assert (only["subject"], only["passed"], only["unexplained"]) == (ONE, True, 0)
    # It was really away, nothing else was done to it, and its name is back on the network.
    names = cast.ears[ONE].names(mark)
    assert EventName.WHATSAPP_DISCONNECT in names
    assert EventName.SHUTDOWN not in names
    script = f"import socket; socket.gethostbyname({ONE!r})"
    found = cast.stage.engine.exec(cast.stage.simulator, ["python", "-c", script], 10)
    assert found.exit_code == 0, found.stderr


def test_logout(cast: Cast) -> None:
    marks = {client: cast.ears[client].mark for client in PAIRED}
    # Requests, not codes: after a cut before this the idle bot's page may just now come back with a new code.
    asked = cast.status(IDLE)["counters"]["qr_requests"]
    cast.stage.order("logout", "--phone", cast.phones[ONE])
    gone = cast.event(ONE, EventName.WHATSAPP_LOGOUT, marks[ONE])
    code = cast.event(ONE, EventName.WHATSAPP_QR, marks[ONE])
    assert (gone["reason"], gone["session"], code["cause"]) == ("phone", "absent", "logout")
    waited = datetime.fromisoformat(code["time"]) - datetime.fromisoformat(gone["time"])
    assert waited.total_seconds() >= 2
    cast.scan(ONE)
    assert cast.qrs(ONE, marks[ONE]) == 1
    assert cast.quiet(TWO, marks[TWO])
    assert cast.status(IDLE)["counters"]["qr_requests"] == asked


def test_a_second_container_on_the_same_volume_refuses_and_says_who_holds_it(
    cast: Cast, bot_image: BotImage, engine: Engine
) -> None:
    mark = cast.ears[ONE].mark
    bot = next(each for each in cast.fleet.bots if each.client_id == ONE)
    body = container_body(build(cast.fleet, bot, bot_image.id, bot_image.version))
    body["Hostname"], body["Labels"], body["Healthcheck"] = "intruder", {}, {"Test": ["NONE"]}
    body["HostConfig"]["RestartPolicy"] = {}
    body["NetworkingConfig"]["EndpointsConfig"][cast.fleet.project + "-bots"]["Aliases"] = ["intruder"]
    ended = engine.run(body, 60)
    refused = json.loads(ended.stdout.splitlines()[-1])
    assert ended.exit_code == BotExit.SESSION_IN_USE
    assert (refused["event"], refused["level"]) == ("BOT_SESSION", "error")
    assert f"in use by bot {ONE}" in refused["problem"]
    assert f"on {ONE}" in refused["problem"]
    assert refused["fix"]
    assert cast.quiet(ONE, mark)
    assert cast.status(ONE)["state"] == "READY"


def test_a_session_folder_of_another_user_is_named_and_the_named_command_mends_it(
    cast: Cast, bot_image: BotImage, tmp_path: Path
) -> None:
    client = f"locked-{uuid.uuid4().hex[:6]}"
    stage, volume = cast.stage, volume_name(cast.stage.project, client)
    stage.engine.create_volume(volume, stage.project, client)
    steal = f"mkdir -p {SESSION_MOUNT}/profile && chown -R {STRANGER} {SESSION_MOUNT}"
    docker_command(
        *("run", "--rm", "--user", "0", "--volume", f"{volume}:{SESSION_MOUNT}", bot_image.tag),
        *("sh", "-c", steal),
    )
    cast.ears[client] = stage.ear(client)
    fleet = read(stage, tmp_path / "bots.yaml", bot_image.tag, f"  - clientId: {client}")
    cast.up(replace(cast.fleet, bots=(*cast.fleet.bots, *fleet.bots)))
    refused = cast.event(client, EventName.BOT_SESSION)
    assert refused["level"] == "error"
    assert str(STRANGER) in refused["hint"]
    # A bot of that name in another project, and younger, is not the one that is meant.
    other = docker_command("create", "--label", f"{LABEL_CLIENT_ID}={client}", bot_image.tag)
    mend = subprocess.run(refused["fix"], shell=True, check=False, capture_output=True, text=True)
    docker_command("rm", "--volumes", other)
    assert mend.returncode == 0, mend.stderr
    cast.event(client, EventName.WHATSAPP_QR)


def test_a_proxys_password_stands_in_no_inspect_and_no_layer(
    cast: Cast, bot_image: BotImage, sdk: docker.APIClient, tmp_path: Path
) -> None:
    password = f"pass-{uuid.uuid4().hex}"
    bots = f"  - clientId: proxied\n    proxy: http://user:{password}@{cast.stage.simulator}:8081"
    fleet = read(cast.stage, tmp_path / "bots.yaml", bot_image.tag, bots)
    cast.ears["proxied"] = cast.stage.ear("proxied")
    cast.up(replace(cast.fleet, bots=(*cast.fleet.bots, *fleet.bots)))
    cast.event("proxied", EventName.STARTUP)
    container = cast.stage.container("proxied")
    delivered = cast.stage.engine.exec(container, ["cat", f"{SESSION_MOUNT}/secrets/proxy.json"], 10)
    assert json.loads(delivered.stdout)["password"] == password
    for told in (
        sdk.inspect_container(container),
        sdk.inspect_image(bot_image.id),
        sdk.history(bot_image.id),
    ):
        assert password not in json.dumps(told)
    tail, searched = b"", 0
    for chunk in sdk.export(container):
        assert password.encode() not in tail + chunk
        tail, searched = chunk[-len(password) :], searched + len(chunk)
    assert searched > 100_000_000
    assert password not in json.dumps(cast.ears["proxied"].events)


def test_a_bot_that_waits_for_a_scan_is_healthy(cast: Cast, sdk: docker.APIClient) -> None:
    container = cast.stage.container(IDLE)
    news = sdk.events(filters={"type": "container", "container": container}, decode=True)
    while sdk.inspect_container(container)["State"]["Health"]["Status"] == "starting":
        next(news)
    assert sdk.inspect_container(container)["State"]["Health"]["Status"] == "healthy"
    assert cast.status(IDLE)["state"] == "WAITING_FOR_QR_SCAN"


def test_a_change_that_breaks_a_bot_is_rolled_out_to_one_bot_only(
    cast: Cast, bot_image: BotImage, tmp_path: Path
) -> None:
    cli = manager_of(cast, bot_image, tmp_path, ONE, TWO, IDLE)
    clients = (*PAIRED, IDLE)
    before = {client: cast.stage.container_id(client) for client in clients}
    marks = {client: cast.ears[client].mark for client in clients}
    good = cli.file.read_text()
    cli.file.write_text(good.replace("  browser:\n", "  browser:\n    executable: /no/such/browser\n"))
    halted = cli("up", "--canary", "--yes", "--json")
    assert halted.code == Exit.ROLLOUT, halted
    halt = halted.json["halt"]
    assert (halt["client_id"], halt["before"]) == (ONE, "READY")
    assert halt["fate"] in ("ended", "stuck")  # it says FAILED and ends, and the engine starts it again
    assert f"python -m manager logs {ONE}" in halt["fix"]
    assert set(halt["unchanged"]) == {TWO, IDLE}
    # The same command again does not try it on the next one.
    again = cli("up", "--canary", "--yes")
    assert (again.code, f"stopped: {ONE}" in again.err) == (Exit.ROLLOUT, True), again
    assert {client for client in clients if cast.stage.container_id(client) != before[client]} == {ONE}
    assert not {EventName.SHUTDOWN, EventName.STARTUP} & {*cast.ears[TWO].names(marks[TWO])}

    cli.file.write_text(good.replace("memory: 512m", "memory: 520m"))
    mended = cli("up", "--canary", "--yes")
    assert mended.code == Exit.OK, mended
    assert "The roll-out is complete: 3 bot(s)" in mended.out
    for client in PAIRED:
        cast.event(client, EventName.WHATSAPP_READY, marks[client])
        assert cast.qrs(client, marks[client]) == 0
    assert cast.status(IDLE)["state"] == "WAITING_FOR_QR_SCAN"
    assert all(cast.stage.container_id(client) != before[client] for client in clients)


_LEFT_BY_A_NEWER_BROWSER = """
import json, pathlib, shutil
folder = pathlib.Path("/session")
marker = json.loads((folder / "marker.json").read_text())
(folder / "marker.json").write_text(json.dumps(marker | {"browser_version": "999.0"}))
newest = max(folder.joinpath("generations").glob("[0-9]*"), key=lambda each: int(each.name))
copy = shutil.copytree(newest, newest.with_name(str(int(newest.name) + 1)))
manifest = json.loads((copy / "manifest.json").read_text())
(copy / "manifest.json").write_text(json.dumps(manifest | {"browserVersion": "999.0"}))
"""


def test_a_browser_that_is_too_old_is_refused_and_the_command_it_names_goes_back(
    cast: Cast, bot_image: BotImage, tmp_path: Path
) -> None:
    cli, container = manager_of(cast, bot_image, tmp_path, ONE, TWO, IDLE), cast.stage.container(ONE)
    cast.stage.ctl(ONE, "generation")
    docker_command("stop", container)
    mount = f"{volume_name(cast.stage.project, ONE)}:{SESSION_MOUNT}"
    docker_command(
        *("run", "--rm", "--volume", mount, bot_image.tag, "python", "-c", _LEFT_BY_A_NEWER_BROWSER)
    )
    mark = cast.ears[ONE].mark
    docker_command("start", container)
    refused = cast.event(ONE, EventName.BOT_INIT, mark, where=lambda one: one["level"] == "error")
    assert "is older than 999.0" in refused["problem"]
    command = re.search(r"python -m manager (.+ --force)$", refused["fix"])
    assert command is not None, refused
    unforced = cli("rollback", ONE, "--yes")
    assert (unforced.code, command[0] in unforced.err) == (Exit.FAILED, True), unforced
    mark = cast.ears[ONE].mark
    back = cli(*command[1].split(), "--yes")
    assert back.code == Exit.OK, back
    goes_on(cast, ONE, mark)
    assert not cast.status(ONE)["browser_version"].startswith("999")
