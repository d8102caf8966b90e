"""Copies of a living session: when they are taken, what they are worth after a kill, and who asks for one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest

from simulator.running import Simulator
from tests.robot import Event, Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]


def taken(moment: str) -> Callable[[Event], bool]:
    return lambda line: line["moment"] == moment


async def test_a_live_copy_brings_a_destroyed_session_back_without_a_qr(
    robot: Make, simulator: Simulator
) -> None:
    """No clean stop ever: the only copies are those that were made under the browser and before its launch."""
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    kept = await bot.event("SESSION_KEPT", where=taken("live"))
    assert await bot.metric("last_generation_timestamp_seconds") > 0
    assert await bot.metric("generation_bytes") >= kept["bytes"] > 0
    await bot.kill()
    shutil.rmtree(bot.session / "profile" / "Default" / "IndexedDB")
    mark = bot.mark
    await bot.start()
    restored = await bot.event("SESSION_RESTORE", mark, where=lambda line: line["kind"] == "generation")
    assert restored["generation"] == kept["generation"], (
        "the good one goes before the candidate of this launch"
    )
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)
    assert await bot.metric("restores_total", result="ready") == 1


async def test_a_copy_before_a_launch_is_good_once_the_bot_is_ready(
    robot: Make, simulator: Simulator
) -> None:
    bot = robot(reconnect={"networkWait": 60})
    await bot.start()
    await bot.pair(simulator)
    await bot.kill()
    assert not (bot.session / "generations").exists()
    mark = bot.mark
    await bot.start()
    assert (await bot.event("SESSION_KEPT", mark))["moment"] == "launch"
    await bot.event("WHATSAPP_READY", mark)
    assert (bot.session / "generations/1/good").exists()


async def test_a_copy_on_request(robot: Make, simulator: Simulator) -> None:
    bot = robot(reconnect={"networkWait": 60})
    await bot.start()
    await bot.event("WHATSAPP_QR")
    code, _, err = await bot.ctl("generation")
    assert code == 5
    assert "WAITING_FOR_QR_SCAN" in err
    await bot.pair(simulator)
    code, out, err = await bot.ctl("generation", "--json")
    assert code == 0, err
    told = json.loads(out)
    manifest = json.loads((bot.session / f"generations/{told['number']}/manifest.json").read_text())
    assert manifest["moment"] == "live"
    assert told["bytes"] == sum(size for size, _ in manifest["files"].values())
    code, out, _ = await bot.ctl("generation")
    assert code == 0
    assert "MiB" in out
