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
MOST_BYTES = 64 << 20  # of one file; a bot's own never grows beyond 2 MB


def log_of(volume: str) -> tuple[bytes, str | None]:
    """The whole log, and why some of it could not be read.

    A log that is rotated meanwhile: files only move to higher numbers, so that whoever goes up meets one twice but
    misses none.
    """
    pieces: list[bytes] = []
    seen: set[int] = set()
    problem = None
    for number in range(MOST_FILES):
        name = f"{NAME}.{number}" if number else NAME
        try:
            piece = content(os.path.join(volume, EVENTS, name), seen)  # noqa: PTH118
        except FileNotFoundError:
            continue
        except OSError as error:
            problem = f"{name}: {error.strerror}"
            continue
        # The end of a half-written line must not swallow the next file's first.
        pieces.append(piece if piece.endswith(b"\n") or not piece else piece + b"\n")
    return b"".join(reversed(pieces)), problem


def content(path: str, seen: set[int]) -> bytes:
    """Nothing of a link to somewhere else, of a pipe that nobody writes to, and of a file that was `seen`."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_ino in seen:
            return b""
        seen.add(found.st_ino)
        with os.fdopen(handle, "rb", closefd=False) as file:
            file.seek(max(0, found.st_size - MOST_BYTES))
            return file.read(MOST_BYTES)
    finally:
        os.close(handle)


def written(volume: str) -> float | None:
    """When the session's own files were written last, in seconds since 1970."""
    times = []
    for name in WRITTEN:
        try:
            times.append(os.lstat(os.path.join(volume, name)).st_mtime)  # noqa: PTH118
        except OSError:
            continue
    return max(times, default=None)


def main(folder: str) -> None:
    out = sys.stdout.buffer
    for name in sorted(os.listdir(folder), key=int):  # noqa: PTH208
        volume = os.path.join(folder, name)  # noqa: PTH118
        log, problem = log_of(volume)
        packed = zlib.compress(log, 1)
        head = {"volume": int(name), "bytes": len(packed), "written": written(volume), "problem": problem}
        out.write(json.dumps(head).encode() + b"\n")
        out.write(packed)
    out.flush()


if __name__ == "__main__":
    main(sys.argv[1])
