"""`up` with containers that do nothing: what the manager itself costs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker

from bench.counting import CountingSocket
from bench.figures import Figure, clock, interleaved
from bot.contract import BOT_UID
from manager import config, confinement, reconcile, spec
from manager.engine import Engine
from manager.execute import WORKERS
from manager.fleet import Fleet
from setup import compose_tool
from setup.host import ROOT
from setup.say import SetupError
from setup.test_tools import TOOLS
from tests.engine.conftest import TRIVIAL_IMAGE, image_archive, import_trivial, sweep

_MANY, _RESTING = 20, 50
_COMPOSE_FILE = """services:
{services}"""
_SERVICE = """  {name}:
    image: {image}
    user: "{uid}:{uid}"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 128m
    init: true
    volumes: ["{name}:/session"]
"""


def bots_yaml(project: str, count: int) -> str:
    bots = "".join(f"  - clientId: bot-{number}\n" for number in range(count))
    return f"project: {project}\nimage: {TRIVIAL_IMAGE}\ndefaults: {{memory: 128m}}\nbots:\n{bots}"


class Trivial:
    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.sdk: Any = docker.APIClient(base_url=engine.host, version="1.41", max_pool_size=WORKERS)
        self.file = folder / "bots.yaml"
        busybox = TOOLS / "busybox"
        import_trivial(
            self.sdk, image_archive(busybox if busybox.exists() else Path(str(shutil.which("busybox"))))
        )

    def fleet(self, project: str, count: int) -> Fleet:
        self.file.write_text(bots_yaml(project, count))
        return config.load(self.file, {})

    def process(self, *words: str, host: str | None = None) -> None:
        """`python -m manager`, as a person would call it."""
        subprocess.run(
            [sys.executable, "-m", "manager", "--file", str(self.file), *words],
            cwd=ROOT,
            env=os.environ | {"DOCKER_HOST": host or self.engine.host},
            stdout=subprocess.DEVNULL,
            check=True,
        )

    # ---- each from nothing to running, in seconds

    def up(self) -> float:
        fleet = self.fleet("bench-up", _MANY)
        return self._timed("bench-up", lambda: _must(reconcile.up(fleet, Engine(self.engine.host))))

    def up_process(self) -> float:
        self.fleet("bench-up", _MANY)
        return self._timed("bench-up", lambda: self.process("up", "--yes"))

    def bare(self) -> float:
        """The same containers, on a network that is there: nothing but the calls nobody can do without."""
        fleet = self.fleet("bench-bare", _MANY)
        image = str(self.sdk.inspect_image(TRIVIAL_IMAGE)["Id"])
        around = confinement.fingerprint()
        specs = [spec.build(fleet, bot, image, "bench", confinement=around) for bot in fleet.bots]
        self.engine.create_network(specs[0].network, fleet.project)

        def one(wanted: spec.ContainerSpec) -> None:
            body = confinement.container_body(wanted)
            self.sdk.start(self.sdk.create_container_from_config(body, name=wanted.name)["Id"])

        def everyone() -> None:
            with ThreadPoolExecutor(WORKERS) as pool:
                list(pool.map(one, specs))

        return self._timed("bench-bare", everyone)

    def compose(self) -> float:
        services = [
            _SERVICE.format(name=f"bot-{number}", image=TRIVIAL_IMAGE, uid=BOT_UID) for number in range(_MANY)
        ]
        volumes = "".join(f"  bot-{number}: {{}}\n" for number in range(_MANY))
        file = self.file.with_name("compose.yaml")
        file.write_text(f"services:\n{''.join(services)}volumes:\n{volumes}")
        command = [*compose_tool.command(), "--project-name", "bench-compose", "--file", str(file)]
        samples: list[float] = []
        try:
            with clock(samples):
                subprocess.run([*command, "up", "--detach"], check=True, capture_output=True)
        finally:
            subprocess.run([*command, "down", "--volumes", "--timeout", "0"], check=True, capture_output=True)
        return samples[0]

    def _timed(self, project: str, call: Callable[[], object]) -> float:
        samples: list[float] = []
        try:
            with clock(samples):
                call()
        finally:
            sweep(self.sdk, project)
        return samples[0]


def _must(outcome: reconcile.Outcome) -> None:
    if not outcome.ok or outcome.nothing_to_do:
        raise RuntimeError(f"`up` did not do its work: {outcome.errors}")


def cold(engine: Engine, rounds: int) -> list[Figure]:
    with TemporaryDirectory() as folder:
        bench = Trivial(engine, Path(folder))
        runs = {"up": bench.up, "bare loop": bench.bare, "whole process": bench.up_process}
        try:
            runs[" ".join(Path(word).name for word in compose_tool.command())] = bench.compose
            note = ""
        except SetupError as error:
            note = f"Docker Compose: {error}: not compared"
        for project in ("bench-up", "bench-bare"):
            sweep(bench.sdk, project)
        bench.bare()  # what only the first run of an engine pays
        seconds = interleaved(rounds, runs)
    ratios = [ours / bare for ours, bare in zip(seconds["up"], seconds["bare loop"], strict=True)]
    return [Figure(f"cold up of {_MANY}, to a bare create+start loop", "x", ratios, 1.1, seconds, note)]


def resting(engine: Engine, rounds: int) -> list[Figure]:
    with TemporaryDirectory() as folder:
        bench = Trivial(engine, Path(folder))
        project = "bench-rest"
        sweep(bench.sdk, project)
        try:
            _must(reconcile.up(bench.fleet(project, _RESTING), engine))

            def interpreter() -> float:
                samples: list[float] = []
                with clock(samples):
                    subprocess.run([sys.executable, "-c", "import docker"], check=True)
                return samples[0]

            def up() -> float:
                samples: list[float] = []
                with clock(samples):
                    bench.process("up")
                return samples[0]

            up()
            before = os.times()
            up()
            after = os.times()
            seconds = interleaved(2 * rounds, {"up": up, "python -c 'import docker'": interpreter})
            with CountingSocket(engine.host) as counted:
                bench.process("up", host=counted.host)
        finally:
            sweep(bench.sdk, project)
    whole = seconds.pop("up")
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    seconds["its CPU time"] = [processor]
    return [
        Figure(f"up of {_RESTING} with nothing to do, whole process", "s", whole, 0.5, seconds),
        Figure(f"up of {_RESTING} with nothing to do, engine calls", "", [counted.requests], 3),
    ]
