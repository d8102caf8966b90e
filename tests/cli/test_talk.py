"""The commands that talk to running bots: real containers, a real browser, the simulator's phones.

Two bots for all of it. `sales` is paired once, as a person does it; `support` is linked, unlinked and broken.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import uuid
from collections.abc import Iterator
from datetime import datetime

import pytest

from demo.stage import Stage, StageError, docker
from manager.engine import Engine
from manager.image import ensure
from setup import simulator_image
from tests.cli.conftest import SECONDS, Cli, Terminal, surroundings
from tests.cli.talking import Following, World, picture, read_png

pytestmark = [pytest.mark.engine, pytest.mark.browser]

PHONE = "905551112233"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    engine = Engine.connect(os.environ)
    image = ensure(engine, None, os.environ).tag
    folder = tmp_path_factory.mktemp("talk")
    cli = Cli(folder, surroundings())
    options = [
        "--sync-seconds",
        "0.1",
        "--load-seconds",
        "0.05",
        "--first-ref-seconds",
        "6",
        "--ref-seconds",
        "6",
    ]
    with Stage(engine, f"ot-{uuid.uuid4().hex[:8]}", simulator_image.ensure(), options) as stage:
        cli.file.write_text(
            f"project: {stage.project}\n"
            f"image: {image}\n"
            "defaults:\n"
            "  memory: 512m\n"
            "  reconnect: {logoutWait: 0.5, networkWait: 3}\n"
            f'  browser: {{args: ["--ignore-certificate-errors-spki-list={stage.pin}"]}}\n'
            "bots:\n"
            "  - clientId: sales\n"
            "  - {clientId: support, language: tr}\n"
            "  - {clientId: idle, enabled: false}\n"
            "  - clientId: later\n"
        )
        ears = {client: stage.ear(client) for client in ("sales", "support")}
        up = cli("up", "sales", "support")
        assert up.code == 0, up
        yield World(stage, cli, ears)
        for terminal in cli.terminals:
            terminal.close()


def test_a_phone_reads_the_qr_off_the_terminal_and_the_command_ends_when_paired(world: World) -> None:
    world.unpair("sales")
    small = world.cli.terminal("qr", "sales", rows=24, columns=80)
    small.expect("needs a window of")
    small.interrupt()
    assert small.end().code == 130

    terminal = world.cli.terminal("qr", "sales", rows=45, columns=100)
    terminal.expect("Ctrl-C ends it now")
    first = picture(terminal.seen)
    terminal.expect("Ctrl-C ends it now")  # drawn anew, in place, with the bot's next code
    assert picture(terminal.seen).split(",")[0] != first.split(",")[0]
    secrets, number = _scan_off(terminal, world.stage)
    terminal.expect("sales is paired")
    ended = terminal.end()
    assert ended.code == 0
    assert f"({number[:2]}*******{number[-3:]})" in ended.lines[-1]

    shown = world.cli("qr", "sales", "--text")
    assert (shown.code, shown.out) == (3, "")
    assert "sales is paired already" in shown.err
    assert "python -m manager logout sales" in shown.err
    log = world.cli("logs", "sales", "--raw").out + docker("logs", world.container("sales"))
    for secret in secrets:
        assert secret not in log


def _scan_off(terminal: Terminal, stage: Stage) -> tuple[list[str], str]:
    """The code's secrets, and the phone's number."""
    while True:
        text = picture(terminal.seen)
        try:
            return text.split(",")[1:4], stage.scan(text)
        except StageError:
            terminal.expect("Ctrl-C ends it now")  # that code had its time; the next one is drawn


def test_the_qr_as_text_and_as_a_picture(world: World) -> None:
    world.unpair("support")
    world.cli("qr", "support", "--text")  # a code is there: what follows has nothing to wait for
    file = world.cli.folder / "code.png"
    file.write_text("something old, for everybody to read")
    file.chmod(0o644)
    written = world.cli("qr", "support", "--png", "code.png")
    assert (written.code, written.err) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = world.cli("qr", "support", "--text")
    assert text.code == 0
    assert (read_png(file) or "").split(",")[1:] == text.out.strip().split(",")[
        1:
    ]  # the ref may be the next one
    assert [each.name for each in world.cli.folder.iterdir() if "code.png" in each.name] == ["code.png"]

    nowhere = world.cli("qr", "support", "--png", "no/such/folder/code.png")
    assert nowhere.code == 1
    assert "no/such/folder/code.png" in nowhere.err
    assert "Traceback" not in nowhere.err
    assert world.cli("qr", "support", "--png", "code.png", "--text").code == 2


@pytest.mark.parametrize(("client", "why"), [("later", "not created"), ("idle", "disabled")])
def test_no_qr_of_a_bot_that_does_not_run(world: World, client: str, why: str) -> None:
    ran = world.cli("qr", client)
    assert (ran.code, ran.out) == (3, "")
    assert why in ran.err
    assert f"python -m manager up {client}" in ran.err
    assert world.cli("pair", client, PHONE).code == 1
    unknown = world.cli("qr", "sale")
    assert unknown.code == 6
    assert "sales" in unknown.err


def test_no_qr_of_a_bot_that_does_not_reach_whatsapp_and_nobody_waits_for_ever(world: World) -> None:
    file = world.cli.folder / "away.yaml"
    image = next(line for line in world.cli.file.read_text().splitlines() if line.startswith("image:"))
    file.write_text(
        f"project: {world.stage.project}-away\n{image}\n"
        "bots: [{clientId: away, memory: 512m, url: 'http://127.0.0.1:9/'}]\n"
    )
    named = ("--file", file.name)
    try:
        assert world.cli(*named, "up").code == 0
        shown = world.cli(*named, "qr", "away", "--text")
        assert (shown.code, shown.out) == (3, "")
        assert "away shows no code at the moment (RECONNECTING); waiting for it." in shown.err
        assert "away shows no code (RECONNECTING). See: python -m manager status away" in shown.err
    finally:
        world.cli(*named, "rm", "away", "--volume", "--yes")
        world.cli(*named, "down")


def test_pairing_by_code_and_logging_out(world: World) -> None:
    world.unpair("support")
    refused = world.cli("pair", "support", "12", OTURUM_LANG="tr")
    assert refused.code == 1
    assert "telefon numarası" in refused.err
    assert "Traceback" not in refused.err

    terminal = world.cli.terminal("pair", "support", f"+{PHONE[:2]}", PHONE[2:], columns=90)
    told = terminal.end()
    assert told.code == 0
    (code,) = re.findall(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", told.out)
    assert "within 3 min" in told.out
    ear = world.ears["support"]
    mark = ear.mark
    world.stage.order("pair-code", code.replace("-", ""), "--phone", PHONE)
    assert ear.wait("WHATSAPP_READY", mark), ear.tale(mark)
    assert world.status("support")["phone"] == "90*******233"

    kept = world.cli.terminal("logout", "support")
    kept.expect("[y/N]")
    kept.type("n")
    assert kept.end().code == 1
    assert world.status("support")["session_present"] is True

    mark = ear.mark
    asked = world.cli.terminal("logout", "support")
    asked.expect("[y/N]")
    asked.type("y")
    asked.expect("support is unlinked, and nothing of its session is on its volume any more")
    assert asked.end().code == 0
    assert ear.wait("WHATSAPP_QR", mark), ear.tale(mark)
    assert world.cli("qr", "support", "--text").code == 0
    assert world.status("support")["state"] == "WAITING_FOR_QR_SCAN"

    again = world.cli("logout", "support", "--yes", OTURUM_LANG="tr")
    assert again.code == 1
    assert "oturumu kapatılabilir" in again.err


def test_status_tells_of_every_bot_and_what_to_do(world: World) -> None:
    world.pair("sales")
    world.unpair("support")
    told = world.cli("status", "--json")
    assert told.code == 0
    bots = {each["client_id"]: each for each in told.json["bots"]}
    assert list(bots) == ["sales", "support", "idle", "later"]
    sales = bots["sales"]
    assert (sales["place"], sales["state"], sales["session_present"]) == ("answers", "READY", True)
    assert (sales["disconnects"], sales["reconnects"], sales["qr_requests"], sales["advice"]) == (
        0,
        0,
        1,
        None,
    )
    assert sales["memory_bytes"] > 30_000_000
    assert datetime.fromisoformat(sales["since"]).tzinfo
    assert bots["support"]["advice"]["command"] == "python -m manager qr support"
    assert (bots["idle"]["place"], bots["later"]["place"]) == ("disabled", "absent")

    plain = world.cli("status")
    assert plain.code == 0
    assert "\x1b" not in plain.out
    rows = {line.split("\t")[0].strip(): line.split("\t") for line in plain.lines}
    assert rows["sales"][1].strip() == "READY"
    assert rows["later"][-1] == "start it: python -m manager up later"
    one = world.cli("status", "sales")
    assert len(one.lines) == 2

    turkish = world.cli.terminal("status", columns=80, OTURUM_LANG="tr").end()
    assert turkish.code == 0
    assert "QR'ı okutun: python -m manager qr support" in turkish.out
    assert all(len(line) <= 80 for line in turkish.lines)


def test_status_watches_a_bot_that_goes_and_comes_back(world: World) -> None:
    world.pair("sales")
    terminal = world.cli.terminal("status", "--watch", "sales", rows=24, columns=80)
    terminal.expect("1 READY.")
    docker("kill", world.container("sales"))
    terminal.expect("stopped (137)")
    terminal.expect("start it: python -m manager up sales")
    docker("start", world.container("sales"))
    terminal.expect("1 READY.")
    terminal.interrupt()
    assert terminal.end().code == 130


def test_a_bot_that_hangs_delays_no_other(world: World) -> None:
    world.pair("sales")
    name = world.container("support")
    docker("pause", name)
    try:
        frozen = world.cli("status", "support")
        assert "paused" in frozen.out
        assert "python -m manager up support" in frozen.out
        assert "paused" in world.cli("qr", "support").err
    finally:
        docker("unpause", name)
    _signal(name, "STOP")
    watching = world.cli.start("status", "--watch", "--json")
    try:
        for _ in range(2):
            assert watching.stdout is not None
            bots = {each["client_id"]: each for each in json.loads(watching.stdout.readline())["bots"]}
            assert bots["support"]["place"] == "silent"
            assert bots["support"]["advice"]["command"] == "python -m manager restart support"
            assert bots["sales"]["state"] == "READY"
        # It is left alone for a while: each question is a process that waits in its container.
        assert docker("top", name).count("bot ctl status") == 1
    finally:
        watching.send_signal(signal.SIGINT)
        _signal(name, "CONT")
    assert watching.wait(SECONDS) == 130


def _signal(container: str, name: str) -> None:
    """To the bot's own process: the container's first one is its init."""
    script = (
        "import os, pathlib, signal;"
        "folders = pathlib.Path('/proc').glob('[0-9]*');"
        "(bot,) = [each for each in folders if (each / 'cmdline').read_bytes() == b'python\\0-m\\0bot\\0'];"
        f"os.kill(int(bot.name), signal.SIG{name})"
    )
    docker("exec", container, "python", "-c", script)


def test_logs_in_the_readers_language_and_as_they_were_written(world: World) -> None:
    world.pair("sales")
    english = world.cli("logs", "sales")
    assert (english.code, english.err) == (0, "")
    (paired,) = [line for line in english.lines if "WHATSAPP_PAIRED" in line]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ✅ Success +\| WHATSAPP_PAIRED +\| \(paired", paired)
    assert paired.endswith(" | session: present ✅")
    turkish = world.cli("logs", "sales", OTURUM_LANG="tr")
    assert "✅ Başarılı" in turkish.out
    assert "session: var ✅" in turkish.out

    both = world.cli("logs", "--tail", "4")
    assert both.code == 0
    assert [line.split("  ")[1] for line in both.lines].count("sales") == 4
    times = [line.split("  ")[0] for line in both.lines]
    assert times == sorted(times)
    assert "later has no container" in both.err

    raw = world.cli("logs", "--raw", "sales", "support")
    events = [json.loads(line) for line in raw.lines]
    assert {each["client_id"] for each in events} == {"sales", "support"}
    assert raw.lines == [
        line for line in raw.lines if line in _own_log(world, "sales") + _own_log(world, "support")
    ]
    assert world.cli("logs", "later").code == 1


def _own_log(world: World, client: str) -> list[str]:
    return docker("logs", world.container(client)).splitlines()


def test_diagnostics_tell_what_the_bots_themselves_wrote(world: World) -> None:
    world.pair("sales")
    told = world.cli("diagnostics", "summary", "sales", "later", "--json").json
    sales, later = told["bots"]
    assert (sales["container"], sales["state"]) == ("running", "READY")
    assert sales["phone"] == world.status("sales")["phone"]
    assert "first_pairing" in sales["qr_by_cause"]
    assert "session_lost" not in sales["qr_by_cause"]
    assert all(each["why"] and not each["waiting"] for each in sales["qr_episodes"])
    assert (sales["unreadable_lines"], later["events"]) == (0, 0)
    assert told["since"] is None
    assert sales["begin"] < sales["last_session_write"] <= told["until"]


def test_logs_go_on_over_a_restart_and_a_new_container_and_find_a_new_bot(world: World) -> None:
    world.pair("sales")
    following = Following(world.cli, "--tail", "1")
    try:
        assert "sales" in following.until(lambda line: "  sales  " in line)[-1]
        assert world.cli("restart", "sales").code == 0
        seen = following.until(lambda line: "  sales  " in line and "WHATSAPP_READY" in line)
        told = [line for line in seen if "  sales  " in line]
        for name in ("SHUTDOWN", "STARTUP", "BOT_RECONNECT", "WHATSAPP_READY"):
            assert sum(f"| {name} " in line for line in told) == 1, seen
        assert world.cli("down", "sales").code == 0
        kept = world.cli("logs", "sales")
        assert kept.code == 0
        assert f"{world.stage.project}-session-sales" in kept.err
        assert "| WHATSAPP_PAIRED " in kept.out
        assert any("| SHUTDOWN " in line for line in kept.lines[-4:])
        assert world.cli("up", "sales").code == 0
        seen = following.until(lambda line: "  sales  " in line and "WHATSAPP_READY" in line)
        assert sum("| STARTUP " in line for line in seen) == 1, seen
        assert not any("WHATSAPP_QR" in line for line in seen if "  sales  " in line)
        assert world.cli("up", "later").code == 0
        following.until(lambda line: "  later  " in line and "STARTUP" in line)
    finally:
        world.cli("down", "later")
        following.process.send_signal(signal.SIGINT)
    assert following.process.wait(SECONDS) == 130
