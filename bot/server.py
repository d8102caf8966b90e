"""HTTP inside the container: /metrics, /healthz, /status. Nothing here changes anything."""

from __future__ import annotations

import json
from typing import Any, Protocol

from aiohttp import web

from bot.metrics import CONTENT_TYPE


class Reports(Protocol):
    """What the server shows."""

    async def metrics(self) -> bytes: ...
    async def status(self) -> dict[str, Any]: ...
    def health(self) -> dict[str, Any]:
        """`ok`: the bot's loop and its page answer. It never asks whether anybody is logged in."""
        ...


class PortTaken(Exception):
    """`detail`: the system's own words."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(f"{host}:{port}: {detail}")
        self.host, self.port, self.detail = host, port, detail


class HttpServer:
    def __init__(self, reports: Reports) -> None:
        self.port = 0
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/status", self._status)
        self._reports = reports
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def start(self, host: str, port: int) -> None:
        """Raises PortTaken. Port 0 lets the system choose; `port` then tells which."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortTaken(host, port, error.strerror or str(error)) from error
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._reports.metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def _healthz(self, _: web.Request) -> web.Response:
        health = self._reports.health()
        return web.json_response(health, status=200 if health["ok"] else 503)

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(await self._reports.status(), dumps=_dumps)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
