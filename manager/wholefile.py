"""A new file for people: whole or not at all, and readable by its owner alone."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """What is written inside stands at `path`, on the disk, when the block ends well; else nothing has changed.

    Raises FileExistsError when something is there already and may not be replaced (`force`), OSError when it cannot be
    written, or when a device, a pipe or a folder is there: the machine's /dev/null is not to become a file.
    """
    path = _own_place(path) if force else path
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            temporary.replace(path)
        else:
            os.link(temporary, path)  # unlike a rename it never replaces what came there meanwhile
        sync_folder(path.parent)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def is_taken(path: Path) -> bool:
    """Something has this name, be it a link that leads nowhere. False where none can be looked at: writing says why."""
    return os.path.lexists(path)


def _own_place(path: Path) -> Path:
    """Where the file itself lies: a link to it stays one."""
    found = Path(os.path.realpath(path))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return found
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return found


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
