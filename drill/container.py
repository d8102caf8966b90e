"""A subject that is a container: the manager's own `up` makes it, on an engine that may be restarted under it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import methodcaller
from pathlib import Path
from typing import Any

from bot.contract import BOT_UID, LABEL_CLIENT_ID, LABEL_PROJECT, SESSION_MOUNT, STOP_GRACE_SECONDS
from demo.ear import Event
from demo.stage import HOST, Stage
from drill.judge import What
from drill.log import Log
from drill.memory import MemoryGroup
from drill.ownengine import EngineFailed, OwnEngine
from drill.robot import meaning
from drill.site import There
from drill.subject import Impossible, Restart, Victim
from drill.volume import Disk, Volume, listing, mount, session_files, unmount
from drill.wire import Weather
from manager import reconcile, talk
from manager.engine import Engine
from manager.fleet import Bot, Fleet
from manager.problems import EngineError
from manager.spec import hostname, network_name, volume_name
from simulator.problem import Refused

_ANSWER_SECONDS = 20
_MEMORY_MORE = 64 * 1024**2
# In the container, by the bot's own means: so it is the same on any engine, wherever it runs.
_KILL = f"""
import os, signal
from pathlib import Path
from bot import processes as p
found = {{
    "bot": lambda pid: p.command_line(pid)[1:] == ["-m", "bot"],
    "browser": lambda pid: p.uses_profile(pid, Path("{SESSION_MOUNT}/profile")) and p.is_main_browser(pid),
    "renderer": lambda pid: "--type=renderer" in p.command_line(pid),
}}
pids = [pid for pid in p.all_pids() if found[os.environ["VICTIM"]](pid)]
p.send(pids, signal.SIGKILL)
print(len(pids))
"""
_ORDERS = {
    Weather.CUT: ("drop",),
    Weather.FROZEN: ("freeze",),
    Weather.FINE: ("restore", "unfreeze"),
}


async def _call(call: Callable[..., Any], *given: Any) -> Any:
    """What the engine refuses is impossible."""
    try:
        return await asyncio.to_thread(call, *given)
    except EngineError as error:
        raise Impossible(error.detail or error.problem.value) from None
    except EngineFailed as error:
        raise Impossible(str(error)) from None


class EngineVolume:
    """As every bot has it."""

    def __init__(self, stage: Stage, fleet: Fleet, client: str) -> None:
        self.path = Path(SESSION_MOUNT)
        self._stage, self._fleet, self._client = stage, fleet, client

    async def make(self) -> None:
        stage, name = self._stage, volume_name(self._stage.project, self._client)
        await _call(stage.engine.create_volume, name, stage.project, self._client)

    async def remove(self) -> None:
        await _call(reconcile.remove_client, self._fleet, self._stage.engine, self._client)


class EngineDisk(Disk):
    """A small disk of its own that the engine takes for such a volume. It lies outside of the engine's folder: an
    engine that stops unmounts all that is in there."""

    def __init__(self, folder: Path, own: OwnEngine, project: str, client: str) -> None:
        super().__init__(folder, owner=BOT_UID)
        self._own = own
        self._name = volume_name(project, client)
        self._labels = {LABEL_PROJECT: project, LABEL_CLIENT_ID: client}
        self._at_engine = own.volume_folder(self._name)

    async def make(self) -> None:
        await super().make()
        await _call(
            Engine(self._own.host).ask,
            methodcaller(
                "create_volume",
                self._name,
                driver_opts={"type": "none", "o": "bind", "device": str(self.path)},
                labels=self._labels,
            ),
        )

    async def come_back_as(self, snapshot: Path) -> None:
        """An engine whose containers have lived on counts a volume's mounts twice: it would go on with the old disk."""
        kept = self._at_engine.is_mount()
        while self._at_engine.is_mount():
            await unmount(self._at_engine)
        await super().come_back_as(snapshot)
        if kept:
            await mount("--bind", self.path, self._at_engine)


@dataclass(frozen=True)
class Images:
    """`twin`: the bot's image under another id, as one that was built anew has it."""

    bot: str
    twin: str
    simulator: str


class ContainerSubject:
    """`own`: the engine, if it may be restarted. `fleet` has this one bot."""

    def __init__(  # noqa: PLR0913
        self,
        folder: Path,
        stage: Stage,
        site: There,
        fleet: Fleet,
        images: Images,
        *,
        own: OwnEngine | None,
    ) -> None:
        (bot,) = fleet.bots
        self.name = bot.client_id
        self.log = Log(folder / "log.jsonl")
        self.anew = 0
        self._stage, self._site, self._fleet, self._images, self._own = stage, site, fleet, images, own
        self._engine = stage.engine
        self._container = stage.container(self.name)
        self._network = network_name(stage.project)
        self.volume: Volume = (
            EngineDisk(folder, own, stage.project, self.name)
            if own
            else EngineVolume(stage, fleet, self.name)
        )
        self._wanted_starts = 0
        self._loop = asyncio.get_running_loop()
        self._ear = stage.ear(self.name, self._overhear)

    def _overhear(self, event: Event) -> None:
        """In the ear's own thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._hear, event)

    def _hear(self, event: Event) -> None:
        self.log.told(event)
        if event.get("event") == "STARTUP":
            if not self._wanted_starts:
                self.log.hear(What.ENDED)
            self._wanted_starts = max(0, self._wanted_starts - 1)
            self.log.hear(What.STARTED)
        elif (what := meaning(event)) is not None:
            self.log.hear(what)

    async def _ask(self, method: str, *given: Any, **more: Any) -> Any:
        return await _call(self._engine.ask, methodcaller(method, *given, **more))

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """What a person types: `up`."""
        self._wanted_starts += 1
        outcome = await _call(reconcile.up, self._fleet, self._engine)
        if not outcome.ok:
            raise Impossible("; ".join(str(each) for each in outcome.errors) or "up refused")
        if outcome.nothing_to_do:
            self._wanted_starts -= 1

    async def stop(self) -> None:
        self.log.note("stop")
        await _call(self._engine.stop, self._container, STOP_GRACE_SECONDS)
        self.log.hear(What.AWAY)

    async def kill(self, victim: Victim) -> None:
        self.log.note("kill", victim=victim.name.lower())
        if victim is Victim.ALL:
            try:
                await self._ask("kill", self._container)
            except Impossible:  # it has just ended, and the engine might start it again
                await _call(self._engine.stop, self._container, 0)
            await self._ask("wait", self._container)
            self.log.hear(What.AWAY)
            return
        command, environ = ["python", "-c", _KILL], {"VICTIM": victim.name.lower()}
        ended = await _call(self._engine.exec, self._container, command, _ANSWER_SECONDS, environ)
        if victim is not Victim.BOT and ended.stdout.strip() == "0":
            raise Impossible("no such process runs")

    async def make_anew(self) -> None:
        """By turns its image is another one, or a setting of it."""
        self.anew += 1
        self.log.note("anew", number=self.anew)
        if self.anew % 2:
            other = self._images.twin if self._fleet.image == self._images.bot else self._images.bot
            self._fleet = replace(self._fleet, image=other)
        else:
            self._fleet = replace(self._fleet, bots=tuple(_otherwise(each) for each in self._fleet.bots))
        await self.start()

    async def restart_engine(self, how: Restart) -> None:
        if self._own is None:
            raise Impossible("the engine is not the drill's own")
        self.log.note("engine", restart=how.name.lower())
        await self._site.close()  # whoever waits on a dead engine's line waits long
        await _call(self._own.restart, how)

    async def close(self) -> None:
        self._ear.close()
        await self._site.close()
        if isinstance(self.volume, Disk):
            try:
                await _call(reconcile.down, self._fleet, self._engine, frozenset([self.name]))
            finally:
                await self.volume.remove()

    # --- what befalls it ------------------------------------------------------------------------------------

    async def pause(self, paused: bool) -> None:
        self.log.note("pause", paused=paused)
        await self._ask("pause" if paused else "unpause", self._container)

    async def weather(self, weather: Weather) -> None:
        if weather not in _ORDERS:
            raise Impossible("nothing stands between its browser and the site")
        self.log.note("weather", weather=weather.name.lower())
        try:
            for order in _ORDERS[weather]:
                await self._site.order(order, {"phone": "*"})
        except Refused as refusal:
            raise Impossible(str(refusal)) from None

    async def plug(self, plugged: bool) -> None:
        self.log.note("plug", plugged=plugged)
        if plugged:
            await _call(self._engine.join_network, self._network, self._container, [hostname(self.name)])
        else:
            await _call(self._engine.leave_network, self._network, self._container)

    async def names(self, resolve: bool) -> None:
        """The site stays on the network, under the name of its container alone."""
        self.log.note("names", resolve=resolve)
        simulator = self._stage.simulator
        await _call(self._engine.leave_network, self._network, simulator)
        await _call(self._engine.join_network, self._network, simulator, [HOST] if resolve else [])

    async def starve(self, seconds: float) -> bool:
        found = await _call(self._engine.inspect, self._container)
        try:
            done = await MemoryGroup.of(found["State"]["Pid"]).squeeze(seconds)
        except OSError as error:
            raise Impossible(f"its control group is not on this machine: {error.strerror}") from None
        self.log.note("starved", killed=done)
        return done

    # --- what it shows --------------------------------------------------------------------------------------

    async def code(self) -> str:
        try:
            answer = await asyncio.to_thread(
                talk.ask, self._engine, self._container, ["qr"], _ANSWER_SECONDS, "en"
            )
        except (talk.Refusal, EngineError) as error:
            raise Refused(str(error)) from None
        return str(answer["text"])

    def files(self) -> list[Path]:
        if not isinstance(self.volume, Disk):
            raise Impossible("its volume is not on this machine")
        return session_files(self.volume.path, self.volume.path / "profile")

    async def listing(self) -> str:
        if isinstance(self.volume, Disk):
            return await listing(self.volume.path)
        command = ["ls", "-lAR", "--time-style=full-iso", SESSION_MOUNT]
        try:
            return str((await _call(self._engine.exec, self._container, command, _ANSWER_SECONDS)).stdout)
        except Impossible as reason:
            return str(reason)


def _otherwise(bot: Bot) -> Bot:
    if bot.language == "en":
        return replace(bot, language="tr", memory=bot.memory + _MEMORY_MORE)
    return replace(bot, language="en", memory=bot.memory - _MEMORY_MORE)
