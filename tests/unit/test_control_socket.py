"""Where a bot puts its control socket: over a dead bot's, and over nothing else."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from bot.control import ControlServer, SocketTaken
from bot.problem import LOCALES
from bot.text import Catalogue


class Nobody:
    """No command comes here."""

    async def status(self) -> dict[str, Any]:
        raise AssertionError

    async def pair(self, phone: str) -> dict[str, Any]:
        raise AssertionError(phone)

    qr = logout = reload = generation = status


def server() -> ControlServer:
    return ControlServer(Nobody(), Catalogue(LOCALES, "en"))


async def test_a_dead_bots_socket_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    control = server()
    await control.start(path)
    assert path.is_socket()
    await control.close()
    assert not path.exists()


async def test_a_file_of_somebody_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("precious")
    control = server()
    with pytest.raises(SocketTaken, match="in use"):
        await control.start(path)
    await control.close()
    assert path.read_text() == "precious"


async def test_a_living_bots_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ctl.sock"
    first, second = server(), server()
    await first.start(path)
    with pytest.raises(SocketTaken, match="another bot"):
        await second.start(path)
    await second.close()
    assert path.is_socket()
    await first.close()
