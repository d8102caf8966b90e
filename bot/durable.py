"""Files that are there as a whole or not at all, also after `kill -9` or a power cut.

Written beside their place, synced, renamed over it, and the folder synced: the order POSIX needs for a rename to be
durable. Nothing here knows what the files mean.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PART = ".part"


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """The system names the file of a refused open, and never that of a refused write or sync."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _naming(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: Path, content: bytes) -> None:
    """Replaces `path` in one step, mode 0600. Raises OSError, and leaves the old content then."""
    part = path.with_name(path.name + PART)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        try:
            view = memoryview(content)
            with _naming(path):
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Renames within one file system and makes it last."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def fingerprint(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def files_below(folder: Path, wanted: Callable[[Path], bool] = lambda path: True) -> Iterator[Path]:
    """Every regular file below `folder`, sorted, no links followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and wanted(path):
            yield path


def copy_synced(source: Path, target: Path) -> tuple[int, str]:
    """Copies a file with its content synced; its folders are made. Returns the fingerprint of what was read."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    size = 0
    with source.open("rb") as read, target.open("xb") as write, _naming(target):
        while chunk := read.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
            write.write(chunk)
        write.flush()
        os.fsync(write.fileno())
    return size, digest.hexdigest()


def sync_tree(folder: Path) -> None:
    """Syncs `folder` and every folder below it (their files are synced already)."""
    for each in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        sync_folder(each)


def sync_all(folder: Path) -> None:
    """Syncs what another process writes below `folder`, files and folders. Raises OSError."""
    if not folder.is_dir():
        return
    for path in files_below(folder):
        with suppress(FileNotFoundError):  # its writer replaced it meanwhile, and syncs such a step itself
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                with _naming(path):
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
    with suppress(FileNotFoundError):
        sync_tree(folder)


def erase(path: Path) -> None:
    """Removes a file or a folder. Raises OSError when something of it stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Removes a file or a folder; what is not there is removed already."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
