"""`python -m bot volume` on the volumes of real bots: a session leaves, comes in elsewhere, is rolled back."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.contract import BotExit
from simulator.running import Simulator
from tests.robot import ROOT, Robot

pytestmark = pytest.mark.browser
Robots = Callable[..., Robot]


async def volume(robot: Robot, *words: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "volume", *words,
        "--session-dir", str(robot.session), "--client", robot.client_id, "--json",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate(given)
    return process.returncode or 0, out, err


async def answer(robot: Robot, *words: str, given: bytes = b"") -> dict[str, Any]:
    code, out, err = await volume(robot, *words, given=given)
    assert code == 0, (out, err)
    told: dict[str, Any] = json.loads(out)
    return told


async def refused(robot: Robot, *words: str, given: bytes = b"") -> str:
    code, out, err = await volume(robot, *words, given=given)
    assert code not in (0, BotExit.FAILED), (out, err)
    return str(json.loads(err if words[0] == "export" else out)["problem"])


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_session_exported_from_a_stopped_bot_goes_on_elsewhere_without_a_qr(
    robot: Robots, simulator: Simulator
) -> None:
    old, new = robot("old"), robot("new")
    await old.start()
    await old.pair(simulator)
    await old.stop()
    code, archive, told = await volume(old, "export")
    assert code == 0
    assert json.loads(told)["source"] == "profile"

    taken = await answer(new, "import", given=archive)
    assert taken["phone"] == (await answer(old, "look"))["phone"]
    await new.start()
    await new.event("WHATSAPP_READY")
    assert "WHATSAPP_QR" not in new.names()
    assert not list(new.session.glob("incoming-*"))


async def test_a_running_bots_newest_generation_is_exported_and_without_one_it_says_so(
    robot: Robots, simulator: Simulator
) -> None:
    old, new = robot("old", reconnect={"networkWait": 60}), robot("new")
    await old.start()
    await old.pair(simulator)
    assert await refused(old, "export") == "no_generation"
    await old.stop()
    await old.start()
    await old.event("WHATSAPP_READY", old.mark)
    code, archive, told = await volume(old, "export")
    assert code == 0
    assert json.loads(told)["source"] == "generation 1"
    await old.stop()
    await answer(new, "import", given=archive)
    await new.start()
    await new.event("WHATSAPP_READY")
    assert "WHATSAPP_QR" not in new.names()


async def test_nothing_comes_in_over_a_session_while_a_bot_runs_or_when_it_is_damaged(
    robot: Robots, simulator: Simulator
) -> None:
    old, new = robot("old"), robot("new")
    await old.start()
    await old.pair(simulator)
    await old.stop()
    _, archive, _ = await volume(old, "export")
    before = content(old.session / "profile")
    assert await refused(old, "import", given=archive) == "has_session"
    assert content(old.session / "profile") == before

    middle = len(archive) // 2
    changed = archive[:middle] + bytes([archive[middle] ^ 1]) + archive[middle + 1 :]
    assert await refused(new, "import", given=changed) == "damaged_archive"
    assert not (await answer(new, "look"))["present"]
    await new.start()
    await new.event("WHATSAPP_QR")
    assert await refused(new, "import", given=archive) == "locked"
    await new.stop()

    await answer(new, "import", given=archive)
    assert (await answer(new, "look"))["present"]
    assert not list(new.session.glob("incoming-*"))


async def test_rollback_puts_the_profile_aside_and_the_bot_goes_on_from_the_generation(
    robot: Robots, simulator: Simulator
) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    await bot.stop()
    (generation,) = (await answer(bot, "look", "--verify"))["generations"]
    assert generation["verdict"] == "good"
    assert await refused(bot, "rollback", "7") == "unknown_generation"

    told = await answer(bot, "rollback", str(generation["number"]))
    assert (bot.session / told["aside"] / "profile" / "Default" / "IndexedDB").is_dir()
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_READY", mark)
    assert "WHATSAPP_QR" not in bot.names(mark)
    assert await refused(bot, "rollback") == "locked"

    await bot.stop()
    kept = next((bot.session / "generations" / "1" / "Default").rglob("CURRENT"))
    kept.write_bytes(b"x" + kept.read_bytes())
    before = content(bot.session / "profile")
    assert (await answer(bot, "look", "--verify"))["generations"][-1]["verdict"] == "damaged"
    assert await refused(bot, "rollback", "1") == "damaged_generation"
    assert content(bot.session / "profile") == before
