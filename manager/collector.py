"""Runs in a container that has session volumes at /volumes/0, /volumes/1, …: hands their event logs out on stdout.

Sent there as text (`python -c`), so it works with the bots' image of any version; the standard library is all it may
use. For each volume, in the order of the numbers: one line of JSON, then as many bytes as its `bytes` says: the lines
of the event log, oldest first, packed by zlib. It looks at no other file's content.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import zlib

FOLDER = "/volumes"
EVENTS = "events"
NAME = "events.jsonl"
WRITTEN = ("mirror.json", "marker.json")  # what is written anew whenever the session changes
MOST_FILES = 10
MOST_BYTES = 32 << 20  # of one log; a bot's own never grows beyond 10 MB


def log_of(volume: str) -> tuple[list[bytes], str | None]:
    """The whole log, its newest file first, and why some of it could not be read.

    A log that is rotated meanwhile: files only move to higher numbers, so that whoever goes up meets one twice but
    misses none.
    """
    pieces: list[bytes] = []
    room = MOST_BYTES
    seen: set[int] = set()
    problem = None
    for number in range(MOST_FILES):
        name = f"{NAME}.{number}" if number else NAME
        try:
            piece, size = content(os.path.join(volume, EVENTS, name), seen, room)  # noqa: PTH118
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = f"{name}: {error.strerror}"
            continue
        if size > room:
            problem = f"{name}: the log is larger than {MOST_BYTES >> 20} MiB"
        room -= len(piece)
        # The end of a half-written line must not swallow the next file's first.
        pieces.append(piece if piece.endswith(b"\n") or not piece else piece + b"\n")
    return pieces, problem


def content(path: str, seen: set[int], room: int) -> tuple[bytes, int]:
    """The last `room` bytes, and how many there are. Nothing of a link to somewhere else, of a pipe that nobody writes
    to, and of a file that was `seen`."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_ino in seen:
            return b"", 0
        seen.add(found.st_ino)
        with os.fdopen(handle, "rb", closefd=False) as file:
            file.seek(max(0, found.st_size - room))
            return file.read(room), found.st_size
    finally:
        os.close(handle)


def packed(pieces: list[bytes]) -> list[bytes]:
    """Oldest first. Each is let go of when it is done: there is memory for a log and what it is packed into."""
    press = zlib.compressobj(1)
    found = []
    while pieces:
        found.append(press.compress(pieces.pop()))
    return [*found, press.flush()]


def written(volume: str) -> float | None:
    """When the session's own files were written last, in seconds since 1970."""
    times = []
    for name in WRITTEN:
        try:
            times.append(os.lstat(os.path.join(volume, name)).st_mtime)  # noqa: PTH118
        except OSError:
            continue
    return max(times, default=None)


def hand_out(number: str, volume: str) -> None:
    out = sys.stdout.buffer
    pieces, problem = log_of(volume)
    parts = packed(pieces)
    size = sum(map(len, parts))
    head = {"volume": int(number), "bytes": size, "written": written(volume), "problem": problem}
    out.write(json.dumps(head).encode() + b"\n")
    out.writelines(parts)


def main(folder: str) -> None:
    for name in sorted(os.listdir(folder), key=int):  # noqa: PTH208
        hand_out(name, os.path.join(folder, name))  # noqa: PTH118
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
