"""What the engine sends at leisure: stdout and stderr of a container in one stream, frame after frame."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

STDOUT, STDERR = 1, 2
_HEADER = struct.Struct(">BxxxL")


@dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Running:
    """A container that does one thing. `frames`: what it says, to its end; `wait`: its exit code then."""

    frames: Iterator[tuple[int, bytes]]
    wait: Callable[[], int]


class Readable(Protocol):
    def read(self, size: int) -> bytes: ...


class IteratorFile(io.RawIOBase):
    """What comes piece by piece, as a file to read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def frames(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """(STDOUT or STDERR, data): 8 bytes of header, then as much data as it says (Engine API, "Attach")."""
    while len(header := stream.read(_HEADER.size)) == _HEADER.size:
        kind, length = _HEADER.unpack(header)
        yield (STDERR if kind == STDERR else STDOUT), stream.read(length)


def lines(stream: Readable) -> Iterator[str]:
    """Whole lines in the order they ended, whichever of the two they came from; the last may lack its end."""
    rest = {STDOUT: b"", STDERR: b""}
    for kind, data in frames(stream):
        *whole, rest[kind] = (rest[kind] + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    for line in rest.values():
        if line:
            yield line.decode(errors="replace")
