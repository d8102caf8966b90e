"""What it costs that a session is synced: the same bot with our syncing and without it, on a disk of its own.

Writes and flushes are the kernel's own count for the disk. Without means that `os.fsync` does nothing in the bot's
process; what the browser syncs by itself stays in both.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure
from drill.volume import Disk
from manager.engine import Engine
from simulator.options import Options
from simulator.running import Simulator
from tests.robot import ROOT, Robot

_REST_SECONDS = 120
_AFTER_READY_SECONDS = 5
_HOOK = """
import atexit, json, os, time
real, spent = os.fsync, []
def fsync(descriptor):
    began = time.perf_counter()
    if os.environ["BENCH_SYNC"] == "1":
        real(descriptor)
    spent.append(time.perf_counter() - began)
os.fsync = fsync
atexit.register(lambda: open(os.environ["BENCH_SPENT"], "w").write(json.dumps(spent)))
"""


@dataclass(frozen=True)
class Count:
    """Of a block device since it exists."""

    writes: int
    kib: float
    flushes: int

    @classmethod
    def of(cls, device: str) -> Count:
        fields = [int(field) for field in Path("/sys/block", Path(device).name, "stat").read_text().split()]
        return cls(fields[4], fields[6] / 2, fields[15])

    def since(self, before: Count) -> Count:
        return Count(self.writes - before.writes, self.kib - before.kib, self.flushes - before.flushes)


@dataclass
class Run:
    """`pairing`: from the scan to READY and a little longer. Seconds from the scan; `syncs`: seconds of each."""

    pairing: Count
    rest: Count
    paired: float
    ready: float
    syncs: list[float]


def syncs(engine: Engine, rounds: int) -> list[Figure]:
    del engine
    rounds = max(1, rounds // 5)  # a round takes seven minutes
    runs: dict[bool, list[Run]] = {True: [], False: []}
    for turn in range(rounds):
        for synced in (turn % 2 == 0, turn % 2 == 1):
            with TemporaryDirectory() as folder:
                runs[synced].append(asyncio.run(_run(Path(folder), synced)))
    figures = []
    for synced, name in ((True, "with our syncing"), (False, "without")):
        some = runs[synced]
        figures += [
            Figure(f"scan to PAIRED, {name}", "s", [run.paired for run in some]),
            Figure(f"scan to READY, {name}", "s", [run.ready for run in some]),
            Figure(f"pairing: writes, {name}", "", [run.pairing.writes for run in some]),
            Figure(f"pairing: written, {name}", "KiB", [run.pairing.kib for run in some]),
            Figure(f"pairing: flushes, {name}", "", [run.pairing.flushes for run in some]),
            Figure(f"at rest: writes, {name}", "/min", [_a_minute(run.rest.writes) for run in some]),
            Figure(f"at rest: written, {name}", "KiB/min", [_a_minute(run.rest.kib) for run in some]),
            Figure(f"at rest: flushes, {name}", "/min", [_a_minute(run.rest.flushes) for run in some]),
        ]
    spent = [second * 1000 for run in runs[True] for second in run.syncs]
    calls = [len(run.syncs) for run in runs[True]]
    figures += [
        Figure(
            "one fsync of ours",
            "ms",
            spent,
            note=f"{sum(calls)} of {rounds} runs, pairing and a first copy among them",
        ),
        Figure("all our fsyncs of a run", "s", [sum(run.syncs) for run in runs[True]]),
    ]
    return figures


def _a_minute(count: float) -> float:
    return count * 60 / _REST_SECONDS


async def _run(folder: Path, synced: bool) -> Run:
    """The rest is measured after the first live copy, with the usual waits: one look at the volume falls into it."""
    disk = Disk(folder)
    await disk.make()
    spent, hook = folder / "spent.json", folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(_HOOK)
    environ = (f"PYTHONPATH={hook}:{ROOT}", f"BENCH_SYNC={int(synced)}", f"BENCH_SPENT={spent}")
    try:
        async with Simulator(Options(load_seconds=0.3, sync_seconds=0.5)) as simulator:
            bot = Robot(folder / "bot", simulator, sessionDir=str(disk.path), reconnect={})
            await bot.start(prefix=("env", *environ, "setpriv"))
            try:
                text, device = await bot.qr(), _device(disk.path)
                before, began = Count.of(device), time.time()
                await simulator.service.pair(text)
                paired, ready = [
                    _moment(await bot.event(name)) - began for name in ("WHATSAPP_PAIRED", "WHATSAPP_READY")
                ]
                await asyncio.sleep(_AFTER_READY_SECONDS)
                pairing = Count.of(device).since(before)
                await bot.event("SESSION_KEPT", within=180)
                await asyncio.sleep(_AFTER_READY_SECONDS)
                before = Count.of(device)
                await asyncio.sleep(_REST_SECONDS)
                rest = Count.of(device).since(before)
            finally:
                await bot.stop()
    finally:
        await disk.remove()
    return Run(pairing, rest, paired, ready, json.loads(spent.read_text()))


def _moment(event: dict[str, object]) -> float:
    return datetime.fromisoformat(str(event["time"])).timestamp()


def _device(path: Path) -> str:
    found = subprocess.run(["findmnt", "-no", "SOURCE", path], capture_output=True, text=True, check=True)
    return found.stdout.strip()
