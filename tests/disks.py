"""Disks that go wrong for real: ext4 on a loop device, over memory that can be forbidden to take anything more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_BYTES = 128 * 1024**2
_ADD_SEALS, _SEAL_FUTURE_WRITE = 1033, 0x10  # fcntl(2), memfd_create(2)


class BreakableDisk:
    """Mounted at `path`. After `breaks`, every write that reaches the device fails: EIO from fsync."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memory = os.memfd_create("disk", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        os.ftruncate(self._memory, _BYTES)
        image = f"/proc/{os.getpid()}/fd/{self._memory}"
        run("mkfs.ext4", "-q", "-F", "-m", "0", image)
        path.mkdir()
        run("mount", "-o", "loop", image, str(path))
        path.chmod(0o777)

    def breaks(self) -> None:
        fcntl.fcntl(self._memory, _ADD_SEALS, _SEAL_FUTURE_WRITE)

    def close(self) -> None:
        run("umount", "--lazy", str(self.path))
        os.close(self._memory)


@contextlib.contextmanager
def thin_disk(folder: Path) -> Iterator[tuple[Path, Path]]:
    """A disk that has promised more than it has: where it is mounted, and the pool that it is on, 24 MB."""
    pool, path = folder / "pool", folder / "thin"
    with tmpfs(pool, "size=24m"):
        image = pool / "disk.img"
        with image.open("wb") as file:
            file.truncate(_BYTES)
        run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        path.mkdir()
        run("mount", "-o", "loop", str(image), str(path))
        try:
            yield path, pool
        finally:
            run("umount", "--lazy", str(path))


@contextlib.contextmanager
def tmpfs(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"{options},mode=777", "tmpfs", str(place))
    try:
        yield place
    finally:
        run("umount", "--lazy", str(place))


def run(*command: str) -> None:
    subprocess.run(command, check=True)
