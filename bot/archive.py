"""The form in which a session travels: a tar with one folder a session, its manifest first, then the files it names.

    <clientId>/manifest.json
    <clientId>/Default/Local Storage/…  <clientId>/Default/IndexedDB/…  <clientId>/mirror.json

Bot and manager both read and write it, so it belongs to what they agree on. Standard library only; nothing is opened
here but what the caller hands over, and nothing is believed that the manifest does not confirm.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, Any

from bot.contract import BOT_UID, is_client_id

FORMAT = "oturum-session/1"
MANIFEST = "manifest.json"
MIRROR = "mirror.json"
PARTS = ("Local Storage", "IndexedDB")
END = bytes(2 * tarfile.BLOCKSIZE)

_CHUNK = 1 << 20
_MOST_MANIFEST = 32 << 20

Fingerprint = tuple[int, str]


class Damaged(Exception):
    """What was read is not what its manifest says, or no archive of ours. `place` names the file, as far as known."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason, self.place = reason, place


@dataclass(frozen=True, slots=True)
class Manifest:
    """`files`: name below the session's folder -> size in bytes and SHA-256. `source`: profile, generation, import."""

    client_id: str
    taken_at: datetime
    files: Mapping[str, Fingerprint] = field(repr=False)
    browser_version: str | None = None
    phone_masked: str | None = None
    source: str = ""

    @property
    def size(self) -> int:
        return sum(size for size, _ in self.files.values())

    def encode(self) -> bytes:
        told = {
            "format": FORMAT,
            "clientId": self.client_id,
            "takenAt": self.taken_at.isoformat(),
            "browserVersion": self.browser_version,
            "phone": self.phone_masked,
            "source": self.source,
            "files": {name: list(found) for name, found in sorted(self.files.items())},
        }
        return json.dumps(told).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Manifest:
        """Raises Damaged."""
        try:
            told: dict[str, Any] = json.loads(raw)
            if told["format"] != FORMAT:
                raise Damaged(f"format {str(told['format'])[:40]!r}", MANIFEST)
            files = {str(name): (int(size), str(digest)) for name, (size, digest) in told["files"].items()}
            made = cls(
                str(told["clientId"]),
                datetime.fromisoformat(told["takenAt"]),
                files,
                _text(told.get("browserVersion")),
                _text(told.get("phone")),
                _text(told.get("source")) or "",
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damaged(str(error), MANIFEST) from error
        for name in files:
            if not is_session_file(name):
                raise Damaged("no file of a session", name)
        if not is_client_id(made.client_id) or not files or made.taken_at.tzinfo is None:
            raise Damaged("incomplete", MANIFEST)
        return made


@dataclass(frozen=True, slots=True)
class Member:
    """One file on its way; `chunks` is to be read before the next member is asked for."""

    manifest: Manifest
    name: str
    chunks: Iterator[bytes]


def is_session_file(name: str) -> bool:
    """Whether an archive may hold it: a plain path below one of the two folders, or the mirror."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\0" in name or "\\" in name:
        return False
    return name == MIRROR or (len(parts) > 2 and parts[0] == "Default" and parts[1] in PARTS)


def pack(manifest: Manifest, read: Callable[[str], Iterable[bytes]], below: str = "") -> Iterator[bytes]:
    """The members of one session as they stand in the tar (END is the caller's), in the folder `below` (with a slash).

    Raises Damaged for a changed file.
    """
    raw = manifest.encode()
    known: set[str] = set()
    top = f"{below}{manifest.client_id}"
    yield from _folders(f"{top}/{MANIFEST}", known)
    yield _header(f"{top}/{MANIFEST}", len(raw)) + raw + _padding(len(raw))
    for name, expected in sorted(manifest.files.items()):
        full = f"{top}/{name}"
        yield from _folders(full, known)
        yield _header(full, expected[0])
        yield from _checked(read(name), expected, name)
        yield _padding(expected[0])


def unpack(stream: IO[bytes]) -> Iterator[Member]:
    """Every file of every session in `stream`, each checked against its manifest when the next is asked for.

    Raises Damaged, at the latest at the end, when anything is missing, changed or too much.
    """
    manifest: Manifest | None = None
    left: dict[str, Fingerprint] = {}
    done: set[str] = set()
    for entry, content in _entries(stream):
        client_id, _, name = entry.name.partition("/")
        if name == MANIFEST:
            _all_there(left)
            manifest = _manifest(content, entry.size, client_id)
            if client_id in done:
                raise Damaged("twice in one archive", client_id)
            done.add(client_id)
            left = dict(manifest.files)
            continue
        if manifest is None or client_id != manifest.client_id or name not in left:
            raise Damaged("not in the manifest", entry.name)
        chunks = _checked(_read(content), left.pop(name), entry.name)
        yield Member(manifest, name, chunks)
        for _ in chunks:
            pass
    _all_there(left)
    if manifest is None:
        raise Damaged("it holds no session")


def repack(stream: IO[bytes], below: str = "") -> Iterator[tuple[Manifest, bytes]]:
    """The same archive anew, without END, in the folder `below`: nothing passes that the manifest does not confirm.

    Raises Damaged.
    """
    told: Manifest | None = None
    for member in unpack(stream):
        manifest = member.manifest
        if manifest is not told:
            told = manifest
            known: set[str] = set()  # whoever takes one session out of many needs the folder `below` too
            raw = manifest.encode()
            full = f"{below}{manifest.client_id}/{MANIFEST}"
            yield (
                manifest,
                b"".join((*_folders(full, known), _header(full, len(raw)), raw, _padding(len(raw)))),
            )
        size = manifest.files[member.name][0]
        full = f"{below}{manifest.client_id}/{member.name}"
        yield manifest, b"".join((*_folders(full, known), _header(full, size)))
        for chunk in member.chunks:
            yield manifest, chunk
        yield manifest, _padding(size)


def fingerprint(chunks: Iterable[bytes]) -> Fingerprint:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def read_file(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _entries(stream: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is not None:
                    yield entry, content
                elif not entry.isdir():
                    raise Damaged("neither file nor folder", entry.name)
    except (tarfile.TarError, EOFError) as error:
        raise Damaged(str(error)) from error


def _manifest(content: IO[bytes], size: int, client_id: str) -> Manifest:
    if size > _MOST_MANIFEST:
        raise Damaged("too large", MANIFEST)
    manifest = Manifest.decode(b"".join(_read(content)))
    if manifest.client_id != client_id:
        raise Damaged("of another bot", MANIFEST)
    return manifest


def _read(content: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from read_file(content)
    except (tarfile.TarError, EOFError) as error:
        raise Damaged(str(error)) from error


def _checked(chunks: Iterable[bytes], expected: Fingerprint, place: str) -> Iterator[bytes]:
    """Never more than the size that was announced: what follows in a tar would be read as something else."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        if size > expected[0]:
            break
        yield chunk
    if (size, digest.hexdigest()) != expected:
        raise Damaged("its content is not what the manifest says", place)


def _all_there(left: Mapping[str, Fingerprint]) -> None:
    if left:
        raise Damaged("missing", next(iter(left)))


def _folders(full: str, known: set[str]) -> Iterator[bytes]:
    """Told explicitly: an engine would make missing ones as root's."""
    for parent in reversed(PurePosixPath(full).parents[:-1]):
        if str(parent) not in known:
            known.add(str(parent))
            yield _header(str(parent), 0, folder=True)


def _header(name: str, size: int, *, folder: bool = False) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    entry.uid = entry.gid = BOT_UID
    if folder:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o700
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
