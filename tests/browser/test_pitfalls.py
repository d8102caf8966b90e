"""The ten things that clients of WhatsApp Web get wrong, by number, with the bot's own process and a real Chromium.

1 a kill soon after pairing · 2 logout, pairing anew, restart · 3 READY missed for ever · 4 a false READY at logout ·
5 no code after the refs are used up · 6 unlinked while down · 7 banned, offline or another page at start ·
8 the browser killed · 9 a message that came while down · 10 a conflict closes the browser
(each was seen with a client on a stand-in page).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from simulator.problem import Refused
from simulator.running import Simulator
from tests.robot import Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]


async def test_1_a_kill_soon_after_pairing_keeps_the_session(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await simulator.service.pair(await bot.qr())
    await bot.event("WHATSAPP_PAIRED")
    await bot.kill()
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)
    assert await bot.metric("previous_end_unclean") == 1
    await bot.restart()
    assert await bot.metric("previous_end_unclean") == 0


async def test_2_the_session_after_a_logout_survives_a_restart(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.logout(number)
    await bot.event("WHATSAPP_QR", mark)
    await bot.pair(simulator, number)
    mark = await bot.restart()
    assert "WHATSAPP_QR" not in bot.names(mark)


@pytest.mark.parametrize("simulator", [{"sync_seconds": 0, "load_seconds": 0}], indirect=True)
async def test_3_ready_also_when_all_was_synced_before_anybody_looked(
    robot: Make, simulator: Simulator
) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    await bot.stop()
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_READY", mark)
    mark = bot.mark
    assert (await bot.ctl("reload"))[0] == 0
    await bot.event("WHATSAPP_READY", mark)


async def test_4_no_false_pairing_and_no_false_ready_at_a_logout(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.logout(number)
    await bot.event("WHATSAPP_QR", mark)
    assert not {"WHATSAPP_PAIRED", "WHATSAPP_READY"} & set(bot.names(mark))


@pytest.mark.parametrize(
    "simulator", [{"refs": 2, "first_ref_seconds": 0.5, "ref_seconds": 0.5}], indirect=True
)
async def test_5_refs_used_up_are_asked_for_again(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.event("WHATSAPP_QR", where=lambda one: one["number"] >= 5)
    assert await bot.metric("qr_requests_total", cause="first_pairing") == 1
    assert await bot.metric("qr_codes_total") >= 5
    # Fresh codes all the time: a reading may come too late, as a person's may.
    for _ in range(10):
        try:
            await simulator.service.pair((await bot.ctl("qr", "--text"))[1])
            break
        except Refused:
            continue
    await bot.event("WHATSAPP_READY")


async def test_6_unlinked_while_the_bot_was_down(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    await bot.stop()
    await simulator.service.logout(number)
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_LOGOUT", mark)
    code = await bot.event("WHATSAPP_QR", mark)
    assert code["cause"] == "logout"
    assert await bot.metric("qr_requests_total", cause="session_lost") == 0


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param({"without": (name,)}, id=name)
        for name in ("WAWebSocketModel", "WAWebConnModel", "WAWebUserPrefsInfoStore", "WAWebStreamModel")
    ]
    + [
        pytest.param({"modules": False}, id="no modules"),
        pytest.param({"modules": False, "data_ref": False}, id="no modules, the code as a picture only"),
        pytest.param({"dom": False}, id="nothing to see"),
    ],
    indirect=True,
)
async def test_7_a_renamed_module(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.logout(number)
    await bot.event("WHATSAPP_LOGOUT", mark)
    await bot.event("WHATSAPP_QR", mark)
    if simulator.options.without:
        assert (await bot.status())["signals"]["missing"]
        assert await bot.metric("signals_missing") >= 1


async def test_7_banned_while_the_bot_was_down(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    await bot.stop()
    await simulator.service.ban(number)
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_BANNED", mark)
    status = await bot.status()
    assert (status["state"], status["permanent"], status["session_present"]) == ("BANNED", True, True)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_7_network_away_at_start(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    await bot.stop()
    simulator.service.weather("*", cut=True)
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_DISCONNECT", mark)
    simulator.service.weather("*", cut=False)
    await bot.event("WHATSAPP_READY", mark, within=20)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_8_the_browser_killed(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    mark = bot.mark
    bot.kill_browser()
    lost = await bot.event("WHATSAPP_DISCONNECT", mark)
    assert lost["reason"] == "BROWSER_LOST"
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)
    assert await bot.metric("browser_restarts_total", reason="browser_lost") == 1


async def test_9_a_message_that_came_while_the_bot_was_down_reaches_its_page(
    robot: Make, simulator: Simulator
) -> None:
    """Nothing is read for it, nothing is lost: what is made of it is the business of whoever handles messages."""
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    await bot.stop()
    await simulator.service.send(number, "905550000001", "are you there?")
    (device,) = simulator.service.phone(number).devices.values()
    assert [message.body for message in device.queue] == ["are you there?"]
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_READY", mark)
    async with asyncio.timeout(10):
        while device.queue:  # the page's receipt comes on a line of its own
            await bot.status()


async def test_10_a_conflict_keeps_browser_and_session(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.tell(number, "conflict")
    told = await bot.event("WHATSAPP_CONFLICT", mark)
    assert (told["session"], told["userAction"]) == ("present", "look_at_phone")
    status = await bot.status()
    assert (status["state"], status["permanent"], status["session_present"]) == ("CONFLICT", True, True)
    assert status["memory_bytes"] > 0
    assert not {"WHATSAPP_QR", "BROWSER_LOST"} & set(bot.names(mark))
    mark = bot.mark
    assert (await bot.ctl("reload"))[0] == 0
    await bot.event("WHATSAPP_READY", mark)
