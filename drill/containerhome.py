"""Homes of subjects that are containers: a project, a network and a simulator of one's own, on one engine for all."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.stage import Stage, StageError, docker
from drill import machine
from drill.container import ContainerSubject, Images
from drill.faults import Fault, Need, needs
from drill.house import hurry
from drill.ownengine import EngineFailed, OwnEngine
from drill.phone import SimulatedPhone
from drill.robot import HURRY as BOT_HURRY
from drill.site import There
from drill.subject import Impossible, Phone, Subject
from manager import config, image
from manager.engine import Engine
from manager.fleet import Fleet
from manager.interpolate import Variables
from manager.problems import EngineError
from setup import simulator_image
from setup.say import SetupError
from simulator.options import Options

# Only an engine of the drill's own may be restarted, and it alone keeps volumes where the drill can reach them.
_OWN = frozenset({Need.ENGINE_OF_ITS_OWN, Need.FILES, Need.LOOP})


def abilities() -> frozenset[Need]:
    """A container brings names and a network of its own; the rest is the machine's."""
    found = (machine.abilities() & {Need.ROOT, Need.LOOP, Need.CGROUP}) | {Need.NAMESPACES, Need.CONTAINER}
    return found | {Need.ENGINE_OF_ITS_OWN, Need.FILES} if OwnEngine.possible() else found - _OWN


@dataclass(frozen=True)
class ContainerHome:
    """`folder`: for everything that is gone afterwards. `environ` leads the docker command to `engine`; `own` is that
    engine, if it is the drill's own."""

    folder: Path
    engine: Engine
    environ: Mapping[str, str]
    own: OwnEngine | None
    images: Images

    @asynccontextmanager
    async def __call__(self, name: str) -> AsyncIterator[tuple[Subject, Phone]]:
        project = f"oturum-drill-{os.getpid()}-{name}"
        stage = Stage(
            self.engine, project, self.images.simulator, _words(hurry()), self.environ, lasting=True
        )
        folder = self.folder / name
        folder.mkdir(parents=True)
        with _as_impossible():
            await asyncio.to_thread(stage.__enter__)
        try:
            own = self.own
            site = There(stage.simulator, self.environ, lambda: own.starts if own else 0)
            fleet = _fleet(stage, self.images.bot, name)
            subject = ContainerSubject(folder, stage, site, fleet, self.images, own=self.own)
            try:
                yield subject, SimulatedPhone(site, subject.log)
            finally:
                await subject.close()
        finally:
            # An engine whose containers lived on counts their volumes' mounts twice and refuses to remove these. Its
            # end takes all of it.
            with suppress(StageError) if self.own else nullcontext():
                await asyncio.to_thread(stage.__exit__, None, None, None)


@asynccontextmanager
async def opened(folder: Path, faults: tuple[Fault, ...]) -> AsyncIterator[ContainerHome]:
    """With an engine of the drill's own where one of `faults` wants that. Raises Impossible."""
    own = None
    if any(needs(fault) & _OWN for fault in faults):
        place = folder / "engine"
        place.mkdir()
        own = OwnEngine(place)
    home: ContainerHome | None = None
    try:
        with _as_impossible():
            home = await asyncio.to_thread(_prepared, folder, own)
        yield home
    finally:
        if own:
            await asyncio.to_thread(own.close)
        elif home:
            with _as_impossible():
                await asyncio.to_thread(docker, "rmi", home.images.twin, environ=home.environ)


def _prepared(folder: Path, own: OwnEngine | None) -> ContainerHome:
    engine, environ = Engine.connect(os.environ), dict(os.environ)
    bot, simulator = image.ensure(engine, None, os.environ).tag, simulator_image.ensure()
    if own:
        own.start()
        own.load([bot, simulator])
        engine, environ = Engine(own.host), own.environ
    # The same bot under another id, as one that was built anew has it.
    twin = f"{bot}-drill-{os.getpid()}"
    docker(
        "build",
        "--quiet",
        "--tag",
        twin,
        "-",
        environ=environ,
        given=f"FROM {bot}\nLABEL io.oturum.drill=twin\n",
    )
    return ContainerHome(folder, engine, environ, own, Images(bot, twin, simulator))


@contextmanager
def _as_impossible() -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        raise Impossible(error.detail or error.problem.value) from None
    except (EngineFailed, SetupError, StageError) as error:
        raise Impossible(str(error)) from None


def _words(options: Options) -> list[str]:
    """Those that are not as usual, as `python -m simulator serve` takes them."""
    usual, found = asdict(Options()), asdict(options)
    changed = [name for name in found if found[name] != usual[name]]
    return [word for name in changed for word in (f"--{name.replace('_', '-')}", str(found[name]))]


def _fleet(stage: Stage, bot_image: str, client: str) -> Fleet:
    text = {
        "project": stage.project,
        "image": bot_image,
        "defaults": {
            "memory": "512m",
            "reconnect": BOT_HURRY,
            "browser": {"args": [f"--ignore-certificate-errors-spki-list={stage.pin}"]},
        },
        "bots": [{"clientId": client}],
    }
    return config.parse(json.dumps(text).encode(), "bots.yaml", Variables({}, None))
