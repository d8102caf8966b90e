"""The moves of a session's files that take several steps: each can be cut short anywhere, and done again by the next.

The marker says what has begun before a file moves; what is finished is written in it last.
"""

from __future__ import annotations

import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bot import durable, marker, processes
from bot.archive import PARTS, Fingerprint
from bot.generations import Generations, is_content
from bot.marker import Marker
from bot.preflight import INCOMING as INCOMING  # noqa: PLC0414  ours to the outside

_ASIDE_KEPT = 3
_ASIDE_BYTES = 512 * 1024**2
_LEFTOVER_PATIENCE = 2.0
_CACHES = (
    "Cache",
    "Code Cache",
    "GPUCache",
    "DawnGraphiteCache",
    "DawnWebGPUCache",
    "Service Worker/CacheStorage",
)
_SINGLETONS = ("SingletonLock", "SingletonCookie", "SingletonSocket")


@dataclass(frozen=True, slots=True)
class Erased:
    """What a logout of our own has removed: entries of the volume by name, among them how many copies and sessions that
    had ended, and bytes.
    """

    names: tuple[str, ...]
    generations: int
    asides: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """Something found and dealt with that people should hear of. `kind` names it: damaged_marker, leftover_browser…"""

    kind: str
    path: Path
    detail: str = ""


class Moves:
    """Of one volume, whose lock the caller holds; no browser runs. Everything raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.profile = folder / "profile"
        self.restoring = folder / "profile.restoring"
        self.marker_file = folder / "marker.json"
        self.mirror_file = folder / "mirror.json"
        self.asides = folder / "aside"
        self.generations = Generations(folder / "generations")

    def profile_files(self) -> dict[str, Fingerprint]:
        """Name -> fingerprint of what is the session in the profile."""
        return {
            path.relative_to(self.profile).as_posix(): durable.fingerprint(path)
            for part in PARTS
            for path in durable.files_below(self.profile / "Default" / part, is_content)
        }

    def sync_profile(self) -> None:
        """The browser leaves this to the kernel, which takes its time: until then a power cut loses the keys.

        Only the session's own files: syncing the file system would wait for everything else that is written to it.
        """
        for part in PARTS:
            durable.sync_all(self.profile / "Default" / part)
        for folder in (self.profile / "Default", self.profile, self.folder):
            if folder.is_dir():
                durable.sync_folder(folder)

    def finish_aside(self, known: Marker, reason: str) -> tuple[Marker, Path | None]:
        """All of the session goes to aside/. The marker as it is then, and where it went: None, there was nothing."""
        target = self._aside_folder(reason)
        parts = (self.profile, self.mirror_file, self.generations.folder)
        found = [path for path in parts if path.exists() and not is_empty(path)]
        for path in found:
            _make_aside(target)
            durable.move(path, target / path.name)
        _drop_caches(target / self.profile.name)
        self.profile.mkdir(mode=0o700, exist_ok=True)
        known = replace(known, pending_aside=None)
        marker.store(self.marker_file, known)
        self._prune_aside()
        return known, target if found else None

    def finish_erase(self, known: Marker) -> tuple[Marker, Erased]:
        """Nothing of any session stays; the lock, the ballast and the event log do. The marker as it is then.

        The copies go first: what is left of an erasure that a broken disk ends is nothing to go on with.
        """
        found = [path for path in self._all_of_a_session() if path.exists()]
        erased = Erased(
            tuple(path.name for path in found if not is_empty(path)),
            len(self.generations.numbers()),
            len(list(self.asides.iterdir())) if self.asides.is_dir() else 0,
            sum(file.stat().st_size for path in found for file in _files(path)),
        )
        for path in found:
            durable.erase(path)
        durable.sync_folder(self.folder)
        self.profile.mkdir(mode=0o700, exist_ok=True)
        known = replace(known, pending_erase=None, dead_keys=None)
        marker.store(self.marker_file, known)
        return known, erased

    def _all_of_a_session(self) -> list[Path]:
        return [
            self.generations.folder,
            self.asides,
            self.restoring,
            *self.folder.glob(f"{INCOMING}*"),
            *self.folder.glob(f"{self.mirror_file.name}*"),
            *self.folder.glob(f"{self.marker_file.stem}.damaged*"),
            self.profile,
        ]

    def finish_restore(self, known: Marker, number: int, reason: str) -> tuple[Marker, Path | None]:
        """What lies complete in `restoring` becomes the profile, which goes aside: where to, if there was one."""
        aside = None
        if self.restoring.exists():
            if self.profile.exists() and not is_empty(self.profile):
                aside = self._aside_folder(reason)
                _make_aside(aside)
                durable.move(self.profile, aside / self.profile.name)
                _drop_caches(aside / self.profile.name)
            else:
                durable.remove_tree(self.profile)
            durable.move(self.restoring, self.profile)
        kept = self.generations.mirror_of(number)
        if kept is not None:
            durable.write_file(self.mirror_file, kept)
        known = replace(known, pending_restore=None)
        marker.store(self.marker_file, known)
        self._prune_aside()
        return known, aside

    def sweep(self) -> list[Report]:
        """Ends browsers that outlived their bot and removes their locks: what holds our lock may do so.

        With them goes what an import that was cut short has left.
        """
        leftovers = [
            pid
            for pid in processes.all_pids()
            if processes.uses_profile(pid, self.profile) and processes.is_main_browser(pid)
        ]
        reports = []
        if leftovers:
            processes.send(leftovers, signal.SIGCONT)  # a stopped one never hears SIGTERM
            alive = processes.end(leftovers, patience=_LEFTOVER_PATIENCE)
            kind = "unkillable_browser" if alive else "leftover_browser"
            reports.append(Report(kind, self.profile, " ".join(str(pid) for pid in leftovers)))
        for name in _SINGLETONS:
            with suppress(OSError):
                (self.profile / name).unlink(missing_ok=True)
        for left in self.folder.glob(f"{INCOMING}*"):
            durable.remove_tree(left)
            if left.exists():
                reports.append(Report("leftover_incoming", left, f"owner {left.stat().st_uid}"))
        return reports

    def _aside_folder(self, reason: str) -> Path:
        return self.asides / f"{_stamp()}-{reason}"

    def _prune_aside(self) -> None:
        """Newest first, as many as the number and the bytes allow; always the newest.

        What is of a time that has not come yet was set aside before the clock was put back.
        """
        total, now = 0, _stamp()
        found = self.asides.iterdir() if self.asides.is_dir() else ()
        newest_first = sorted(found, key=lambda path: (path.name <= now, path.name), reverse=True)
        for older, path in enumerate(newest_first):
            total += sum(each.stat().st_size for each in durable.files_below(path))
            if older and (older >= _ASIDE_KEPT or total > _ASIDE_BYTES):
                durable.remove_tree(path)


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"


def is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _files(path: Path) -> list[Path]:
    return list(durable.files_below(path)) if path.is_dir() else [path]


def _make_aside(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        durable.sync_folder(folder.parent)


def _drop_caches(profile: Path) -> None:
    for name in _CACHES:
        shutil.rmtree(profile / "Default" / name, ignore_errors=True)
