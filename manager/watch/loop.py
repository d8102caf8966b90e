"""The watcher at work: the pure core between its bells, the pass that runs in a thread, and the HTTP server."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.text import Catalogue
from manager.engine import Engine
from manager.exits import Exit
from manager.fleet import Fleet
from manager.watch.bells import Crashed, EngineBell, EngineSign, FileBell
from manager.watch.core import CallOff, Effect, End, Ended, Event, MakePass, Rang, StopAsked, Tell, Watch
from manager.watch.happenings import Happening, Kind
from manager.watch.holder import Held, Holder, about_me, lease_name
from manager.watch.metrics import WatchMetrics
from manager.watch.server import Server
from manager.watch.status import Status
from manager.watch.telling import PassTeller
from manager.watch.work import Ways, Worker


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the watcher works with. `host` and `port`: where it answers; port 0 lets the system choose."""

    file: Path
    engine: Engine
    ways: Ways
    say: Catalogue
    tell: Callable[[Happening], None]
    host: str
    port: int


class Outdated(Exception):
    """The program on the disk is another one now: it is to be started instead."""


async def watch(around: Surroundings) -> Exit:
    """Works until it is told to stop, or finds another watcher on the project (Held), or itself outdated (Outdated).

    Raises PortTaken too, and whatever nobody foresaw in one of its threads.
    """
    core, metrics = Watch(), WatchMetrics()
    status = Status(around.file, around.engine.host, core, metrics, around.say)
    server = Server(status)
    await server.start(around.host, around.port)
    loop = _Loop(around, core, metrics, status, server.address)
    try:
        return await loop.run()
    finally:
        await server.close()


class _Loop:
    def __init__(
        self, around: Surroundings, core: Watch, metrics: WatchMetrics, status: Status, address: str
    ) -> None:
        self._around, self._core, self._metrics, self._status = around, core, metrics, status
        self._address = address
        self._events: asyncio.Queue[Event | Crashed] = asyncio.Queue()
        self._asyncio = asyncio.get_running_loop()
        self._holder = Holder(around.engine, about_me(address), lambda: self._ring(Rang(connection=True)))
        self._worker = Worker(
            around.engine,
            self._holder,
            metrics,
            PassTeller(around.tell, around.say),
            around.ways,
        )
        status.troubles = lambda: self._worker.troubles
        self._bell: EngineBell | None = None
        # Without a bots.yaml there is no pass: that the file is wrong is no reason to call the engine away.
        self._sign = EngineSign(around.engine, self._ring, metrics.engine_up.set)
        self._pass: asyncio.Task[None] | None = None
        self._stopping = threading.Event()
        self._over = False
        self._code = Exit.OK

    async def run(self) -> Exit:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._asyncio.add_signal_handler(number, self._stop, number)
        self._tell(Kind.WATCH_START, file=str(self._around.file), address=self._address, pid=os.getpid())
        file_bell = FileBell(self._around.file, self._around.ways.environ, self._ring)
        file_bell.start()
        self._sign.start()
        try:
            while not self._over:
                await self._turn()
        finally:
            file_bell.stop()
            self._sign.stop()
            if self._bell is not None:
                self._bell.stop()
            self._holder.release()
        if self._core.held_by is not None:
            raise Held(self._core.held_by, lease_name(self._core.project))
        if self._core.renewing:
            raise Outdated
        self._tell(Kind.WATCH_STOP)
        return self._code

    async def _turn(self) -> None:
        due = self._core.next_at()
        event: Event | Crashed | None = None
        with suppress(TimeoutError):
            wait = None if due is None else max(0.0, due - time.monotonic())
            event = await asyncio.wait_for(self._events.get(), wait)
        if isinstance(event, Crashed):
            raise event.error
        now = time.monotonic()
        effects = self._core.handle(event, now) if event is not None else []
        effects += self._core.tick(now)
        for effect in effects:
            self._perform(effect)
        self._metrics.config_valid.set(self._core.fleet is not None and self._core.errors is None)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case MakePass(fleet):
                self._stopping = threading.Event()
                self._pass = asyncio.create_task(self._make_pass(fleet))
            case Tell(happening):
                if happening.kind is Kind.CONFIG_LOADED:
                    self._loaded()
                self._around.tell(happening)
            case CallOff():
                self._stopping.set()
            case End():
                self._over = True

    def _loaded(self) -> None:
        self._metrics.config_loaded.set(time.time())
        self._sign.stop()
        if self._bell is None and self._core.fleet is not None:
            self._bell = EngineBell(
                self._around.engine, self._core.fleet.project, self._ring, self._worker.healer.oom
            )
            self._bell.start()

    async def _make_pass(self, fleet: Fleet) -> None:
        self._status.passing_since = time.monotonic()
        try:
            end: Ended | Crashed = await asyncio.to_thread(self._worker.make_pass, fleet, self._stopping)
        except Exception as error:
            end = Crashed(error)
        self._status.passing_since = None
        self._events.put_nowait(end)

    def _ring(self, event: Event | Crashed) -> None:
        """From any thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._asyncio.call_soon_threadsafe(self._events.put_nowait, event)

    def _stop(self, number: int) -> None:
        if number == signal.SIGINT:
            self._code = Exit.INTERRUPTED
        if self._core.stopping:  # asked twice: what is cut short now is finished by the next pass
            os._exit(self._code)
        self._events.put_nowait(StopAsked())

    def _tell(self, kind: Kind, **values: str | int) -> None:
        self._around.tell(Happening(kind, values))
