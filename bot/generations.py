"""Copies of a session, put back when the session is damaged.

A copy of a session that was READY, closed or live, is good at once. One that is taken before a launch is a candidate:
it becomes good when that start, or one from the copy itself, reaches READY. Good ones go first in a restore, and no
candidate ever pushes one out.

One generation is a folder `generations/<number>/` with the two folders of the profile that are the whole session
(measured: Local Storage and IndexedDB), the mirror of that moment, and a manifest of every file's size and SHA-256.
It is written under another name and renamed when all of it is synced and read again: a half one never counts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from bot import durable
from bot.archive import MIRROR as _MIRROR
from bot.archive import PARTS, Fingerprint
from bot.chromium import major

KEPT = 3
BUDGET_BYTES = 1024**3  # of all that are kept; one that is being copied comes on top until it is whole

_LIVE_TRIES = 4
_MANIFEST = "manifest.json"
_GOOD = "good"
_DOUBTED = (
    "doubted"  # a candidate of a profile that a restore has replaced since: READY says nothing about it
)
_TRIED = "tried"
_PINNED = "pinned"
_PENDING = ".taking"


class Moment(StrEnum):
    """When a generation was taken."""

    CLOSED = "closed"
    LAUNCH = "launch"
    LIVE = "live"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Origin:
    """`moment` LIVE: copied under a running browser."""

    taken_at: datetime
    browser_version: str | None
    moment: Moment = Moment.CLOSED


_GOOD_AT_ONCE = (Moment.CLOSED, Moment.LIVE)


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """`reason` says why none was taken: not_ready, no_profile, no_mirror, unchanged, no_space, damaged, in_doubt,
    interrupted, moving (the browser never stood still).
    """

    taken: bool
    number: int | None = None
    bytes: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """What the manifest of one says. `tried`: put back since the session was READY last. `good`: proven by READY."""

    number: int
    taken_at: datetime
    browser_version: str | None
    files: dict[str, Fingerprint]
    tried: bool
    good: bool
    moment: Moment

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

    def preferred(self) -> list[int]:
        """Of the complete ones: the good ones newest first, then the candidates."""
        return sorted(self.numbers(), key=lambda number: (self.is_good(number), number), reverse=True)

    @staticmethod
    def size_of(profile: Path) -> int:
        """Bytes that a copy of it would have."""
        return _size_of(_sources(profile))

    def size(self) -> int:
        return sum(self._size(number) for number in self.numbers())

    def is_good(self, number: int) -> bool:
        return self._moment(number) in _GOOD_AT_ONCE or (self.path(number) / _GOOD).exists()

    def candidate(self) -> int | None:
        return next((number for number in self.numbers() if not self.is_good(number)), None)

    def take(
        self, profile: Path, mirror: Path, origin: Origin, interrupted: Callable[[], bool] = lambda: False
    ) -> GenerationResult:
        """Copies the session of `profile`. Raises OSError; then nothing is left behind.

        `interrupted` is asked before each file.
        """
        size = self.size_of(profile)
        if not size:
            return GenerationResult(False, reason="no_profile")
        if self._unchanged(profile, mirror):
            return GenerationResult(False, bytes=size, reason="unchanged")
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if size > self._room(origin.moment):
            return GenerationResult(False, bytes=size, reason="no_space")
        number = max(self.numbers(), default=0) + 1
        pending = self.folder / f"{number}{_PENDING}"
        try:
            reason, files = _copy(profile, mirror, pending, interrupted, live=origin.moment is Moment.LIVE)
            if reason:
                durable.remove_tree(pending)
                return GenerationResult(False, bytes=size, reason=reason)
            self._complete(pending, number, origin, files)
        except OSError:
            durable.remove_tree(pending)
            raise
        self.prune()
        return GenerationResult(True, number, sum(length for length, _ in files.values()))

    def _unchanged(self, profile: Path, mirror: Path) -> bool:
        """Whether the newest generation holds just this. Sizes first: content is only read where they agree."""
        newest = next(iter(self.numbers()), 0)
        known = self._files(newest)
        now = {path.relative_to(profile).as_posix(): path for path in _sources(profile)}
        if mirror.is_file():
            now[_MIRROR] = mirror
        try:
            if known is None or {name: path.stat().st_size for name, path in now.items()} != {
                name: size for name, (size, _) in known.items()
            }:
                return False
            same = all(durable.fingerprint(path) == known[name] for name, path in now.items())
        except FileNotFoundError:
            return False
        return same and self.intact(newest)

    def _room(self, moment: Moment) -> int:
        """Bytes that a new one may have. A candidate finds its place beside all the good ones."""
        taken = self.size() if moment is Moment.LAUNCH else 0
        return min(BUDGET_BYTES - taken, shutil.disk_usage(self.folder).free // 3)

    def _complete(self, folder: Path, number: int, origin: Origin, files: dict[str, Fingerprint]) -> None:
        manifest = {
            "takenAt": origin.taken_at.isoformat(),
            "browserVersion": origin.browser_version,
            "moment": origin.moment.value,
            "files": files,
        }
        durable.write_file(folder / _MANIFEST, json.dumps(manifest).encode())
        durable.sync_tree(folder)
        durable.move(folder, self.path(number))

    def adopt(
        self, staged: Path, taken_at: datetime, version: str | None, files: dict[str, Fingerprint]
    ) -> int:
        """Makes a folder on the same file system, which holds just `files`, the newest generation. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        number = max(self.numbers(), default=0) + 1
        self._complete(staged, number, Origin(taken_at, version, Moment.ADOPTED), files)
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
        good, moment = self.is_good(number), self._moment(number)
        return Generation(number, taken_at, raw.get("browserVersion"), files, tried, good, moment)

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
        """The first of the preferred that no restore has tried since the session was READY last."""
        return next((each for each in self.preferred() if not (self.path(each) / _TRIED).exists()), None)

    def mark_tried(self, number: int) -> None:
        durable.write_file(self.path(number) / _TRIED, b"")

    def doubt_others(self, number: int) -> None:
        """`number` is about to take the profile's place: what comes of it says nothing about other candidates."""
        (self.path(number) / _DOUBTED).unlink(missing_ok=True)
        for other in self.numbers():
            if other != number and not self.is_good(other):
                durable.write_file(self.path(other) / _DOUBTED, b"")

    def proven(self) -> None:
        """The session is READY: what the candidate was taken of works, and what was tried may be tried again."""
        for number in self.numbers():
            if not self.is_good(number):
                if (self.path(number) / _DOUBTED).exists():
                    durable.remove_tree(self.path(number))
                    continue
                durable.write_file(self.path(number) / _GOOD, b"")
            (self.path(number) / _TRIED).unlink(missing_ok=True)
        self.prune()

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
        """Keeps the newest good ones, as many as KEPT and the budget allow, one candidate, and a pinned one.

        And the newest that an older browser has made, as long as the budget allows: the way back from a newer one.
        Removes what an interrupted copy left. The newest good one always stays.
        """
        if not self.folder.is_dir():
            return
        good = [number for number in self.numbers() if self.is_good(number)]
        candidates = [number for number in self.numbers() if number not in good]
        elder = self._made_by_an_older_browser(good)
        total = 0
        for place, number in enumerate(good):
            total += self._size(number)
            if place and ((place >= KEPT and number != elder) or total > BUDGET_BYTES):
                total -= self._size(number)
                self._drop(number)
        for number in candidates[1:]:
            self._drop(number)
        for each in self.folder.iterdir():
            if not (each.name.isdigit() and (each / _MANIFEST).is_file()):
                durable.remove_tree(each)

    def _made_by_an_older_browser(self, good: Iterable[int]) -> int | None:
        """The newest of `good` (newest first) that one of another, older, major version has made."""
        ages = [(number, major(self._browser_version(number))) for number in good]
        newest = next((age for _, age in ages if age), 0)
        return next((number for number, age in ages if 0 < age < newest), None)

    def _browser_version(self, number: int) -> str | None:
        try:
            found = json.loads((self.path(number) / _MANIFEST).read_bytes())["browserVersion"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) else None

    def _drop(self, number: int) -> None:
        if not (self.path(number) / _PINNED).exists():
            durable.remove_tree(self.path(number))

    def _size(self, number: int) -> int:
        return sum(size for size, _ in (self._files(number) or {}).values())

    def _moment(self, number: int) -> Moment:
        """Of one whose manifest does not say: closed, as all were once."""
        try:
            return Moment(json.loads((self.path(number) / _MANIFEST).read_bytes())["moment"])
        except (OSError, ValueError, KeyError, TypeError):
            return Moment.CLOSED

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


def _sources(profile: Path) -> list[Path]:
    return [path for part in PARTS for path in durable.files_below(profile / "Default" / part, is_content)]


def _size_of(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):  # a browser at work replaces its files
            total += path.stat().st_size
    return total


def _copy(
    profile: Path, mirror: Path, target: Path, interrupted: Callable[[], bool], *, live: bool
) -> tuple[str, dict[str, Fingerprint]]:
    """Why there is no copy ("" when there is one), and its files, read again. Raises OSError."""
    for _ in range(_LIVE_TRIES if live else 1):
        durable.remove_tree(target)
        before = _outline(profile)
        files: dict[str, Fingerprint] = {}
        try:
            for path in _sources(profile):
                if interrupted():
                    return "interrupted", {}
                name = path.relative_to(profile)
                files[name.as_posix()] = durable.copy_synced(path, target / name)
            if mirror.is_file():
                files[_MIRROR] = durable.copy_synced(mirror, target / _MIRROR)
        except FileNotFoundError:
            if not live:
                raise
            continue
        if live and _outline(profile) != before:
            continue
        return ("" if _agrees(target, files) else "damaged"), files
    return "moving", {}


def _outline(profile: Path) -> dict[str, tuple[int, int]]:
    """What must not change while a live copy is made. A log of LevelDB's may grow: its reader leaves a torn end out."""
    found = {}
    for path in _sources(profile):
        with suppress(FileNotFoundError):
            stat = path.stat()
            found[str(path)] = (0, 0) if path.suffix == ".log" else (stat.st_size, stat.st_mtime_ns)
    return found
