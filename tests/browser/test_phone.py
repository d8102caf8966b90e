"""That the phone is there: shown by what is written on it, not by what others write to it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from simulator.running import Simulator
from tests.monitoring.running import until
from tests.robot import Robot

pytestmark = pytest.mark.browser


async def test_the_phone_is_seen_when_it_writes(
    robot: Callable[..., Robot], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = robot(reconnect={"probeInterval": 0.2, "networkWait": 2, "logoutWait": 0.5})
    await bot.start()
    before = time.time()
    number = await bot.pair(simulator)
    paired = await bot.metric("phone_seen_timestamp_seconds")
    assert before < paired < time.time()

    monkeypatch.setattr("simulator.service.now", lambda: int(paired) + 14400)
    await simulator.service.send(number, "905550001122", "from somebody else")
    monkeypatch.setattr("simulator.service.now", lambda: int(paired) + 7200)
    await simulator.service.send(number, "905550001122", "from the phone", own=True)

    async def seen() -> float | None:
        at = await bot.metric("phone_seen_timestamp_seconds")
        return at if at != paired else None

    assert await until(seen, "the message is seen") == int(paired) + 7200

    await bot.stop()
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_READY", mark)
    assert await bot.metric("phone_seen_timestamp_seconds") == int(paired) + 7200
    await simulator.service.logout(number)
    await bot.event("WHATSAPP_QR", mark)
    assert await bot.metric("phone_seen_timestamp_seconds") == 0
    assert await bot.metric("qr_waiting", cause="logout") == 1
    assert await bot.metric("qr_waiting", cause="first_pairing") == 0
