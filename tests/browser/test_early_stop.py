"""A bot that is stopped while it has hardly begun."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from bot import processes
from tests.robot import Robot

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_stopped_while_its_modules_are_read(tmp_path: Path, number: signal.Signals) -> None:
    bot = Robot(tmp_path, None)
    await bot.start()
    assert bot.process is not None
    family = await asyncio.to_thread(started_its_driver, bot.process.pid)
    bot.process.send_signal(number)
    assert await bot.stop() == 0
    assert [each["signal"] for each in bot.events if each["event"] == "SHUTDOWN"] == [number.name]
    assert not processes.wait_gone(family, 10)


def started_its_driver(pid: int) -> set[int]:
    """Its driver is the first thing a bot starts, long before its own modules are there."""
    while len(family := processes.with_descendants([pid])) < 2:
        os.sched_yield()
    return family
