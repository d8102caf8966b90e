"""The site as pages see it: files, and the line on which each page talks with the server."""

from __future__ import annotations

import json
import mimetypes
import secrets
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Protocol

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Middleware

from simulator.line import Line, Order
from simulator.options import Options
from simulator.weather import Weather

COOKIE = "wa_browser"
PAGE = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' wss://*; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'self'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
}
_HALF = "socket.js"  # without it the page stands there and never speaks
_ONE_YEAR = 365 * 24 * 3600


class Server(Protocol):
    """What the site asks of the service behind it."""

    async def opened(self, line: Line) -> None: ...

    async def heard(self, line: Line, order: Order) -> None: ...

    def closed(self, line: Line) -> None: ...

    def owner(self, cookie: str) -> str | None:
        """The number of the phone that the browser with this cookie was last logged in for."""

    def flags(self, phone: str | None) -> Collection[str]: ...


class _Wire:
    def __init__(self, request: web.Request, socket: web.WebSocketResponse, cookie: str) -> None:
        self._request = request
        self._socket = socket
        self.cookie = cookie

    async def send(self, text: str) -> None:
        if not self._socket.closed:
            await self._socket.send_str(text)

    def abort(self) -> None:
        if self._request.transport:
            self._request.transport.abort()


def application(server: Server, weather: Weather, options: Options) -> web.Application:
    app = web.Application(middlewares=[_through(server, weather)])

    async def index(request: web.Request) -> web.StreamResponse:
        answer = _page(PAGE / "index.html")
        if COOKIE not in request.cookies:
            answer.set_cookie(
                COOKIE, secrets.token_urlsafe(16), max_age=_ONE_YEAR, secure=True, httponly=True
            )
        return answer

    async def config(request: web.Request) -> web.Response:
        flags = server.flags(server.owner(request.cookies.get(COOKIE, "")))
        told = options.page() | {name: name in flags for name in ("outdated", "passkey")}
        return web.Response(
            text=f"window.__simulator = {json.dumps(told)};", content_type="text/javascript", headers=_HEADERS
        )

    async def chat(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        line = Line(_Wire(request, socket, request.cookies.get(COOKIE, "")))
        await server.opened(line)
        try:
            async for message in socket:
                await weather.thawed(lambda: _number(line) or server.owner(line.wire.cookie))
                if message.type is WSMsgType.TEXT:
                    await server.heard(line, message.json())
        finally:
            server.closed(line)
        return socket

    async def file(request: web.Request) -> web.StreamResponse:
        found = PAGE / Path(request.match_info["name"]).name
        flags = server.flags(server.owner(request.cookies.get(COOKIE, "")))
        if found.name == _HALF and "half-page" in flags and request.transport:
            request.transport.abort()
        if not found.is_file():
            raise web.HTTPNotFound
        return _page(found)

    app.router.add_get("/", index)
    app.router.add_get("/ws/chat", chat)
    app.router.add_get("/sim/config.js", config)
    app.router.add_get("/sim/{name}", file)
    return app


def _page(path: Path) -> web.Response:
    """Whole: asyncio's sendfile over TLS now and then leaves a connection that never moves again (Python 3.11)."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return web.Response(body=path.read_bytes(), content_type=kind, charset="utf-8", headers=_HEADERS)


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _through(server: Server, weather: Weather) -> Middleware:
    @web.middleware
    async def network(request: web.Request, handler: _Handler) -> web.StreamResponse:
        phone = server.owner(request.cookies.get(COOKIE, ""))
        await weather.thawed(lambda: phone)
        if weather.cut(phone):
            if request.transport:
                request.transport.abort()
            return web.Response(status=503)
        return await handler(request)

    return network


def _number(line: Line) -> str | None:
    return line.phone.number if line.phone else None
