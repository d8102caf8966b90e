"""A new file for people: whole or not at all, and readable by its owner alone."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# Many sticks and shares know no hard links.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def is_taken(path: Path) -> bool:
    """Whether something stands at `path`; what cannot be seen there shows when it is written."""
    try:
        path.lstat()
    except OSError:
        return False
    return True


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """What is written inside stands at `path`, on the disk, when the block ends well; else nothing has changed.

    A link at `path` stays: the file it leads to is replaced. Raises FileExistsError when something is there already and
    may not be replaced (`force`), OSError when it cannot be written, or when what is there is no file.
    """
    if force:
        path = Path(os.path.realpath(path))  # which, unlike resolve(), bears links in a circle
        if path.exists() and not path.is_file():  # root could replace a folder's or a device's name
            raise OSError(errno.EINVAL, "not a regular file", str(path))
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
            _link(temporary, path)
        sync_folder(path.parent)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a network share's folders cannot be synced
            raise
    finally:
        os.close(handle)


def _link(temporary: Path, path: Path) -> None:
    """Unlike a rename it never replaces what came there meanwhile."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        path.open("xb").close()
        try:
            temporary.replace(path)
        except OSError:
            path.unlink()
            raise
