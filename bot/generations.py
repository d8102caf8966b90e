"""Copies of a session that reached READY, taken while no browser runs, and put back when the session is damaged.

One generation is a folder `generations/<number>/` with the two folders of the profile that are the whole session
(measured: Local Storage and IndexedDB), the mirror of that moment, and a manifest of every file's size and SHA-256.
It is written under another name and renamed when all of it is synced and read again: a half one never counts.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from bot import durable
from bot.archive import MIRROR as _MIRROR
from bot.archive import PARTS, Fingerprint

KEPT = 3
BUDGET_BYTES = 1024**3

_MANIFEST = "manifest.json"
_TRIED = "tried"
_PINNED = "pinned"
_PENDING = ".taking"


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """`reason` says why none was taken: not_ready, no_profile, unchanged, no_space, damaged."""

    taken: bool
    number: int | None = None
    bytes: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """What the manifest of one says. `tried`: put back since the session was READY last."""

    number: int
    taken_at: datetime
    browser_version: str | None
    files: dict[str, Fingerprint]
    tried: bool

    @property
    def size(self) -> int:
        return sum(size for size, _ in self.files.values())


class RestoreOutcome(StrEnum):
    RESTORED = "restored"
    NONE = "none"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """`aside`: where the damaged profile went."""

    outcome: RestoreOutcome
    number: int | None = None
    aside: Path | None = None


class Generations:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        """Of the complete ones, newest first."""
        if not self.folder.is_dir():
            return []
        return sorted(
            (
                int(each.name)
                for each in self.folder.iterdir()
                if each.name.isdigit() and (each / _MANIFEST).is_file()
            ),
            reverse=True,
        )

    def path(self, number: int) -> Path:
        return self.folder / str(number)

    def take(
        self, profile: Path, mirror: Path, now: datetime, browser_version: str | None
    ) -> GenerationResult:
        """Copies the session of a closed `profile`. Raises OSError; then nothing is left behind."""
        sources = [
            path for part in PARTS for path in durable.files_below(profile / "Default" / part, is_content)
        ]
        if not sources:
            return GenerationResult(False, reason="no_profile")
        size = sum(path.stat().st_size for path in sources)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if size > min(BUDGET_BYTES, shutil.disk_usage(self.folder).free // 3):
            return GenerationResult(False, bytes=size, reason="no_space")
        number = max(self.numbers(), default=0) + 1
        pending = self.folder / f"{number}{_PENDING}"
        durable.remove_tree(pending)
        try:
            files = {
                str(path.relative_to(profile)): durable.copy_synced(path, pending / path.relative_to(profile))
                for path in sources
            }
            if mirror.is_file():
                files[_MIRROR] = durable.copy_synced(mirror, pending / _MIRROR)
            if files == self._files(next(iter(self.numbers()), 0)):
                durable.remove_tree(pending)
                return GenerationResult(False, bytes=size, reason="unchanged")
            if not _agrees(pending, files):
                durable.remove_tree(pending)
                return GenerationResult(False, bytes=size, reason="damaged")
            manifest = {"takenAt": now.isoformat(), "browserVersion": browser_version, "files": files}
            durable.write_file(pending / _MANIFEST, json.dumps(manifest).encode())
            durable.sync_tree(pending)
            durable.move(pending, self.path(number))
        except OSError:
            durable.remove_tree(pending)
            raise
        self.prune()
        return GenerationResult(True, number, size)

    def adopt(
        self, staged: Path, taken_at: datetime, version: str | None, files: dict[str, Fingerprint]
    ) -> int:
        """Makes a folder on the same file system, which holds just `files`, the newest generation. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        number = max(self.numbers(), default=0) + 1
        manifest = {"takenAt": taken_at.isoformat(), "browserVersion": version, "files": files}
        durable.write_file(staged / _MANIFEST, json.dumps(manifest).encode())
        durable.sync_tree(staged)
        durable.move(staged, self.path(number))
        return number

    def read(self, number: int) -> Generation | None:
        """None when there is no complete one of that number, or its manifest cannot be read."""
        files = self._files(number)
        if files is None:
            return None
        try:
            raw = json.loads((self.path(number) / _MANIFEST).read_bytes())
            taken_at = datetime.fromisoformat(raw["takenAt"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        tried = (self.path(number) / _TRIED).exists()
        return Generation(number, taken_at, raw.get("browserVersion"), files, tried)

    def intact(self, number: int) -> bool:
        """Whether its files are what its manifest says; reads them all."""
        files = self._files(number)
        return files is not None and _agrees(self.path(number), files)

    def pin(self, number: int) -> None:
        """Somebody is about to put it back: newer ones do not push it out meanwhile. Raises OSError."""
        durable.write_file(self.path(number) / _PINNED, b"")

    def unpin(self) -> None:
        for number in self.numbers():
            (self.path(number) / _PINNED).unlink(missing_ok=True)

    def untried(self) -> int | None:
        """The newest complete one that no restore has tried since the session was READY last."""
        return next((each for each in self.numbers() if not (self.path(each) / _TRIED).exists()), None)

    def mark_tried(self, number: int) -> None:
        durable.write_file(self.path(number) / _TRIED, b"")

    def clear_tried(self) -> None:
        for number in self.numbers():
            (self.path(number) / _TRIED).unlink(missing_ok=True)

    def copy_to(self, number: int, profile: Path) -> bool:
        """Writes generation `number` as a new profile. False: its files are not what its manifest says."""
        source = self.path(number)
        files = self._files(number)
        if files is None or not _agrees(source, files):
            return False
        for name in files:
            if name != _MIRROR:
                durable.copy_synced(source / name, profile / name)
        profile.mkdir(mode=0o700, exist_ok=True)
        durable.sync_tree(profile)
        return True

    def mirror_of(self, number: int) -> bytes | None:
        path = self.path(number) / _MIRROR
        return path.read_bytes() if path.is_file() else None

    def prune(self) -> None:
        """Keeps the newest KEPT and a pinned one, and removes what an interrupted copy left."""
        if not self.folder.is_dir():
            return
        for number in self.numbers()[KEPT:]:
            if not (self.path(number) / _PINNED).exists():
                durable.remove_tree(self.path(number))
        for each in self.folder.iterdir():
            if not (each.name.isdigit() and (each / _MANIFEST).is_file()):
                durable.remove_tree(each)

    def _files(self, number: int) -> dict[str, Fingerprint] | None:
        try:
            manifest = json.loads((self.path(number) / _MANIFEST).read_bytes())
            return {str(name): (int(size), str(digest)) for name, (size, digest) in manifest["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def is_content(path: Path) -> bool:
    """LevelDB's lock is a lock, and its human-readable logs are no data."""
    return path.name not in ("LOCK", "LOG", "LOG.old")


def _agrees(folder: Path, files: dict[str, Fingerprint]) -> bool:
    try:
        return all(durable.fingerprint(folder / name) == expected for name, expected in files.items())
    except OSError:
        return False
