"""Rounds of several subjects go side by side, but what befalls all of them goes alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Whoever is to go alone is not overtaken: those who come later wait for it."""

    def __init__(self) -> None:
        self._going = 0
        self._news = asyncio.Condition()
        self._door = asyncio.Lock()

    @asynccontextmanager
    async def one(self, *, alone: bool) -> AsyncIterator[None]:
        async with self._door:
            if alone:
                async with self._news:
                    await self._news.wait_for(lambda: not self._going)
                yield
                return
            self._going += 1
        try:
            yield
        finally:
            self._going -= 1
            async with self._news:
                self._news.notify_all()
