"""The volume fills up under a running bot: it warns early, risks no paired session, and heals by itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot import processes
from simulator.running import Simulator
from tests.disks import BreakableDisk, tmpfs
from tests.robot import Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with tmpfs(tmp_path / "disk", "size=200m") as place:
        yield place


def leave(disk: Path, megabytes: int) -> Path:
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - megabytes * 1024**2)))
    return filler


def main_browser(profile: Path) -> int:
    (found,) = [
        pid
        for pid in processes.all_pids()
        if processes.uses_profile(pid, profile) and processes.is_main_browser(pid)
    ]
    return found


async def test_a_disk_that_fills_up_never_costs_a_paired_session(
    disk: Path, robot: Make, simulator: Simulator
) -> None:
    bot = robot(sessionDir=str(disk / "session"))
    await bot.start()
    await bot.pair(simulator)
    assert await bot.metric("session_free_bytes") > 16 * 1024**2
    mark = bot.mark
    leave(disk, 8)
    warned = await bot.event("STORAGE_WARNING", mark)
    assert "16 MiB needed" in str(warned["problem"])
    assert "df -h" in warned["fix"]

    browser = main_browser(disk / "session/profile")
    mark = bot.mark
    processes.end([browser], patience=0)
    refused = await bot.event("BOT_INIT", mark, where=lambda line: line["level"] == "error")
    assert "16 MiB needed" in refused["problem"]
    assert refused["retryInSeconds"] > 0
    assert (await bot.status())["session_present"]

    (disk / "filler").unlink()
    await bot.event("WHATSAPP_READY", mark, within=60)
    assert "WHATSAPP_QR" not in bot.names(mark)
    await bot.event("STORAGE_WARNING", mark, where=lambda line: line["level"] == "info")


async def test_a_bot_without_a_session_waits_for_room_too(disk: Path, robot: Make) -> None:
    """What is paired on a full disk can't be kept: the next start would ask for a second scan."""
    filler = leave(disk, 8)
    bot = robot(sessionDir=str(disk / "session"))
    await bot.start()
    refused = await bot.event("BOT_INIT", where=lambda line: line["level"] == "error")
    assert "16 MiB needed" in refused["problem"]
    assert "df -h" in refused["fix"]
    assert (await bot.status())["storage"] == "no_space"
    filler.unlink()
    await bot.event("WHATSAPP_QR", within=60)


async def test_no_code_is_shown_while_the_disk_is_full(disk: Path, robot: Make, simulator: Simulator) -> None:
    """The disk fills up while one stands on the screen. When there is room again the same episode goes on."""
    bot = robot(sessionDir=str(disk / "session"))
    await bot.start()
    await bot.event("WHATSAPP_QR")
    mark = bot.mark
    filler = leave(disk, 8)
    refused = await bot.event("BOT_INIT", mark, where=lambda line: line["level"] == "error")
    assert "16 MiB needed" in refused["problem"]
    status = await bot.status()
    assert (status["state"], status["storage"]) == ("STARTING", "no_space")
    assert (await bot.ctl("qr", "--text"))[0] == 3
    filler.unlink()
    shown = await bot.event("WHATSAPP_QR", mark, within=60)
    assert shown["cause"] == "first_pairing"
    assert await bot.metric("qr_requests_total", cause="first_pairing") == 1
    assert await bot.metric("browser_restarts_total", reason="storage") == 1
    await bot.pair(simulator)


async def test_a_disk_that_takes_nothing_more_is_told_and_the_session_goes_on(
    tmp_path: Path, robot: Make, simulator: Simulator
) -> None:
    disk = BreakableDisk(tmp_path / "disk")
    try:
        bot = robot(sessionDir=str(disk.path / "session"), reconnect={"networkWait": 0.5, "probeTimeout": 20})
        await bot.start()
        await bot.pair(simulator)
        mark = bot.mark
        disk.breaks()
        warned = await bot.event(
            "STORAGE_WARNING", mark, where=lambda line: "Input/output" in line["problem"]
        )
        assert "dmesg" in warned["fix"]
        assert (await bot.status())["state"] == "READY"
        await bot.kill()
    finally:
        disk.close()
