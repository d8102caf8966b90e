"""The phone of one subject, in a simulator."""

from __future__ import annotations

from drill.judge import What
from drill.log import Log
from drill.site import Site
from simulator.problem import Refused


class SimulatedPhone:
    """What it does is written in the subject's log, an unlinking before it is done, a link after."""

    def __init__(self, site: Site, log: Log) -> None:
        self._site = site
        self._log = log
        self._number: str | None = None

    async def scan(self, text: str) -> None:
        try:
            wid = await self._site.pair(text, self._number)
        except Refused as refusal:
            self._log.note("scan_refused", why=str(refusal))
            self._log.hear(What.PAIRING_FAILED)
            raise
        self._number = wid.partition(":")[0]
        self._log.hear(What.LINKED)

    async def unlink(self) -> None:
        assert self._number is not None
        self._log.hear(What.UNLINKED)
        await self._site.logout(self._number)

    async def replace(self) -> None:
        if self._number is not None:
            await self.unlink()
        self._number = None

    async def sees_device(self) -> bool:
        try:
            pages = await self._site.pages()
        except Refused:
            return False
        return self._number is not None and any(
            page["phone"] == self._number and page["active"] and page["synced"] for page in pages
        )
