"""An HTTP port with a few pages to read, for the bot and for the manager's watcher."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web


class PortTaken(Exception):
    """`detail`: the system's own words."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(f"{host}:{port}: {detail}")
        self.host, self.port, self.detail = host, port, detail


class WebDoor:
    """`pages`: what answers a GET of each path."""

    def __init__(self, pages: Mapping[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]) -> None:
        app = web.Application()
        for path, page in pages.items():
            app.router.add_get(path, page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def open(self, host: str, port: int) -> int:
        """The port; 0 lets the system choose one. Raises PortTaken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortTaken(host, port, error.strerror or str(error)) from error
        chosen: int = self._runner.addresses[0][1]
        return chosen

    async def close(self) -> None:
        await self._runner.cleanup()
