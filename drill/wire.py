"""The network between one subject's browser and its site: a relay on a port of its own, with a weather of its own.

It knows nothing of phones, so that it does the same to any client.
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum, auto


class Weather(Enum):
    FINE = auto()
    CUT = auto()  # connections break, new ones too
    FROZEN = auto()  # connections stay, nothing moves on them
    REFUSED = auto()  # nobody listens


_CHUNK = 1 << 16


class Wire:
    """`async with Wire(site_port) as wire`; `wire.port` is where the browser is sent."""

    def __init__(self, site_port: int) -> None:
        self.port = 0
        self.weather = Weather.FINE
        self._site_port = site_port
        self._server: asyncio.Server | None = None
        self._moves = asyncio.Event()
        self._moves.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.change(Weather.REFUSED)
        # Not cancelled: their connections are gone, so they end, and asyncio complains of a cancelled one.
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def change(self, weather: Weather) -> None:
        before, self.weather = self.weather, weather
        if weather is Weather.FROZEN:
            self._moves.clear()
        else:
            self._moves.set()
        if weather in (Weather.CUT, Weather.REFUSED):
            for end in list(self._ends):
                end.transport.abort()
        if weather is Weather.REFUSED and self._server:
            self._server.close()
            self._server = None
        elif before is Weather.REFUSED and weather is not Weather.REFUSED:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._moves.wait()
        if self.weather is not Weather.FINE:
            writer.transport.abort()
            return
        try:
            site_reader, site_writer = await asyncio.open_connection("127.0.0.1", self._site_port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, site_writer}
        self._ends |= ends
        try:
            await asyncio.gather(self._carry(reader, site_writer), self._carry(site_reader, writer))
        finally:
            self._ends -= ends
            for end in ends:
                end.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._moves.wait()
                target.write(data)
                await target.drain()
        # What was said is still delivered; then the other side hears of the end: a dead browser is seen to be dead.
        target.close()
