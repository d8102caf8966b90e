"""How soon after a pairing a SIGKILL may come: bot and browser are killed 0 to 80 ms after the phone has the device.

The processes are looked up before, so that the kill comes when it should; what is told is when it really came.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from bot import processes
from bot.contract import State
from manager.engine import Engine
from simulator.options import Options
from simulator.running import Simulator
from tests.robot import Robot

_TRIES_A_ROUND = 4
_LATEST = 0.08
_AT_ONCE = 2
_SEED = 1
_OUTCOMES = (State.READY.value, State.WAITING_FOR_QR_SCAN.value)
_HURRY = {"networkWait": 2, "logoutWait": 0.2, "probeInterval": 0.5}


def early(engine: Engine, rounds: int) -> list[Figure]:
    """Lost: the restarted bot shows a QR, although the phone lists its device."""
    del engine
    tries = rounds * _TRIES_A_ROUND
    dice = random.Random(_SEED)
    delays = [dice.uniform(0, _LATEST) for _ in range(tries)]
    with TemporaryDirectory() as folder:
        came, lost = asyncio.run(_all(Path(folder), delays))
    note = f"{tries} tries; lost at {', '.join(f'{ms:.0f}' for ms in sorted(lost)) or 'none'} ms"
    return [
        Figure("killed after the pairing", "ms", came),
        Figure("sessions lost by it", "", [len(lost)], 0, note=note),
    ]


async def _all(folder: Path, delays: list[float]) -> tuple[list[float], list[float]]:
    came: list[float] = []
    lost: list[float] = []
    async with Simulator(Options(load_seconds=0.1, sync_seconds=0.2)) as simulator:
        parts = [
            _tries(
                Robot(folder / f"bot{at}", simulator, f"bot{at}", reconnect=_HURRY),
                simulator,
                delays[at::_AT_ONCE],
            )
            for at in range(_AT_ONCE)
        ]
        for some_came, some_lost in await asyncio.gather(*parts):
            came += some_came
            lost += some_lost
    return came, lost


async def _tries(bot: Robot, simulator: Simulator, delays: list[float]) -> tuple[list[float], list[float]]:
    came: list[float] = []
    lost: list[float] = []
    await bot.start()
    await bot.event("WHATSAPP_QR", within=60)
    for delay in delays:
        text = await bot.qr()
        assert bot.process is not None
        family = processes.with_descendants([bot.process.pid])
        wid = await simulator.service.pair(text)
        linked = time.perf_counter()
        await asyncio.sleep(delay)
        _send(family, signal.SIGSTOP)
        came.append((time.perf_counter() - linked) * 1000)
        _send(family, signal.SIGKILL)
        await bot.kill()
        mark = bot.mark
        await bot.start()
        came_to = await bot.event("BOT_STATE", mark, 60, lambda line: line["to"] in _OUTCOMES)
        if came_to["to"] == State.WAITING_FOR_QR_SCAN.value:
            lost.append(came[-1])
            await bot.event("WHATSAPP_QR", mark)
        else:
            mark = bot.mark
            await simulator.service.logout(wid.partition(":")[0])
            await bot.event("WHATSAPP_QR", mark, within=60)
    await bot.kill()
    return came, lost


def _send(family: set[int], number: signal.Signals) -> None:
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
