"""Prometheus and Alertmanager as processes of their own, on free ports; they end with the test that started them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from tests.monitoring.tools import TOOLS, program
from tests.robot import free_port

T = TypeVar("T")


async def until(ask: Callable[[], Awaitable[T | None]], what: str, within: float = 30) -> T:
    """The first answer of `ask` that is something: what only answers when asked has no event to wait for."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if answer := await ask():
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within {within} s: {what}")


class Api:
    """JSON over HTTP. `url` without a slash at its end."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def get(self, path: str, **params: str) -> Any:
        async with aiohttp.ClientSession() as client, client.get(self.url + path, params=params) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def post(self, path: str, body: Any) -> None:
        async with aiohttp.ClientSession() as client, client.post(self.url + path, json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def ready(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as client, client.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        return False


@contextlib.asynccontextmanager
async def service(name: str, folder: Path, *options: str, prefix: tuple[str, ...] = ()) -> AsyncIterator[Api]:
    """`prometheus` or `alertmanager`, ready. Its words are in `folder`."""
    api = Api(f"http://127.0.0.1:{free_port()}")
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *prefix, "setpriv", "--pdeathsig", "KILL", program(name), *options,
            f"--web.listen-address={api.url.removeprefix('http://')}",
            f"--storage.{'tsdb.' if name == 'prometheus' else ''}path={folder / name}",
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            starting = asyncio.create_task(until(api.ready, f"{name} is ready; see {folder}"))
            ended = asyncio.create_task(process.wait())
            await asyncio.wait([starting, ended], return_when=asyncio.FIRST_COMPLETED)
            assert not ended.done(), (folder / f"{name}.log").read_text()[-2000:]
            await starting
            yield api
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


def alertmanager(folder: Path, config: Path) -> contextlib.AbstractAsyncContextManager[Api]:
    """The distribution's build insists on a file below /usr/share: it sees a /usr/share of its own."""
    share = TOOLS / "share"
    own = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', str(share))
    options = (f"--config.file={config}", "--cluster.listen-address=")
    return service("alertmanager", folder, *options, prefix=own if share.exists() else ())


def prometheus(folder: Path, config: Path) -> contextlib.AbstractAsyncContextManager[Api]:
    return service("prometheus", folder, f"--config.file={config}")
