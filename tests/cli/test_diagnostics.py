"""`diagnostics`, `report` and `logs` on the real engine: of bots that run, that are stopped, and that are gone."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import pytest

from bot.contract import BOT_UID, LABEL_CLIENT_ID, LABEL_PROJECT, LABEL_TOOL, SESSION_MOUNT
from manager.confinement import one_shot_body
from manager.engine import Engine
from manager.image import ensure
from manager.spec import container_name, volume_name
from tests.cli.conftest import Cli, surroundings
from tests.engine.conftest import sweep
from tests.stories import BEGIN, HOUR, Log

pytestmark = pytest.mark.engine
PROJECT = f"ot-diag-{os.getpid()}"
CLIENTS = ("sales", "support", "later", "idle")
PHONE = "905551112233"


@dataclass
class World:
    cli: Cli
    engine: Engine
    sdk: docker.APIClient
    image: str


def ago(log: Log, seconds: float) -> Log:
    """`seconds` before now."""
    log.now = datetime.now(UTC).timestamp() - BEGIN.timestamp() - seconds
    return log


def running() -> Log:
    """Paired long ago, cut off once; nothing else."""
    log = ago(Log("sales"), 5 * HOUR).start().wait(8).ready("restart", 8.0).wait(HOUR)
    return log.outage(12).wait(60).add("SESSION_KEPT", generation=3, moment="live")


def stopped() -> Log:
    """Lost its session for want of memory, was scanned, and stopped."""
    evidence = ["memory_kills=2", "free=900MiB"]
    log = ago(Log("support"), 8 * HOUR).start().ready("restart", 5.0).wait(HOUR).drop("SESSION_LOST")
    log.add("SESSION_RESTORE", "warning", f"trying for {PHONE}", kind="generation", generation=7).wait(30)
    log.add("SESSION_LOST", "error", "lost", verdict="storage", evidence=evidence)
    log.code("session_lost", verdict="storage", evidence=evidence).wait(240).pair().ready().wait(HOUR)
    return log.stop()


def gone() -> Log:
    return ago(Log("ghost"), 30 * HOUR).start().ready("restart", 5.0).wait(HOUR).outage(3).stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    engine = Engine.connect(os.environ)
    sdk = docker.APIClient(base_url=engine.host, version="auto")
    image = ensure(engine, None, os.environ).tag
    cli = Cli(tmp_path_factory.mktemp("diagnostics"), surroundings())
    cli.bots(PROJECT, *CLIENTS, image=image)
    with ExitStack() as stack:
        stack.callback(sweep, sdk, PROJECT)
        for log in (running(), stopped(), gone()):
            fill(engine, image, log)
        container(sdk, image, "sales", run=True)
        container(sdk, image, "support", run=False)
        yield World(cli, engine, sdk, image)


def fill(engine: Engine, image: str, log: Log, owner: int = BOT_UID) -> None:
    """The log on its bot's volume, rotated once."""
    engine.create_volume(volume_name(PROJECT, log.client_id), PROJECT, log.client_id)
    lines = log.text.splitlines(keepends=True)
    half = len(lines) // 2
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo("events")
        folder.type, folder.mode, folder.uid = tarfile.DIRTYPE, 0o755, BOT_UID
        archive.addfile(folder)
        for name, part in (("events.jsonl.1", lines[:half]), ("events.jsonl", lines[half:])):
            entry = tarfile.TarInfo(f"events/{name}")
            entry.size, entry.mode, entry.uid = len(b"".join(part)), 0o600, owner
            archive.addfile(entry, io.BytesIO(b"".join(part)))
    body = one_shot_body(image, ["true"], 64 << 20)
    body["Labels"] = {LABEL_TOOL: PROJECT}
    body["HostConfig"]["Mounts"] = [mount(log.client_id)]
    with engine.one_shot(body, f"{PROJECT}-fill", iter([buffer.getvalue()])) as done:
        assert done.wait() == 0


def mount(client_id: str) -> dict[str, Any]:
    return {"Type": "volume", "Source": volume_name(PROJECT, client_id), "Target": SESSION_MOUNT}


def container(sdk: docker.APIClient, image: str, client_id: str, *, run: bool) -> None:
    """What the engine shows of a bot; nothing of it is asked."""
    body = one_shot_body(image, ["sleep", "infinity"], 64 << 20)
    body["Labels"] = {LABEL_PROJECT: PROJECT, LABEL_CLIENT_ID: client_id}
    body["HostConfig"]["Mounts"] = [mount(client_id)]
    made = sdk.create_container_from_config(body, name=container_name(PROJECT, client_id))
    if run:
        sdk.start(made["Id"])


def columns(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")]


def test_summary_tells_of_every_bot_whatever_became_of_its_container(world: World) -> None:
    ran = world.cli("diagnostics", "summary", "--json")
    assert (ran.code, ran.err) == (0, "")
    bots = {each["client_id"]: each for each in ran.json["bots"]}
    assert list(bots) == [*CLIENTS, "ghost"]
    found = {client: (each["container"], each["state"]) for client, each in bots.items()}
    assert found == {
        "sales": ("running", "READY"),
        "support": ("down", "STOPPED"),
        "later": ("none", None),
        "idle": ("none", None),
        "ghost": ("none", "STOPPED"),
    }
    assert bots["sales"]["reconnects"]["page"] == {"count": 1, "p50": 12.0, "p95": 12.0}
    assert bots["sales"]["last_good_generation"]["number"] == 3
    assert bots["support"]["qr_by_cause"] == {"session_lost": 1}
    assert all(each["unreadable_lines"] == 0 for each in bots.values())


def test_summary_in_a_pipe_is_columns_and_a_verdict_on_every_qr(world: World) -> None:
    head, *lines = world.cli("diagnostics", "summary", "support", "later").lines
    assert columns(head)[:5] == ["CLIENT", "STATE", "SINCE", "UP", "READY"]
    assert columns(lines[0])[:2] == ["support", "stopped"]
    assert columns(lines[1]) == ["later", *["-"] * 9]
    (told,) = [line for line in lines if "QR:" in line]
    assert "SESSION LOST: profile damaged: processes were killed for want of memory (2)" in told
    assert "put back in vain: generation 7; scanned after 4m" in told


def test_error_after_a_mere_drop_shows_the_drop_and_what_was_done_and_no_qr(world: World) -> None:
    """The product's first requirements, number 8."""
    head, *rows = map(columns, world.cli("diagnostics", "error", "sales").lines)
    assert head == ["CLIENT", "LEVEL", "EVENT", "REASON", "COUNT", "LAST", "WHAT", "HINT"]
    assert [row[2:5] for row in rows] == [
        ["WHATSAPP_DISCONNECT", "CONNECTION_ERROR", "1"],
        ["BOT_RECONNECT", "page", "1"],
    ]
    assert all(row[7] for row in rows)


def test_since_leaves_out_what_was_before(world: World) -> None:
    assert world.cli("diagnostics", "error", "sales", "--since", "1h").out == "No failures.\n"
    found = world.cli("diagnostics", "summary", "ghost", "--since", "24h", "--json").json["bots"][0]
    assert (found["disconnects"], found["state"], found["events"]) == ({}, "STOPPED", 0)


def test_in_a_terminal_it_is_a_table_in_the_readers_language(world: World) -> None:
    shown = world.cli.terminal("diagnostics", "summary", "support", OTURUM_LANG="tr").end()
    assert shown.code == 0
    assert "durduruldu" in shown.out
    assert "OTURUM KAYBOLDU" in shown.out
    assert "──" in shown.out
    narrow = world.cli.terminal("diagnostics", "summary", "support", columns=80, OTURUM_LANG="tr").end()
    assert "\n  kopmalar SESSION_LOST 1\n" in narrow.out
    assert "──" not in narrow.out
    shown = world.cli.terminal("diagnostics", "error", "support", "later", OTURUM_LANG="tr").end()
    assert "> hiçbir telefonun yol açmadığı bir QR" in shown.out
    assert "Hata yok: later." in shown.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["diagnostics"], 2, "summary|error is missing."),
        (["diagnostics", "sales"], 2, "`sales` is none of: summary, error."),
        (["diagnostics", "summary", "--since", "soon"], 2, "`soon` is no time in the past."),
        (["diagnostics", "summary", "sale"], 6, "Did you mean sales?"),
        (["report", "sales"], 2, "--html is missing."),
    ],
)
def test_wrong_usage_says_what_is_right(world: World, words: list[str], code: int, told: str) -> None:
    ran = world.cli(*words)
    assert ran.code == code
    assert told in ran.err


def test_without_an_engine_it_ends_with_5(world: World) -> None:
    ran = world.cli("diagnostics", "summary", "--json", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert (ran.code, ran.json["exit"]) == (5, 5)


def test_the_report_is_written_whole_for_its_owner_and_replaces_nothing_unasked(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "week.html"
    ran = world.cli("report", "--html", str(file))
    assert (ran.code, ran.err) == (0, "")
    text = file.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
    assert all(f">{client}<" in text for client in (*CLIENTS, "ghost"))
    assert PHONE not in text
    assert "90*******233" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = world.cli("report", "--html", str(file), "sales")
    assert (again.code, file.read_text("utf-8")) == (1, text)
    assert "--force" in again.err
    assert world.cli("report", "--html", str(file), "sales", "--force").code == 0
    assert "ghost" not in file.read_text("utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["week.html"]
    nowhere = world.cli("report", "--html", str(tmp_path / "no" / "week.html"))
    assert nowhere.code == 1
    assert "could not be written: No such file or directory" in nowhere.err


def test_logs_of_a_bot_without_a_container_come_from_its_volume(world: World) -> None:
    ran = world.cli("logs", "ghost")
    assert ran.code == 0
    assert f"its event log from the volume {PROJECT}-session-ghost" in ran.err
    assert [line.split("|")[1].strip() for line in ran.lines] == [
        "STARTUP", "BOT_STATE", "WHATSAPP_READY", "WHATSAPP_DISCONNECT", "BOT_STATE", "BOT_RECONNECT", "BOT_STATE",
        "WHATSAPP_READY", "SHUTDOWN", "BOT_STATE",
    ]  # fmt: skip
    raw = world.cli("logs", "ghost", "--raw", "--tail", "2")
    assert [json.loads(line)["event"] for line in raw.lines] == ["SHUTDOWN", "BOT_STATE"]
    nothing = world.cli("logs", "later")
    assert nothing.code == 1
    assert "later has no container and never had a session" in nothing.err


def test_a_log_that_cannot_be_read_is_named_and_the_others_are_told(world: World) -> None:
    fill(world.engine, world.image, ago(Log("idle"), HOUR).start(), owner=0)
    ran = world.cli("diagnostics", "summary")
    assert ran.code == 1
    assert "idle: some of its event log cannot be read (events.jsonl" in ran.err
    assert {"sales", "support", "ghost"} <= {line.split()[0] for line in ran.lines if line}


def test_no_failures_of_a_log_that_is_damaged_is_not_all_that_is_said(world: World) -> None:
    log = ago(Log("idle"), HOUR).start().stop()
    log.lines.append("[[[")
    fill(world.engine, world.image, log)
    ran = world.cli("diagnostics", "error", "idle")
    assert (ran.code, ran.out) == (0, "No failures.\n")
    assert ran.err == "idle: 1 line(s) of the log could not be read and do not count.\n"


def test_nothing_is_left_behind(world: World) -> None:
    assert world.cli("diagnostics", "summary").lines
    assert not world.sdk.containers(all=True, filters={"label": f"{LABEL_TOOL}={PROJECT}"})
