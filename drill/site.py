"""Where a subject's phone is: a simulator in this process, or one in a container."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from simulator.problem import Refused
from simulator.service import Service

_ANSWER_SECONDS = 60
_LOOK_SECONDS = 5


class Site(Protocol):
    """Every method raises Refused when the site says no, or says nothing."""

    async def pair(self, text: str, number: str | None) -> str:
        """A phone of that number, or a new one, reads a QR; the device's wid."""

    async def logout(self, number: str) -> None: ...

    async def pages(self) -> list[dict[str, Any]]: ...


class Here:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def pair(self, text: str, number: str | None) -> str:
        return await self._service.pair(text, number)

    async def logout(self, number: str) -> None:
        await self._service.logout(number)

    async def pages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._service.status()["pages"]
        return found


class There:
    """One `docker exec` takes all orders, one after another: a process for each would come too late for a kill that
    follows a scan by milliseconds. It is started anew when it, its container or its engine has ended."""

    def __init__(
        self, container: str, environ: Mapping[str, str], starts: Callable[[], int] = lambda: 0
    ) -> None:
        """`starts`: how often the engine was started; a line through one that was killed is dead and does not tell."""
        self._container = container
        self._environ = environ
        self._starts = starts
        self._opened_at = 0
        self._turn = asyncio.Lock()
        self._line: asyncio.subprocess.Process | None = None

    async def pair(self, text: str, number: str | None) -> str:
        given = {"text": text} | ({"phone": number} if number else {})
        return str((await self.order("pair", given))["wid"])

    async def logout(self, number: str) -> None:
        await self.order("logout", {"phone": number})

    async def pages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.order("status", within=_LOOK_SECONDS))["pages"]
        return found

    async def order(
        self, name: str, given: Mapping[str, object] | None = None, within: float = _ANSWER_SECONDS
    ) -> dict[str, Any]:
        async with self._turn:
            line = await self._opened()
            assert line.stdin is not None
            assert line.stdout is not None
            try:
                line.stdin.write(json.dumps([name, given]).encode() + b"\n")
                await line.stdin.drain()
                said = await asyncio.wait_for(line.stdout.readline(), within)
                answer: dict[str, Any] = json.loads(said)
            except (OSError, ValueError, TimeoutError):
                await self._close(line)
                raise Refused("the site does not answer") from None
        if "error" in answer:
            raise Refused(str(answer["error"]))
        return answer

    async def close(self) -> None:
        """The next order opens it anew."""
        if self._line:
            await self._close(self._line)

    async def _opened(self) -> asyncio.subprocess.Process:
        if self._line and self._opened_at != self._starts():
            await self._close(self._line)
        if self._line is None or self._line.returncode is not None:
            self._opened_at = self._starts()
            self._line = await asyncio.create_subprocess_exec(
                *("docker", "exec", "--interactive", self._container, "python", "-m", "simulator", "orders"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environ,
            )
        return self._line

    @staticmethod
    async def _close(line: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            line.kill()
        await line.wait()
