"""HTTP of the watcher: /metrics, /sd, /healthz. Nothing here changes anything."""

from __future__ import annotations

import json
from typing import Any, Protocol

from aiohttp import web

from bot.webdoor import WebDoor
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


class Server:
    def __init__(self, reports: Reports) -> None:
        self.address = ""
        self._reports = reports
        self._door = WebDoor({"/metrics": self._metrics, "/sd": self._sd, "/healthz": self._healthz})

    async def start(self, host: str, port: int) -> None:
        """Raises PortTaken. Port 0 lets the system choose; `address` (`http://…`) then tells which."""
        chosen = await self._door.open(host, port)
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{chosen}"

    async def close(self) -> None:
        await self._door.close()

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
