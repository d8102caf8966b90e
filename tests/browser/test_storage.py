"""The volume fills up under a running bot: it warns early, risks no paired session, and heals by itself."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot import processes
from simulator.running import Simulator
from tests.robot import Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m,mode=777", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


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


async def test_a_bot_that_has_no_session_yet_may_start(disk: Path, robot: Make) -> None:
    bot = robot(sessionDir=str(disk / "session"))
    await bot.start()
    await bot.event("WHATSAPP_QR")
    mark = bot.mark
    leave(disk, 8)
    browser = main_browser(disk / "session/profile")
    processes.end([browser], patience=0)
    await bot.event("BROWSER_START", mark)
    assert "16 MiB needed" in str((await bot.event("STORAGE_WARNING", mark))["problem"])
