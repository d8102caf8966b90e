"""Playwright's driver, a process between us and the browser: slow to start, so the first one is begun ahead."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Playwright, async_playwright

_STOP_SECONDS = 5


class Driver:
    """Made in a running loop, which is when the first driver starts; it costs about 0.3 s of another core's time."""

    def __init__(self) -> None:
        self._ahead: asyncio.Future[Playwright] | None = _start()

    def take(self) -> asyncio.Future[Playwright]:
        """One that nobody else has: the one begun ahead, or a new one. Who takes it stops it (`stop`)."""
        ahead, self._ahead = self._ahead, None
        return ahead or _start()

    async def close(self) -> None:
        """Stops what nobody took. Bounded, and never raises."""
        if self._ahead is not None:
            with suppress(PlaywrightError, OSError, TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await stop(await self.take())


async def stop(driver: Playwright) -> None:
    """Bounded, and never raises."""
    with suppress(PlaywrightError, TimeoutError):
        async with asyncio.timeout(_STOP_SECONDS):
            await driver.stop()


def _start() -> asyncio.Future[Playwright]:
    return asyncio.ensure_future(async_playwright().start())
