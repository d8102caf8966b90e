"""whatsapp-web.js 1.34.7 from npm, unmodified, as a process: what it tells, and what it is told to do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot import processes

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"


def install() -> None:
    """From the lock file, each package checked by its hash."""
    if not (MODULES / ".package-lock.json").exists():
        subprocess.run(
            ["npm", "ci", "--ignore-scripts"], cwd=HERE, check=True, capture_output=True,
            env=os.environ | {"PUPPETEER_SKIP_DOWNLOAD": "1"},
        )  # fmt: skip


class Peer:
    """One process of the client; `events` holds what it told."""

    def __init__(self, folder: Path, browser_args: Sequence[str]) -> None:
        self.folder = folder
        self._browser_args = browser_args
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.events.clear()
        told = {
            "executable": shutil.which("chromium"),
            "args": ["--no-sandbox", "--disable-gpu", *self._browser_args],
            "dataPath": str(self.folder / "auth"),
        }
        self._process = await asyncio.create_subprocess_exec(
            "node", str(HERE / "client.cjs"), cwd=self.folder, env=os.environ | {"CLIENT": json.dumps(told)},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 22,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            async with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()

    async def event(self, name: str, after: int = 0, within: float = 40, **values: Any) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            for one in self.events[after:]:
                if one["event"] == name and values.items() <= one.items():
                    return one
            return None

        async with self._news:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), within)
        event = found()
        assert event is not None, f"no {name} {values} in {self.events[after:]}"
        return event

    def names(self, after: int = 0) -> list[str]:
        return [one["event"] for one in self.events[after:]]

    async def order(self, do: str, **values: Any) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        mark = len(self.events)
        self._process.stdin.write(json.dumps({"do": do, **values}).encode() + b"\n")
        return await self.event("done", mark, order=do)

    async def destroy(self) -> None:
        await self.order("destroy")
        assert self._process is not None
        await asyncio.wait_for(self._process.wait(), 20)

    async def end(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reader:
            self._reader.cancel()
        # Its browser may have outlived it.
        left = (
            pid for pid in processes.all_pids() if str(self.folder) in " ".join(processes.command_line(pid))
        )
        processes.send(left, signal.SIGKILL)
