"""Where a subject keeps its session: a plain folder, or a small disk that can be filled up and lose its power."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

_DISK_BYTES = 384 * 1024**2
_BLOCK = 512
_FILLER = ".drill-filler"
_TRIES = 200


class DiskError(Exception):
    """mkfs, mount or umount refused; the text is what it said."""


class Volume(Protocol):
    path: Path

    async def make(self) -> None: ...
    async def remove(self) -> None: ...


class Folder:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "session"

    async def make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    async def remove(self) -> None:
        await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)


class Disk:
    """ext4 on a loop device, mounted at `path` (or below `folder`), its root `owner`'s (a uid, or this process's)."""

    def __init__(self, folder: Path, path: Path | None = None, owner: int = -1) -> None:
        self.path = path or folder / "session"
        self._image = folder / "disk.img"
        self._owner = owner

    async def make(self) -> None:
        """Raises DiskError."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._image.open("wb") as image:
            image.truncate(_DISK_BYTES)
        # No blocks kept back for root: a full disk shall be full for everybody.
        await _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        await self._mount()
        with contextlib.suppress(OSError):
            (self.path / "lost+found").rmdir()
        os.chown(self.path, self._owner, self._owner)

    async def remove(self) -> None:
        """Raises DiskError."""
        if self.path.is_mount():
            await unmount(self.path)
        self._image.unlink(missing_ok=True)

    async def fill(self) -> None:
        await asyncio.to_thread(_fill, self.path / _FILLER)

    async def free(self) -> None:
        await asyncio.to_thread((self.path / _FILLER).unlink, missing_ok=True)

    async def snapshot(self) -> Path:
        """The disk as a power cut at this moment would leave it. Raises DiskError."""
        return await asyncio.to_thread(self._copy_at_one_moment)

    async def come_back_as(self, snapshot: Path) -> None:
        """After the power cut; nobody may use the disk any more. Raises DiskError."""
        await unmount(self.path)
        snapshot.replace(self._image)
        await self._mount()

    def _copy_at_one_moment(self) -> Path:
        """What is written while the copy is made would mix two moments: such a copy is thrown away."""
        copy = self._image.with_suffix(".cut")
        device = subprocess.run(
            ["losetup", "--noheadings", "--output", "NAME", "--associated", str(self._image)],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        counters = Path("/sys/block", Path(device).name, "stat")
        for _ in range(_TRIES):
            before = _writes(counters)
            subprocess.run(["cp", "--sparse=always", str(self._image), str(copy)], check=True)
            if before == _writes(counters) and before[1] == 0:
                return copy
        raise DiskError(f"{device} was written to all the time")

    async def _mount(self) -> None:
        await mount("-o", "loop", self._image, self.path)


async def mount(*words: str | Path) -> None:
    """Raises DiskError."""
    await _run("mount", *map(str, words))


async def unmount(path: Path) -> None:
    """Raises DiskError."""
    for left in range(_TRIES, -1, -1):
        try:
            await _run("umount", str(path))
            return
        except DiskError:
            if not left:
                raise
            await asyncio.sleep(0.05)  # the kernel lets go of a killed process's files a moment later


def session_files(volume: Path, profile: Path) -> list[Path]:
    """What of a session lies on a volume, sorted."""
    places = [profile / "Default" / part for part in ("Local Storage", "IndexedDB")]
    found = [path for place in places for path in place.rglob("*") if path.is_file() and path.name != "LOCK"]
    own = [path for path in volume.glob("*.json") if path.is_file()]
    return sorted(found + own)


async def listing(folder: Path) -> str:
    done = await asyncio.create_subprocess_exec(
        "ls", "-lAR", "--time-style=full-iso", str(folder), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await done.communicate()
    return out.decode(errors="replace")


def _writes(counters: Path) -> tuple[int, int]:
    """Writes and flushes that are done, and requests under way."""
    fields = [int(field) for field in counters.read_text().split()]
    return fields[4] + fields[15], fields[8]


def _fill(path: Path) -> None:
    """To the last block, without writing: half a gigabyte of real zeros would slow down every other disk here."""
    with path.open("wb", buffering=0) as filler:
        offset, step = 0, 1 << 28
        while step >= _BLOCK:
            try:
                os.posix_fallocate(filler.fileno(), offset, step)
                offset += step
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                step //= 2
        os.fsync(filler.fileno())


async def _run(*command: str) -> None:
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DiskError(f"{command[0]}: {done.stderr.strip() or done.returncode}")
