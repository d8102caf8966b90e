"""HTTP inside the container: /metrics, /healthz, /status. Nothing here changes anything."""

from __future__ import annotations

import json
from typing import Any, Protocol

from aiohttp import web

from bot.metrics import CONTENT_TYPE
from bot.webdoor import WebDoor


class Reports(Protocol):
    """What the server shows."""

    async def metrics(self) -> bytes: ...
    async def status(self) -> dict[str, Any]: ...
    def health(self) -> dict[str, Any]:
        """`ok`: the bot's loop and its page answer. It never asks whether anybody is logged in."""
        ...


class HttpServer:
    def __init__(self, reports: Reports) -> None:
        self.port = 0
        self._reports = reports
        pages = {"/metrics": self._metrics, "/healthz": self._healthz, "/status": self._status}
        self._door = WebDoor(pages)

    async def start(self, host: str, port: int) -> None:
        """Raises PortTaken. Port 0 lets the system choose; `port` then tells which."""
        self.port = await self._door.open(host, port)

    async def close(self) -> None:
        await self._door.close()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._reports.metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        health = self._reports.health()
        return web.json_response(health, status=200 if health["ok"] else 503)

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(await self._reports.status(), dumps=_dumps)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
