"""Every QR says who caused it, the phone or us, and on what evidence: in event and status, also after a restart."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from simulator.running import Simulator
from tests.robot import Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]


async def test_unlinked_on_the_phone(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    assert (await bot.event("WHATSAPP_QR")).get("verdict") is None
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.logout(number)
    gone = await bot.event("WHATSAPP_LOGOUT", mark)
    assert gone["verdict"] == "phone"
    assert gone["evidence"][0] == "post_logout=phone"
    code = await bot.event("WHATSAPP_QR", mark)
    assert (code["cause"], code["verdict"]) == ("logout", "phone")
    await bot.stop()
    mark = bot.mark
    await bot.start()
    assert (await bot.event("WHATSAPP_QR", mark))["verdict"] == "phone"
    assert (await bot.status())["verdict"]["evidence"] == gone["evidence"]
    await bot.pair(simulator, number)
    assert (await bot.status())["verdict"] is None


async def test_the_account_is_banned(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    await simulator.service.ban(number)
    assert (await bot.event("WHATSAPP_BANNED"))["verdict"] == "account"
    assert (await bot.status())["verdict"]["verdict"] == "account"


async def test_a_session_that_the_page_itself_lost_is_ours(robot: Make, simulator: Simulator) -> None:
    """No clean stop since the pairing, so no copy that could mend it: the QR comes, and says whose fault it is."""
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    mark = bot.mark
    await simulator.service.tell(number, "break")
    lost = await bot.event("SESSION_LOST", mark, within=60)
    assert lost["verdict"] == "storage"
    assert "post_logout=storage_failed" in lost["evidence"]
    code = await bot.event("WHATSAPP_QR", mark)
    assert (code["cause"], code["verdict"]) == ("session_lost", "storage")
    assert await bot.metric("qr_requests_total", cause="session_lost") == 1


async def test_damage_found_on_the_volume_is_named(robot: Make, simulator: Simulator) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    await bot.kill()
    shutil.rmtree(bot.session / "profile" / "Default")
    (bot.session / "mirror.json").write_text("not what it was")
    mark = bot.mark
    await bot.start()
    lost = await bot.event("SESSION_LOST", mark, within=60)
    assert lost["verdict"] == "storage"
    assert lost["evidence"][0] == "refused=mirror.json: damaged_mirror"
    assert "stop_before=not clean" in lost["evidence"]
