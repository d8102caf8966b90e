"""The control socket: one JSON object a line each way, from `python -m bot ctl`, which is exec'ed beside the bot.

Request: `{"command": "status" | "qr" | "pair" | "logout" | "reload" | "generation", "phone": "…", "language": "en"}`.
Answer: `{"ok": true, "result": {…}}` or `{"ok": false, "exit": n, "error": {"message": …, "fix": …}}` with an exit
code of `BotExit`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from bot.names import BotExit
from bot.text import LANGUAGES, Catalogue

_LINE_LIMIT = 64 * 1024
_REQUEST_SECONDS = 10


class Refused(Exception):
    """A command that can't be carried out now. `key`: of the catalogue's section [control]."""

    def __init__(self, key: str, exit_code: BotExit = BotExit.REFUSED, **values: object) -> None:
        super().__init__(key)
        self.key, self.exit, self.values = key, exit_code, values


class SocketTaken(Exception):
    """Another program answers on the socket, or it can't be made there. `detail`: the system's own words."""


class Commands(Protocol):
    async def status(self) -> dict[str, Any]: ...
    async def qr(self) -> dict[str, Any]: ...
    async def pair(self, phone: str) -> dict[str, Any]: ...
    async def logout(self) -> dict[str, Any]: ...
    async def reload(self) -> dict[str, Any]: ...
    async def generation(self) -> dict[str, Any]: ...


class ControlServer:
    def __init__(self, commands: Commands, catalogue: Catalogue) -> None:
        self._commands = commands
        self._say = catalogue
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    async def start(self, path: Path) -> None:
        """Raises SocketTaken."""
        if await _answers(path):
            raise SocketTaken("another bot answers on it")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_socket():  # of a bot that was killed; any other file is somebody's
                path.unlink(missing_ok=True)
            listener = _bind(path)
        except OSError as error:
            raise SocketTaken(error.strerror or str(error)) from error
        self._path = path
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LINE_LIMIT)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), _REQUEST_SECONDS)
            answer = await self._answer(line)
            writer.write(json.dumps(answer, ensure_ascii=False, default=str).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # the caller went away, or talks something else
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        say = self._say
        try:
            request = json.loads(line)
            if request.get("language") in LANGUAGES:
                say = Catalogue(self._say.folder, request["language"])
            return {"ok": True, "exit": 0, "result": await self._run(request)}
        except Refused as refused:
            return _refusal(refused, say)
        except (ValueError, TypeError, AttributeError):
            return _refusal(Refused("bad_request", BotExit.FAILED), say)

    async def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        match request.get("command"):
            case "status":
                return await self._commands.status()
            case "qr":
                return await self._commands.qr()
            case "pair":
                return await self._commands.pair(str(request.get("phone", "")))
            case "logout":
                return await self._commands.logout()
            case "reload":
                return await self._commands.reload()
            case "generation":
                return await self._commands.generation()
            case _:
                raise Refused("bad_request", BotExit.FAILED)


def _refusal(refused: Refused, say: Catalogue) -> dict[str, Any]:
    message = say(f"control.{refused.key}", **refused.values)
    fix = say(f"control.{refused.key}_fix", **refused.values)
    return {"ok": False, "exit": int(refused.exit), "error": {"message": message, "fix": fix}}


async def _answers(path: Path) -> bool:
    try:
        with _near(path) as near:
            _, writer = await asyncio.wait_for(asyncio.open_unix_connection(near), 2)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _near(path) as near:
            listener.bind(near)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    listener.setblocking(False)
    return listener


class _near:
    """The path through its folder's descriptor: the kernel allows 107 bytes, a deep folder has more."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> str:
        self._folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._folder}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)
