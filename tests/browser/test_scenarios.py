"""The scenarios that the product exists for, each with the bot's own process, a real Chromium and the simulator."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable

import pytest

from simulator.running import Simulator
from tests.robot import Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]


async def test_clean_start(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    names = bot.names()
    assert [name for name in names if name != "BOT_STATE"] == [
        "STARTUP", "SESSION_CREATE", "BOT_INIT", "WHATSAPP_QR", "WHATSAPP_PAIRED", "WHATSAPP_READY",
    ]  # fmt: skip
    status = await bot.status()
    assert status["state"] == "READY"
    assert status["session_present"] is True
    assert status["phone"].endswith(number[-3:])
    assert number not in str(bot.events)
    assert await bot.metric("qr_requests_total", cause="first_pairing") == 1
    assert await bot.metric("qr_codes_total") == 1
    assert await bot.metric("state", state="READY") == 1
    assert await bot.metric("session_present") == 1


async def test_internet_cut(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    simulator.service.weather(number, cut=True)
    lost = await bot.event("WHATSAPP_DISCONNECT", mark)
    assert (lost["reason"], lost["session"], lost["sessionWasAvailable"]) == (
        "CONNECTION_ERROR",
        "present",
        True,
    )
    assert await bot.metric("session_present") == 1
    assert await bot.metric("state", state="RECONNECTING") == 1
    simulator.service.weather(number, cut=False)
    await bot.event("WHATSAPP_READY", mark, within=20)
    assert "WHATSAPP_QR" not in bot.names(mark)
    assert await bot.metric("disconnects_total", reason="CONNECTION_ERROR") == 1
    assert await bot.metric("qr_codes_total") == 1
    reconnects = [await bot.metric("reconnects_total", how=how) for how in ("page", "reload", "relaunch")]
    assert sum(reconnects) == 1


async def test_internet_cut_for_so_long_that_the_browser_is_relaunched(
    robot: Make, simulator: Simulator
) -> None:
    bot = robot(reconnect={"networkWait": 0.5, "logoutWait": 0.5, "backoffMax": 1})
    await bot.start()
    await bot.pair(simulator)
    mark = bot.mark
    simulator.service.weather("*", cut=True)
    await bot.event("BOT_RECONNECT", mark, where=lambda one: one["how"] == "reload")
    await bot.event("BOT_RECONNECT", mark, where=lambda one: one["how"] == "relaunch")
    simulator.service.weather("*", cut=False)
    await bot.event("WHATSAPP_READY", mark, within=20)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_a_frozen_network(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    simulator.service.weather(number, frozen=True)
    await bot.event("WHATSAPP_DISCONNECT", mark)
    simulator.service.weather(number, frozen=False)
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_logout(robot: Make, simulator: Simulator) -> None:
    bot = robot(reconnect={"logoutWait": 1})
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.logout(number)
    gone = await bot.event("WHATSAPP_LOGOUT", mark)
    assert gone["reason"] == "phone"
    assert await bot.metric("session_present") == 0
    code = await bot.event("WHATSAPP_QR", mark)
    assert code["cause"] == "logout"
    assert bot.names(mark).count("WHATSAPP_QR") == 1
    mark = bot.mark
    await simulator.service.pair((await bot.ctl("qr", "--text"))[1], number)
    await bot.event("WHATSAPP_READY", mark)
    assert await bot.metric("qr_requests_total", cause="logout") == 1
    assert await bot.metric("qr_requests_total", cause="session_lost") == 0
    assert await bot.metric("disconnects_total", reason="LOGOUT") == 1


async def test_two_bots_at_once(robot: Make, simulator: Simulator) -> None:
    one, two = robot("one"), robot("two")
    await asyncio.gather(one.start(), two.start())
    first, second = await one.pair(simulator), await two.pair(simulator)
    assert first != second
    marks = one.mark, two.mark
    await simulator.service.logout(first)
    await one.event("WHATSAPP_QR", marks[0])
    assert two.names(marks[1]) == []
    assert (await two.status())["state"] == "READY"


async def test_restart(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    assert await bot.stop() == 0
    assert "SHUTDOWN" in bot.names()
    mark = bot.mark
    await bot.start()
    found = await bot.event("BOT_SESSION", mark)
    assert found["message"] == "existing session found, reconnecting"
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)
    assert await bot.metric("reconnects_total", how="restart") == 1


async def test_a_permission_fault_says_what_to_type(robot: Make) -> None:
    """The bot's user is one who may not write there: root without its powers, who can still read the program."""
    bot = robot()
    os.chown(bot.session, 12345, 12345)
    bot.session.chmod(0o700)
    await bot.start(prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    fault = await bot.event("BOT_SESSION")
    assert fault["level"] == "error"
    assert "no write permission" in fault["message"]
    assert "12345:12345" in fault["hint"]
    assert f"chown -R {os.getuid()}:{os.getgid()} {bot.session}" in fault["fix"]
    assert await bot.stop() != 0


async def test_a_second_bot_on_the_same_volume_says_who_holds_it(robot: Make, simulator: Simulator) -> None:
    first = robot()
    await first.start()
    await first.qr()
    second = robot("other", sessionDir=str(first.session))
    await second.start()
    refused = await second.event("BOT_SESSION")
    assert refused["level"] == "error"
    assert first.process is not None
    assert str(first.process.pid) in str(refused)
    assert await second.stop() != 0
    assert (await first.status())["state"] == "WAITING_FOR_QR_SCAN"


async def test_sigterm_while_waiting_for_a_scan_ends_cleanly(robot: Make) -> None:
    bot = robot()
    await bot.start()
    await bot.event("STARTUP")
    assert await bot.stop() == 0
    await bot.start()
    await bot.qr()
    assert await bot.stop() == 0


async def test_the_page_crashed(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    mark = bot.mark
    bot.kill_browser(part=b"--type=renderer")
    lost = await bot.event("WHATSAPP_DISCONNECT", mark)
    assert lost["reason"] == "PAGE_CRASHED"
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_the_page_hung(robot: Make, simulator: Simulator) -> None:
    bot = robot(reconnect={"networkWait": 2, "logoutWait": 0.5, "probeTimeout": 1})
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    assert await simulator.service.tell(number, "hang") == 1
    lost = await bot.event("WHATSAPP_DISCONNECT", mark)
    assert lost["reason"] == "PAGE_HUNG"
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)
    assert await bot.metric("page_probe_failures_total") >= 2


async def test_authenticated_but_never_ready(robot: Make, simulator: Simulator) -> None:
    bot = robot(reconnect={"networkWait": 2, "logoutWait": 0.5, "readyDeadline": 3})
    await bot.start()
    await simulator.service.flag("*", "stall-sync", True)
    await simulator.service.pair(await bot.qr())
    await bot.event("BOT_RECONNECT")
    await simulator.service.flag("*", "stall-sync", False)
    await bot.event("WHATSAPP_READY")
    assert bot.names().count("WHATSAPP_QR") == 1


async def test_half_a_page_at_a_first_start_is_loaded_anew(robot: Make, simulator: Simulator) -> None:
    """A script that can't be fetched, as when the host's network changes: the document is complete and mute."""
    await simulator.service.flag("*", "half-page", True)
    bot = robot()
    await bot.start()
    again = await bot.event("BOT_RECONNECT")
    assert again["how"] == "reload"
    await simulator.service.flag("*", "half-page", False)
    await bot.pair(simulator)


async def test_half_a_page_at_a_restart_is_loaded_anew(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    await bot.stop()
    await simulator.service.flag(number, "half-page", True)
    mark = bot.mark
    await bot.start()
    await bot.event("BOT_RECONNECT", mark, where=lambda line: line["how"] == "reload")
    await simulator.service.flag(number, "half-page", False)
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_conflict_takes_over_once_at_most(robot: Make, simulator: Simulator) -> None:
    bot = robot(reconnect={"networkWait": 2, "logoutWait": 0.5, "takeover": True})
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.tell(number, "conflict")
    await bot.event("WHATSAPP_CONFLICT", mark)
    await bot.event("WHATSAPP_READY", mark)
    mark = bot.mark
    await simulator.service.tell(number, "conflict")
    await bot.event("WHATSAPP_CONFLICT", mark)
    status = await bot.status()
    assert (status["state"], status["permanent"]) == ("CONFLICT", True)
    assert "WHATSAPP_QR" not in bot.names(mark)


@pytest.mark.parametrize(
    ("befall", "state"),
    [("outdated", "OUTDATED"), ("proxy", "PROXY_BLOCKED"), ("banned", "BANNED")],
)
async def test_what_needs_a_person(robot: Make, simulator: Simulator, befall: str, state: str) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.tell(number, befall)
    await bot.event(f"WHATSAPP_{state}", mark)
    status = await bot.status()
    assert (status["state"], status["permanent"], status["session_present"]) == (state, True, True)
    assert status["user_action"] != "none"
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_pairing_by_code(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.qr()
    code, out, err = await bot.ctl("pair", "+90 555 123 45 67", "--json")
    assert code == 0, err
    given = json.loads(out)["code"]
    assert given not in str(bot.events)
    await simulator.service.pair_code(given, "905551234567")
    await bot.event("WHATSAPP_READY")


async def test_our_own_logout_unlinks_the_device(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    assert (await bot.ctl("logout"))[0] == 0
    await bot.event("WHATSAPP_LOGOUT", mark)
    await bot.event("WHATSAPP_QR", mark)
    assert [device.unlinked for device in simulator.service.phone(number).devices.values()] == [True]


async def test_ctl_qr_without_a_code_exits_3(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    code, out, err = await bot.ctl("qr", "--text")
    assert (code, out) == (3, "")
    assert "READY" in err


async def test_a_lost_store_comes_back_from_a_generation_without_a_qr(
    robot: Make, simulator: Simulator
) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    await bot.restart()
    mark = bot.mark
    await simulator.service.tell(number, "break")
    await bot.event("WHATSAPP_READY", mark, within=40)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_a_localstorage_that_vanished_from_disk_comes_back_from_the_mirror(
    robot: Make, simulator: Simulator
) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    await bot.stop()
    stores = list(bot.session.rglob("Local Storage"))
    assert stores
    for store in stores:
        shutil.rmtree(store)
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_a_localstorage_that_vanished_under_the_page_comes_back_from_a_generation(
    robot: Make, simulator: Simulator
) -> None:
    """The page writes new keys over the old ones then; only a whole copy mends that."""
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    await bot.stop()
    await bot.start()
    mark = bot.mark
    await bot.event("WHATSAPP_READY", mark)
    await simulator.service.tell(number, "forget")
    await bot.event("SESSION_RESTORE", mark)
    await bot.event("WHATSAPP_READY", bot.mark)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_the_log_outlives_the_process_and_holds_no_secret(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    text = await bot.qr()
    number = await bot.pair(simulator)
    await bot.stop()
    written = "".join(file.read_text() for file in bot.session.rglob("events*.jsonl"))
    assert written.count("\n") == len(bot.events)
    for secret in (number, *text.split(",")[:4]):
        assert secret not in written
        assert secret not in str(bot.events)


async def test_health_is_about_the_page_not_about_the_login(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.qr()
    assert '"ok": true' in await bot.http("/healthz")
    assert '"state": "WAITING_FOR_QR_SCAN"' in await bot.http("/status")
