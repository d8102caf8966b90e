"""A simulator in this process: start it, point a browser at it, give it orders."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from aiohttp import web

from simulator import control, site, tls
from simulator.options import Options
from simulator.problem import Refused
from simulator.service import Service
from simulator.weather import Weather
from simulator.world import World


class Simulator:
    """`async with Simulator() as simulator: ...`; the orders are the methods of `simulator.service`.

    A port of 0 takes a free one. Raises Refused when a port is taken.
    """

    url = f"https://{tls.HOST}/"

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._key = tls.key(self.options.key_file)
        self._weather = Weather()
        self.service = Service(World(self.options.state), self._weather, self.options)
        self._runners: list[web.AppRunner] = []
        self.port = self.options.port
        self.control_port = self.options.control_port

    @property
    def control_url(self) -> str:
        return f"http://{self.options.control_host}:{self.control_port}"

    @property
    def pin(self) -> str:
        return tls.pin(self._key)

    @property
    def browser_args(self) -> list[str]:
        """What makes a Chromium on this machine take the simulator for the real site."""
        return [
            f"--host-resolver-rules=MAP {tls.HOST}:443 127.0.0.1:{self.port}",
            f"--ignore-certificate-errors-spki-list={self.pin}",
        ]

    def status(self) -> dict[str, Any]:
        return {"url": self.url, "pin": self.pin, "browser_args": self.browser_args, **self.service.status()}

    async def __aenter__(self) -> Self:
        options = self.options
        pages = site.application(self.service, self._weather, options)
        self.port = await self._serve(pages, options.host, options.port, tls.context(self._key))
        orders = control.application(self)
        self.control_port = await self._serve(orders, options.control_host, options.control_port, None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.service.hang_up()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    async def _serve(self, app: web.Application, host: str, port: int, context: Any) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
        except OSError as error:
            await self.__aexit__(None, None, None)
            raise Refused(f"{host}:{port} can't be listened on: {error.strerror}") from None
        found: int = runner.addresses[0][1]
        return found
