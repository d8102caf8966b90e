"""The network between pages and the site: cut (connections break, none is made) or frozen (nothing moves)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

ALL = "*"


class Weather:
    """What the network does to each phone, or to all (`ALL`); a connection of no phone yet is hit by ALL alone."""

    def __init__(self) -> None:
        self._cut: set[str] = set()
        self._frozen: set[str] = set()
        self._changed = asyncio.Event()

    def change(self, phone: str, *, cut: bool | None = None, frozen: bool | None = None) -> None:
        for names, wanted in ((self._cut, cut), (self._frozen, frozen)):
            if wanted is True:
                names.add(phone)
            elif wanted is False and phone == ALL:
                names.clear()
            elif wanted is False:
                names.discard(phone)
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self, phone: str | None) -> bool:
        return ALL in self._cut or phone in self._cut

    def frozen(self, phone: str | None) -> bool:
        return ALL in self._frozen or phone in self._frozen

    async def thawed(self, phone: Callable[[], str | None]) -> None:
        """Returns when the connection isn't frozen; whose it is may change while it waits."""
        while self.frozen(phone()):
            await self._changed.wait()

    def report(self) -> dict[str, list[str]]:
        return {"cut": sorted(self._cut), "frozen": sorted(self._frozen)}
