"""HTTP of the watcher: /metrics, /sd, /healthz. Nothing here changes anything."""

from __future__ import annotations

import json
from typing import Any, Protocol

from aiohttp import web

from manager.watch.metrics import CONTENT_TYPE


class Reports(Protocol):
    """What the server shows."""

    def metrics(self) -> bytes: ...
    def targets(self) -> list[dict[str, Any]] | None:
        """None while no bots.yaml was read: Prometheus then keeps the targets it knows."""
        ...

    def health(self) -> dict[str, Any]:
        """`ok`: the watcher is at work. It is False only where starting it anew may help; a bots.yaml that is
        invalid or an engine that is away stands under `problems`."""
        ...


class PortTaken(Exception):
    """`detail`: the system's own words."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(f"{host}:{port}: {detail}")
        self.host, self.port, self.detail = host, port, detail


class Server:
    def __init__(self, reports: Reports) -> None:
        self.address = ""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/sd", self._sd)
        app.router.add_get("/healthz", self._healthz)
        self._reports = reports
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def start(self, host: str, port: int) -> None:
        """Raises PortTaken. Port 0 lets the system choose; `address` (`http://…`) then tells which."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortTaken(host, port, error.strerror or str(error)) from error
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._reports.metrics(), headers={"Content-Type": CONTENT_TYPE})

    async def _sd(self, _: web.Request) -> web.Response:
        targets = self._reports.targets()
        return _json([] if targets is None else targets, 503 if targets is None else 200)

    async def _healthz(self, _: web.Request) -> web.Response:
        health = self._reports.health()
        return _json(health, 200 if health["ok"] else 503)


def _json(value: object, status: int) -> web.Response:
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return web.Response(text=text, status=status, content_type="application/json")
