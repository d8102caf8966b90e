"""What is wrong with a session's files at this moment: which of them the system refuses, and with which error.

WhatsApp's page says of its storage only that it failed. What it failed at can be seen beside it, while it lasts: files
that can't be opened or read, a disk that takes nothing, and what Chromium's databases wrote into their own logs.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from bot import durable
from bot.archive import PARTS
from bot.preflight import SessionError, check

_MOST_FILES = 2000
_MOST_FOUND = 5
_BLOCK = 4096
_LOG_BYTES = 64 * 1024
# LevelDB's words for a failure; Chromium adds its own number for the error of the system (base::File::Error).
_TROUBLE = re.compile(r"(IO error|Corruption): (?:\S*/)?(?P<file>[\w.-]+): (?P<what>.*)")
_FILE_ERROR = re.compile(r"ChromeMethodBFE: \d+::\w+::(\d+)")
_FILE_ERRORS = {5: "EACCES", 6: "EMFILE", 7: "ENOMEM", 8: "ENOSPC", 16: "EIO"}


def faults(folder: Path, client_id: str) -> list[str]:
    """Lines `file: ERROR`, files named below the volume; empty when everything can be read and written."""
    found = list(_of_files(folder / "profile" / "Default"))
    try:
        check(folder, client_id)
    except SessionError as error:
        found.append(error.trace)
    found += _of_databases(folder / "profile" / "Default")
    return list(dict.fromkeys(found))[:_MOST_FOUND]


def _of_files(default: Path) -> Iterator[str]:
    looked = 0
    for part in PARTS:
        for path in durable.files_below(default / part):
            looked += 1
            if looked > _MOST_FILES:
                return
            try:
                _try(path)
            except FileNotFoundError:  # a browser at work replaces its files
                continue
            except OSError as error:
                yield f"{path.relative_to(default)}: {name_of(error)}"


def _try(path: Path) -> None:
    """Its first block and its last; all of a large one would take long, on a disk that may be failing."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pread(descriptor, _BLOCK, 0)
        os.pread(descriptor, _BLOCK, max(0, os.fstat(descriptor).st_size - _BLOCK))
    finally:
        os.close(descriptor)


def _of_databases(default: Path) -> Iterator[str]:
    for part in PARTS:
        for log in durable.files_below(default / part, lambda path: path.name in ("LOG", "LOG.old")):
            try:
                text = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace")
            except OSError:
                continue
            for trouble in _TROUBLE.finditer(text):
                number = _FILE_ERROR.search(trouble["what"])
                what = (
                    _FILE_ERRORS.get(int(number[1]), f"file error {number[1]}") if number else trouble["what"]
                )
                yield f"{part}/{trouble['file']}: {what.strip()[:60]}"


def name_of(error: OSError) -> str:
    """As in ENOSPC."""
    return errno.errorcode.get(error.errno or 0, error.strerror or type(error).__name__)
