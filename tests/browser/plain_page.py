"""A second, much plainer stand-in for WhatsApp Web, written from the published facts, not from the simulator.

It exists so that the bot is never fitted to one page: any of its modules, its DOM marks or its QR's data
attribute can be left out. One page, one device, no cryptography: only signals count.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import segno
from aiohttp import WSMsgType, web

MODULES = (
    "WAWebSocketModel",
    "WAWebStreamModel",
    "WAWebConnModel",
    "WAWebUserPrefsInfoStore",
    "WAWebSignalStoreApi",
    "WAWebUserPrefsMultiDevice",
    "WAWebCompanionRegClientUtils",
    "WABase64",
    "WAWebLaunchSocketUtils",
    "WAWebUserPrefsMeUser",
)


@dataclass
class PlainPage:
    """`modules`: which of the page's modules exist. `dom`: whether it draws anything a selector could find.

    `landing`: what an unpaired page's address is changed to.
    `refs`: QR codes a round; `ref_seconds`: life of one. `sync_seconds`: login to hasSynced; None = never.
    """

    modules: Collection[str] = MODULES
    dom: bool = True
    data_ref: bool = True
    refs: int = 6
    ref_seconds: float = 20.0
    sync_seconds: float | None = 0.2
    login: str = "ok"
    landing: str = ""
    port: int = 0
    devices: set[str] = field(default_factory=set)
    shown: list[str] = field(default_factory=list)
    loads: int = 0
    _sockets: set[web.WebSocketResponse] = field(default_factory=set)
    _runner: web.AppRunner | None = None
    _site: web.TCPSite | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def __aenter__(self) -> PlainPage:
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/page.js", self._script)
        app.router.add_get("/ws", self._socket)
        self._runner = web.AppRunner(app, shutdown_timeout=0.5)
        await self._runner.setup()
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self.cut()
        await self._runner.cleanup()

    async def cut(self) -> None:
        """The network goes away: no new connection, and the ones there are fall."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        assert self._runner is not None
        server: Any = self._runner.server
        for connection in list(server.connections if server else ()):
            if connection.transport is not None:
                connection.transport.abort()

    async def restore(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        server: Any = self._site._server
        self.port = server.sockets[0].getsockname()[1]

    async def wait_qr(self, number: int = 1) -> str:
        """The text of the newest code, once at least `number` of them were shown by any page."""
        while len(self.shown) < number:
            self._changed.clear()
            await self._changed.wait()
        return self.shown[-1]

    async def scan(self, text: str, device: str = "905321234567:7@c.us") -> bool:
        """A phone reads `text`: pairs whichever page shows it now."""
        if not self.shown or text != self.shown[-1]:
            return False
        self.devices.add(device)
        await self.tell({"do": "paired", "wid": device})
        return True

    async def logout(self, reason: int | None = None) -> None:
        self.devices.clear()
        await self.tell({"do": "logout", "reason": reason})

    async def tell(self, what: dict[str, object]) -> None:
        """Any order of page.js: paired, logout, state (by hand), hang, leave (reload at the next cut), forget."""
        for socket in list(self._sockets):
            await socket.send_json(what)

    async def _page(self, _: web.Request) -> web.Response:
        self.loads += 1
        text = resources.files(__package__).joinpath("plain_page.html").read_text(encoding="utf-8")
        policy = "default-src 'self'; connect-src *; style-src 'unsafe-inline'; script-src 'self'"
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _script(self, _: web.Request) -> web.Response:
        settings = {
            "modules": sorted(self.modules),
            "dom": self.dom,
            "dataRef": self.data_ref,
            "refs": self.refs,
            "refSeconds": self.ref_seconds,
            "syncSeconds": self.sync_seconds,
            "landing": self.landing,
        }
        script = resources.files(__package__).joinpath("plain_page.js").read_text(encoding="utf-8")
        return web.Response(
            text=f"const settings = {json.dumps(settings)};\n{script}", content_type="text/javascript"
        )

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                await self._hear(socket, json.loads(message.data))
        finally:
            self._sockets.discard(socket)
        return socket

    async def _hear(self, socket: web.WebSocketResponse, said: dict[str, str]) -> None:
        if "shows" in said:
            self.shown.append(said["shows"])
            self._changed.set()
            rows = [list(row) for row in segno.make(said["shows"], micro=False).matrix]
            await socket.send_json({"do": "draw", "rows": rows})
        if "login" in said:
            known = said["login"] in self.devices
            answer = self.login if known or self.login != "ok" else "unknown"
            await socket.send_json({"do": "login", "answer": answer})
