"""Every QR says who caused it, the phone or us, and on what evidence: in event and status, also after a restart."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from drill.memory import MemoryGroup
from simulator.running import Simulator
from tests.disks import BreakableDisk
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


@pytest.mark.parametrize("how", ["banned", "locked"])
async def test_the_account_is_banned(robot: Make, simulator: Simulator, how: str) -> None:
    bot = robot()
    await bot.start()
    number = await bot.pair(simulator)
    if how == "banned":
        await simulator.service.ban(number)
    else:
        await simulator.service.logout(number, 3)
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


async def test_storage_that_failed_is_named_with_its_error(
    tmp_path: Path, robot: Make, simulator: Simulator
) -> None:
    """The page says only that its storage failed; nobody is asked for a scan on a disk that takes nothing."""
    disk = BreakableDisk(tmp_path / "disk")
    try:
        bot = robot(sessionDir=str(disk.path / "session"))
        await bot.start()
        number = await bot.pair(simulator)
        mark = bot.mark
        disk.breaks()
        await simulator.service.tell(number, "break")
        named = await bot.event(
            "STORAGE_WARNING",
            mark,
            where=lambda line: "post_logout=storage_failed" in line.get("evidence", ()),
        )
        refused_first = named["evidence"][0]
        # Which file is met first is chance, and whether the kernel has made the disk read-only by then too.
        assert re.fullmatch(r"refused=\S.*: (EIO|EROFS)", refused_first), refused_first
        refused = await bot.event("BOT_INIT", mark, where=lambda line: line["level"] == "error")
        assert refused["fix"].startswith("dmesg")  # EIO, or the kernel has made it read-only since
        assert not {"WHATSAPP_QR", "SESSION_LOST"} & set(bot.names(mark))
        await bot.kill()
    finally:
        disk.close()


async def test_what_the_kernel_killed_for_want_of_memory_is_said(robot: Make, simulator: Simulator) -> None:
    group = MemoryGroup(f"oturum-test-{os.getpid()}")
    group.make()
    try:
        bot = robot()
        join = 'echo $$ > "$0"; exec setpriv "$@"'
        await bot.start(prefix=("sh", "-c", join, str(group.joining)))
        await bot.pair(simulator)
        mark = bot.mark
        assert await group.squeeze(20)
        await bot.event("WHATSAPP_DISCONNECT", mark)
        (crash,) = [each for each in bot.events[mark:] if each["event"] in ("PAGE_CRASHED", "BROWSER_LOST")][
            :1
        ]
        assert crash["detail"] == "killed by the kernel: out of memory"
        await bot.event("WHATSAPP_READY", mark)
        assert "WHATSAPP_QR" not in bot.names(mark)
        await bot.kill()
    finally:
        group.remove()


async def test_what_nothing_explains_is_unknown_and_says_what_was_seen(
    robot: Make, simulator: Simulator
) -> None:
    bot = robot()
    await bot.start()
    await bot.pair(simulator)
    await bot.kill()
    shutil.rmtree(bot.session / "profile" / "Default")
    (bot.session / "mirror.json").unlink()
    mark = bot.mark
    await bot.start()
    lost = await bot.event("SESSION_LOST", mark, within=60)
    assert lost["verdict"] == "unknown"
    for line in ("marker=ready", "stop_before=not clean", "session_keys=False"):
        assert line in lost["evidence"]


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
