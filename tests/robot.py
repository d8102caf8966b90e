"""A bot as its user runs it: a process, its event log on standard output, its control socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from bot import processes
from simulator.running import Simulator

Event = dict[str, Any]
ROOT = Path(__file__).parent.parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


class Robot:
    """`python -m bot` in a folder of its own. `events` holds all it ever printed, over restarts too."""

    def __init__(
        self, folder: Path, simulator: Simulator | None, client_id: str = "shop", **settings: Any
    ) -> None:
        self.folder = folder
        self.session = folder / "session"
        self.session.mkdir(parents=True, exist_ok=True)
        self.socket = folder / "ctl.sock"
        self.events: list[Event] = []
        self.client_id = client_id
        self.port = free_port()
        self._settings = {
            "clientId": client_id,
            "sessionDir": str(self.session),
            "controlSocket": str(self.socket),
            "httpPort": self.port,
            "reconnect": {"networkWait": 2, "logoutWait": 0.5},
            "browser": {"args": simulator.browser_args if simulator else [], "sandbox": False},
        } | settings
        self.process: asyncio.subprocess.Process | None = None
        self._heard = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def start(self, *, prefix: tuple[str, ...] = ()) -> None:
        env = os.environ | {"BOT_SETTINGS": json.dumps(self._settings), "PYTHONPATH": str(ROOT)}
        # A test run that is killed leaves no bot behind that would look for its simulator for ever.
        self.process = await asyncio.create_subprocess_exec(
            *(prefix or ("setpriv",)), "--pdeathsig", "KILL", sys.executable, "-m", "bot",
            env=env, cwd=self.folder, start_new_session=True,
            stdout=asyncio.subprocess.PIPE, stderr=(self.folder / "stderr").open("ab"), limit=1 << 22,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._heard:
                self.events.append(json.loads(line))
                self._heard.notify_all()
        await self.process.wait()
        async with self._heard:
            self._heard.notify_all()

    @property
    def mark(self) -> int:
        """The place in the log from which to wait."""
        return len(self.events)

    async def event(
        self, name: str, after: int = 0, within: float = 30, where: Callable[[Event], bool] = lambda _: True
    ) -> Event:
        """The first event of that name since `after`. Fails with the log's end when it doesn't come."""

        def found() -> Event | None:
            return next((one for one in self.events[after:] if one["event"] == name and where(one)), None)

        async with self._heard:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._heard.wait_for(lambda: found() is not None or self._ended()), within
                )
        event = found()
        assert event is not None, f"no {name} after {after}{self._tale(after)}"
        return event

    def _ended(self) -> bool:
        return self.process is None or self.process.returncode is not None

    def _tale(self, after: int) -> str:
        told = "\n".join(f"  {one['time']} {one['event']} {one['message']}" for one in self.events[after:])
        stderr = (self.folder / "stderr").read_text()[-2000:]
        return f"; it said:\n{told}\n{stderr}"

    def names(self, after: int = 0) -> list[str]:
        return [one["event"] for one in self.events[after:]]

    async def ctl(self, *words: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "ctl", "--socket", str(self.socket), *words,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    async def status(self) -> dict[str, Any]:
        code, out, err = await self.ctl("status", "--json")
        assert code == 0, err
        status: dict[str, Any] = json.loads(out)
        return status

    async def qr(self) -> str:
        """The text of the code that is shown now; waits for the first one."""
        await self.event("WHATSAPP_QR")
        code, out, err = await self.ctl("qr", "--text")
        assert code == 0, err
        return out.strip()

    async def http(self, path: str) -> str:
        async with (
            aiohttp.ClientSession() as client,
            client.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return await answer.text()

    async def metric(self, name: str, **labels: str) -> float:
        """One sample of /metrics; `name` without its prefix."""
        for family in text_string_to_metric_families(await self.http("/metrics")):
            for sample in family.samples:
                if sample.name == f"whatsapp_bot_{name}" and sample.labels == labels | {
                    "client_id": self.client_id
                }:
                    return sample.value
        raise AssertionError(f"no sample {name} {labels}")

    async def pair(self, simulator: Simulator, number: str | None = None) -> str:
        """Scans what the bot shows and waits until it is READY. The phone's number."""
        mark = self.mark
        wid = await simulator.service.pair(await self.qr(), number)
        await self.event("WHATSAPP_READY", mark)
        return wid.partition(":")[0]

    async def restart(self) -> int:
        """A clean stop, and READY again from the session; where in the log that start begins."""
        assert await self.stop() == 0
        mark = self.mark
        await self.start()
        await self.event("WHATSAPP_READY", mark)
        return mark

    async def stop(self) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self._gone()

    async def kill(self) -> int:
        """SIGKILL to the bot, its browser and all that is theirs, as a container's end does."""
        assert self.process is not None
        # All are stopped first: a browser whose bot is gone would tidy up after itself.
        family = processes.with_descendants([self.process.pid]) if self.process.returncode is None else []
        for sent in (signal.SIGSTOP, signal.SIGKILL):
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sent)
        return await self._gone()

    def kill_browser(self, part: bytes | None = None) -> None:
        """SIGKILL to the bot's browser, or only to those of its processes that have `part` on their command line."""
        assert self.process is not None
        killed = 0
        for pid in processes.with_descendants([self.process.pid]):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                main = b"--user-data-dir" in words and b"--type=" not in words
                if part in words if part else main:
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        assert killed

    async def _gone(self) -> int:
        assert self.process is not None
        code = await asyncio.wait_for(self.process.wait(), 40)
        if self._reader:
            await self._reader
        return code
