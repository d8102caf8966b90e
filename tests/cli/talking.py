"""What talking to running bots is tried with: a world of two bots, the eye of a phone, `logs -f` under way."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

from bot import qrimage
from demo.ear import Ear
from demo.stage import Stage, StageError
from tests.cli.conftest import SECONDS, Cli

_TRIES = 5
_HALVES = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
_DRAWN = re.compile(rf"\x1b\[38;5;16;48;5;231m([{''.join(_HALVES)}]+)\x1b\[0m")


@dataclass
class World:
    stage: Stage
    cli: Cli
    ears: dict[str, Ear]

    def status(self, client: str) -> dict[str, object]:
        (bot,) = self.cli("status", client, "--json").json["bots"]
        return dict(bot)

    def container(self, client: str) -> str:
        return self.stage.container(client)

    def pair(self, client: str) -> None:
        """By the text of its QR, if it is not paired."""
        if self.status(client)["session_present"]:
            return
        ear, mark = self.ears[client], self.ears[client].mark
        for _ in range(_TRIES):
            shown = self.cli("qr", client, "--text")
            assert shown.code == 0, shown
            # On a machine that is very busy the code may have changed before the phone had it.
            with suppress(StageError):
                self.stage.scan(shown.out.strip())
                break
        assert ear.wait("WHATSAPP_READY", mark), ear.tale(mark)

    def unpair(self, client: str) -> None:
        if self.status(client)["session_present"]:
            assert self.cli("logout", client, "--yes").code == 0


def picture(shown: str) -> str:
    """What a phone reads off the terminal: the text of the last QR that was drawn on it."""
    rows: list[list[int]] = []
    for line in _DRAWN.findall(shown):
        upper, lower = zip(*(_HALVES[each] for each in line), strict=True)
        rows += [list(upper), list(lower)]
    width = len(rows[0])
    height = (width + 1) // 2 * 2
    text = read(rows[-height:][:width])
    assert text is not None, shown
    return text


def read(modules: list[list[int]]) -> str | None:
    """The QR with these modules (1 is dark), its border included, as a scanner reads it."""
    scale, quiet = 4, 8
    size = (len(modules) + 2 * quiet) * scale
    blank = bytes([255]) * size
    lines = [blank] * quiet * scale
    for row in modules:
        padded = [0] * quiet + row + [0] * quiet
        lines += [b"".join(bytes([0 if dark else 255]) * scale for dark in padded)] * scale
    lines += [blank] * quiet * scale
    return qrimage.read(size, size, base64.b64encode(b"".join(lines)).decode())


def read_png(file: Path) -> str | None:
    """Grey, one bit a pixel, each row as it is or as its difference from the one above: what the QR's picture has."""
    raw = file.read_bytes()
    width, height = int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])
    assert raw[24:26] == b"\x01\x00"
    start = raw.index(b"IDAT")
    data = zlib.decompress(raw[start + 4 : start + 4 + int.from_bytes(raw[start - 4 : start])])
    stride = (width + 7) // 8 + 1
    gray, above = bytearray(), bytes(stride - 1)
    for row in range(height):
        kind, *line = data[row * stride : (row + 1) * stride]
        assert kind in (0, 2)
        above = (
            bytes((value + up) % 256 for value, up in zip(line, above, strict=True)) if kind else bytes(line)
        )
        gray += bytes(255 if above[at // 8] >> (7 - at % 8) & 1 else 0 for at in range(width))
    return qrimage.read(width, height, base64.b64encode(bytes(gray)).decode())


class Following:
    """`logs -f` under way: its lines, as they come."""

    def __init__(self, cli: Cli, *args: str) -> None:
        self.process = cli.start("logs", "-f", *args)
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def until(self, wanted: Callable[[str], bool]) -> list[str]:
        """All lines up to the wanted one."""
        seen: list[str] = []
        while not seen or not wanted(seen[-1]):
            try:
                seen.append(self._lines.get(timeout=SECONDS))
            except Empty:
                raise AssertionError("\n".join(["it did not come; there was:", *seen])) from None
        return seen
