"""Browser profiles of other WhatsApp clients on this machine: found, named, and judged fit to be imported. Only read.

Known: whatsapp-web.js LocalAuth (`.wwebjs_auth/session-<id>`, `session`, `.wwebjs_sessions/bot_<id>/session`) and
RemoteAuth (`RemoteAuth-<id>`), wppconnect's user-data dirs (`tokens/<session>`), and any other user-data dir of
Chromium.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from bot import archive
from bot.archive import PARTS, Damaged, Fingerprint, Manifest
from bot.contract import is_client_id, mask_phone
from manager import leveldb

ORIGIN = "https://web.whatsapp.com"
INDEXED_DB = "https_web.whatsapp.com_0.indexeddb."
SESSION_KEYS = ("last-wid-md", "WANoiseInfo")
_DEEPEST = 16
_NO_DATA = frozenset({"LOCK", "LOG", "LOG.old"})
_FLOCK = struct.Struct("hhqqi4x")
_MARKS = ("Local Storage", "IndexedDB", "Preferences")


@dataclass(frozen=True, slots=True)
class Profile:
    """`problem`: a key of the catalogue's [profile] that says why it cannot be imported, with its `values`.

    `foreign_host`: the browser's lock names another machine or a container; whether it runs there cannot be seen.
    `device`: the phone's number and which of its linked devices the session is.
    """

    folder: Path
    name: str
    taken_at: datetime | None = None
    files: tuple[Path, ...] = ()
    size: int = 0
    browser_version: str | None = None
    phone_masked: str | None = None
    device: str = field(default="", repr=False)
    foreign_host: str | None = None
    problem: str | None = None
    values: tuple[tuple[str, object], ...] = ()

    def refused(self, problem: str, **values: object) -> Profile:
        return replace(self, problem=problem, values=tuple(values.items()))


def find(path: Path) -> list[Path]:
    """The user-data dirs at or below `path`. Raises OSError for one that cannot be read."""
    if path.name == "Default" and _is_profile(path.parent):
        return [path.parent]
    return sorted(_walk(path, 0))


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    if _is_profile(folder):
        yield folder
    elif depth < _DEEPEST:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False) and entry.name != "node_modules":
                yield from _walk(Path(entry.path), depth + 1)


def _is_profile(folder: Path) -> bool:
    default = folder / "Default"
    return default.is_dir() and any((default / mark).exists() for mark in _MARKS)


def name_of(folder: Path) -> str:
    """The client's name as its folder tells it; empty when it tells none."""
    name, parent = folder.name, folder.parent.name
    for prefix in ("session-", "RemoteAuth-"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    if name != "session":
        return name.removeprefix("bot_")
    return "" if parent.startswith(".") else parent.removeprefix("bot_")


def judge(folders: Iterable[Path], wanted: str | None = None) -> list[Profile]:
    """Each looked at; two of one name are both refused, and so are two copies of one session.

    `wanted`: the name instead of the folder's own.
    """
    found = [_look(folder, wanted or name_of(folder)) for folder in folders]
    return [each if each.problem else _beside(each, found) for each in found]


def _beside(profile: Profile, found: Iterable[Profile]) -> Profile:
    others = [each for each in found if each is not profile]
    if any(each.name.lower() == profile.name.lower() for each in others):
        return profile.refused("clash", name=profile.name)
    for each in others:
        if each.device == profile.device:
            return profile.refused("copy", other=each.folder)
    return profile


def _look(folder: Path, name: str) -> Profile:
    profile = Profile(folder, name)
    try:
        if not name:
            return profile.refused("no_name")
        if not is_client_id(name):
            better = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:63] or "sales"
            return profile.refused("bad_name", name=name, better=better)
        if holder := in_use(folder):
            return profile.refused("in_use", holder=holder)
        return _session_in(replace(profile, foreign_host=_foreign_host(folder)))
    except OSError as error:
        problem = "unreadable" if error.errno in (errno.EACCES, errno.EPERM) else "not_whole"
        return profile.refused(problem, path=error.filename or folder, reason=error.strerror)
    except leveldb.Unreadable as error:
        return profile.refused("damaged", detail=error)


def _session_in(profile: Profile) -> Profile:
    default = profile.folder / "Default"
    storage = default / "Local Storage" / "leveldb"
    databases = default / "IndexedDB"
    if not storage.is_dir():
        return profile.refused("no_local_storage")
    found = [each for each in databases.glob(f"{INDEXED_DB}*") if each.is_dir()]
    if not found:
        return profile.refused("no_indexed_db")
    for database in (storage, *(each for each in found if each.suffix == ".leveldb")):
        leveldb.check(database)
    kept = leveldb.local_storage(storage, ORIGIN)
    if not all(kept.get(key) for key in SESSION_KEYS):
        return profile.refused("not_paired")
    files = _session_files(default)
    newest = max(path.stat().st_mtime for path in files)
    return replace(
        profile,
        taken_at=datetime.fromtimestamp(newest, UTC),
        files=files,
        size=sum(path.stat().st_size for path in files),
        browser_version=_last_version(profile.folder),
        phone_masked=mask_phone(kept["last-wid-md"].strip('"')),
        device=kept["last-wid-md"].strip('"'),
    )


def _session_files(default: Path) -> tuple[Path, ...]:
    """All that travels. Raises OSError."""
    return tuple(
        path
        for part in PARTS
        for path in sorted(_files(default / part))
        if _belongs(path.relative_to(default))
    )


def _files(folder: Path) -> Iterator[Path]:
    """Through links too, because the browser goes through them: each folder once. Raises OSError."""
    seen: set[tuple[int, int]] = set()
    for here, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        found = Path(here).stat()
        if (found.st_dev, found.st_ino) in seen:
            folders.clear()
            continue
        seen.add((found.st_dev, found.st_ino))
        for path in (Path(here, name) for name in names):
            if stat.S_ISREG(path.stat().st_mode):
                yield path


def _raise(error: OSError) -> None:
    raise error


def _belongs(path: Path) -> bool:
    """Of the databases only WhatsApp's; never LevelDB's lock and its logs for people."""
    if path.name in _NO_DATA:
        return False
    return path.parts[0] != "IndexedDB" or path.parts[1].startswith(INDEXED_DB)


def _last_version(folder: Path) -> str | None:
    try:
        found = re.fullmatch(
            r"\d+(\.\d+){1,3}", (folder / "Last Version").read_text(errors="replace").strip()
        )
    except FileNotFoundError:
        return None
    return found[0] if found else None


def manifest(profile: Profile) -> Manifest:
    """Reads all that will travel, for `pack`. Raises OSError."""
    assert profile.taken_at is not None
    files: dict[str, Fingerprint] = {}
    for path in profile.files:
        with path.open("rb") as file:
            name = path.relative_to(profile.folder).as_posix()
            files[name] = archive.fingerprint(archive.read_file(file))
    return Manifest(
        profile.name, profile.taken_at, files, profile.browser_version, profile.phone_masked, "import"
    )


def pack(profile: Profile, manifest: Manifest, below: str) -> Iterator[bytes]:
    """As `archive.pack`. Raises OSError, and Damaged where the folder is not as it was when it was judged."""
    yield from archive.pack(manifest, lambda name: content(profile, name), below)
    # A database whose files come and go is open, and what was read of it belongs to different moments.
    if changed := {*profile.files} ^ {*_session_files(profile.folder / "Default")}:
        raise Damaged("it came or went meanwhile", min(changed).relative_to(profile.folder).as_posix())


def content(profile: Profile, name: str) -> Iterator[bytes]:
    with (profile.folder / name).open("rb") as file:
        yield from archive.read_file(file)


# ---- is somebody at work in it?


def in_use(folder: Path) -> str:
    """Who has the profile open on this machine, in whatever container: a pid, or a lock's path; empty: nobody.

    The database's own locks are the surest sign, because the kernel gives them back however their holder dies.
    """
    default = folder / "Default"
    beyond = [path for part in PARTS if (default / part).is_dir() for path in _files(default / part)]
    for path in sorted({*default.rglob("LOCK"), *(path for path in beyond if path.name == "LOCK")}):
        if path.is_file() and _is_locked(path):
            return str(path)
    named = _singleton(folder)
    if named and named[0] == socket.gethostname() and _is_alive(named[1]):
        return f"pid {named[1]}"
    switch = f"--user-data-dir={folder.resolve()} "
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and switch in _command_line(entry):
            return f"pid {entry.name}"
    return ""


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        asked = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer: bytes = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def _singleton(folder: Path) -> tuple[str, int] | None:
    """Host and pid that Chromium's own lock names, be they still there or not."""
    try:
        host, _, pid = str((folder / "SingletonLock").readlink()).rpartition("-")
    except OSError:
        return None
    return (host, int(pid)) if pid.isdigit() else None


def _foreign_host(folder: Path) -> str | None:
    named = _singleton(folder)
    return named[0] if named and named[0] != socket.gethostname() else None


def _is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(") ")[2][:1] not in ("Z", "X")
    except OSError:
        return False


def _command_line(process: Path) -> str:
    """With a space after each argument: Chromium writes its children's with spaces between them anyhow."""
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ") + " "
    except OSError:
        return ""
