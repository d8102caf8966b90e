"""Real bots on the simulator: how soon they are back, what they weigh, how soon they go."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker

from bench.figures import Figure, clock
from demo.ear import Ear
from demo.stage import Stage
from manager import image, reconcile
from manager.engine import Engine
from manager.fleet import Fleet
from setup import simulator_image

_PROJECT = "bench-bots"
_LOAD_SECONDS, _SYNC_SECONDS = 0.3, 0.5
_TEN = 10
_READY_SECONDS = 120
_SETTLE_SECONDS = 10
_FILE = """project: bench-bots
image: ${BENCH_IMAGE}
defaults:
  memory: 768m
  browser:
    args: ["--ignore-certificate-errors-spki-list=${SIMULATOR_PIN}"]
bots:
"""


class BenchError(Exception):
    """What was to be measured did not happen."""


class Bots:
    def __init__(self, stage: Stage, folder: Path, tag: str) -> None:
        """`tag`: the one image of the whole run, whatever happens to its sources meanwhile."""
        self.stage = stage
        self._tag = tag
        self.engine = stage.engine
        self.sdk = docker.APIClient(base_url=stage.engine.host, version="1.41")
        self._file = folder / "bots.yaml"
        self.ears: dict[str, Ear] = {}

    def fleet(self, count: int) -> Fleet:
        self._file.write_text(_FILE + "".join(f"  - clientId: bot-{number}\n" for number in range(count)))
        return self.stage.fleet(self._file, BENCH_IMAGE=self._tag)

    def pair(self, count: int) -> None:
        """Bots 0 to `count`, one after another, so that none starts while another is measured or pairs."""
        for number in range(count):
            client_id = f"bot-{number}"
            if client_id in self.ears:
                continue
            outcome = reconcile.up(self.fleet(number + 1), self.engine)
            if not outcome.ok:
                raise BenchError(outcome.errors)
            ear = self.ears[client_id] = self.stage.ear(client_id)
            self._heard(ear, "WHATSAPP_QR", 0)
            self.stage.scan(self.stage.code(client_id).text)
            self._heard(ear, "WHATSAPP_READY", 0)

    def come_back(self, client_id: str) -> tuple[float, float]:
        """Seconds from SIGTERM to gone, and from the container's start to READY."""
        container, ear = self.stage.container(client_id), self.ears[client_id]
        stopped: list[float] = []
        with clock(stopped):
            self.sdk.stop(container, timeout=30)
        code = self.sdk.inspect_container(container)["State"]["ExitCode"]
        if code != 0:
            raise BenchError(f"{client_id} did not end by itself: exit code {code}")
        mark = ear.mark
        began = time.time()
        self.sdk.start(container)
        ready = self._heard(ear, "WHATSAPP_READY", mark)
        return stopped[0], ready - began

    @staticmethod
    def _heard(ear: Ear, name: str, mark: int) -> float:
        """When the bot wrote it: epoch seconds."""
        event = ear.wait(name, mark, _READY_SECONDS)
        if event is None:
            raise BenchError(f"{ear.client_id}: no {name} in {_READY_SECONDS} s\n{ear.tale(mark)}")
        return datetime.fromisoformat(event["time"]).timestamp()

    def weight(self) -> float:
        """PSS of all processes of all bots, in MiB."""
        return sum(_pss(self.sdk, self.stage.container(client_id)) for client_id in self.ears)


def _pss(sdk: docker.APIClient, container: str) -> float:
    found = sdk.top(container, "-eo pid")
    pids = [row[found["Titles"].index("PID")] for row in found["Processes"]]
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


@contextmanager
def _bots(engine: Engine) -> Iterator[Bots]:
    options = ("--load-seconds", str(_LOAD_SECONDS), "--sync-seconds", str(_SYNC_SECONDS))
    tag = image.ensure(engine, None, os.environ).tag
    with TemporaryDirectory() as folder, Stage(engine, _PROJECT, simulator_image.tag(), options) as stage:
        yield Bots(stage, Path(folder), tag)


def bots(engine: Engine, rounds: int) -> list[Figure]:
    with _bots(engine) as bench:
        bench.pair(1)
        alone = _weigh(bench, rounds)
        went: list[float] = []
        came: list[float] = []
        for _ in range(rounds):
            stopped, ready = bench.come_back("bot-0")
            went.append(stopped)
            came.append(ready - _LOAD_SECONDS - _SYNC_SECONDS)
        bench.pair(_TEN)
        ten = [weight / _TEN for weight in _weigh(bench, rounds)]
    own = f"without the page's own {_LOAD_SECONDS + _SYNC_SECONDS} s (loading {_LOAD_SECONDS}, sync {_SYNC_SECONDS})"
    return [
        Figure("container start to READY from a stored session", "s", came, 1.0, note=own),
        Figure("SIGTERM to container gone", "s", went, 1.0),
        Figure("PSS of a bot alone", "MiB", alone, 380),
        Figure(f"PSS of a bot, {_TEN} of them", "MiB", ten, 215, note=f"sum of all processes / {_TEN}"),
    ]


def _weigh(bench: Bots, rounds: int) -> list[float]:
    time.sleep(_SETTLE_SECONDS)
    samples = []
    for _ in range(rounds):
        samples.append(bench.weight())
        time.sleep(1)
    return samples


def size(engine: Engine, rounds: int) -> list[Figure]:
    del rounds
    found = image.ensure(engine, None, os.environ)
    api: Any = docker.APIClient(base_url=engine.host, version="1.41")
    megabytes = api.inspect_image(found.id)["Size"] / 1_000_000
    return [Figure("bot image", "MB", [megabytes], 700, note=found.tag)]
