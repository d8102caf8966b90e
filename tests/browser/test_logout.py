"""A logout by our own command: clean on the device, and nothing of the session stays, whatever comes between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.running import Simulator
from tests.robot import Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]

LONG = {"reconnect": {"networkWait": 2, "logoutWait": 3600}}  # no new browser comes before we have looked
FURNITURE = {"lock", "ballast", "marker.json", "profile", "events", "episode.json"}


def what_is_left(volume: Path) -> set[str]:
    return {each.name for each in volume.iterdir()} - FURNITURE | {
        each.name for each in (volume / "profile").iterdir()
    }


def files_that_hold(volume: Path, words: list[bytes]) -> list[Path]:
    return [
        path
        for path in volume.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in words)
    ]


async def paired_with_a_copy(bot: Robot, simulator: Simulator) -> str:
    """READY; the phone's number. A clean stop takes the copy."""
    await bot.start()
    number = await bot.pair(simulator)
    await bot.restart()
    return number


async def test_nothing_of_a_session_stays_after_our_own_logout(robot: Make, simulator: Simulator) -> None:
    bot = robot(**LONG)
    number = await paired_with_a_copy(bot, simulator)
    (bot.session / "marker.damaged").write_text("of an earlier day")
    mirror = (bot.session / "mirror.json").read_bytes()
    assert number.encode() in mirror
    assert files_that_hold(bot.session / "generations", [number.encode()])

    mark = bot.mark
    code, out, _ = await bot.ctl("logout")
    assert (code, "erased" in out) == (0, True)
    erased = await bot.event("SESSION_ERASED", mark)
    gone = await bot.event("WHATSAPP_LOGOUT", mark)
    assert (gone["reason"], gone["verdict"]) == ("own_command", "own_command")
    assert {"profile", "mirror.json", "generations", "marker.damaged"} <= set(erased["removed"])
    assert (erased["generations"] > 0, erased["bytes"] > len(mirror)) == (True, True)
    assert [each.unlinked for each in simulator.service.phone(number).devices.values()] == [True]
    assert what_is_left(bot.session) == set()
    assert files_that_hold(bot.session, [number.encode()]) == []
    assert await bot.metric("generation_bytes") == 0

    await bot.stop()
    mark = bot.mark
    await bot.start()
    shown = await bot.event("WHATSAPP_QR", mark)
    assert (shown["cause"], shown["verdict"]) == ("logout", "own_command")
    await bot.pair(simulator)


@pytest.mark.parametrize("told", ["BOT_CONTROL", "WHATSAPP_DISCONNECT"])
async def test_a_bot_killed_in_its_own_logout_finishes_it(
    robot: Make, simulator: Simulator, told: str
) -> None:
    """Just before the server hears of it (it may or may not have), and just after the page showed the proof."""
    bot = robot()
    number = await paired_with_a_copy(bot, simulator)
    mark = bot.mark
    await bot.ctl("logout")
    await bot.event(told, mark)
    await bot.kill()
    mark = bot.mark
    await bot.start()
    await bot.event("SESSION_ERASED", mark)
    shown = await bot.event("WHATSAPP_QR", mark)
    assert (shown["cause"], shown["verdict"]) == ("logout", "own_command")
    assert not {"SESSION_RESTORE", "SESSION_LOST"} & set(bot.names())
    assert [each.unlinked for each in simulator.service.phone(number).devices.values()] == [True]


async def test_no_copy_outlives_a_logout_on_the_phone(robot: Make, simulator: Simulator) -> None:
    bot = robot(**LONG)
    number = await paired_with_a_copy(bot, simulator)
    mark = bot.mark
    await simulator.service.logout(number)
    await bot.event("WHATSAPP_LOGOUT", mark)
    await bot.stop()
    assert not (bot.session / "generations").exists()
    assert [each.name for each in (bot.session / "aside").glob("*/generations")] == ["generations"]
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_QR", mark)
    assert "SESSION_RESTORE" not in bot.names(mark)
