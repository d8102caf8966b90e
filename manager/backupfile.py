"""A file of sessions: the archive of `bot.archive`, packed with zstd, and encrypted in the format of age.

So it can be opened without this program too: `age -d FILE | zstd -d | tar -x`. Written as a whole or not at
all, mode 0600.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import pyrage  # type: ignore[import-untyped]
import zstandard

from bot.archive import Damaged
from bot.text import Catalogue
from manager.streams import IteratorFile
from manager.wholefile import is_taken, whole_file

_AGE = b"age-encryption.org/v1\n"
_ZSTD = b"\x28\xb5\x2f\xfd"
_LEVEL = 9
_CHUNK = 1 << 20
# age's own library encrypts with a passphrase in memory only.
MOST_WITH_PASSPHRASE = 1 << 30


class Kind(StrEnum):
    PASSPHRASE = "passphrase"  # noqa: S105  a kind of lock
    RECIPIENTS = "recipients"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Key:
    """How a file is locked or opened. `keys`: recipients to write to, or identities to read with."""

    kind: Kind
    passphrase: str = field(default="", repr=False)
    keys: tuple[Any, ...] = field(default=(), repr=False)


class BackupError(Exception):
    """`key` is one of the catalogue's [backup], with `<key>_fix` beside it."""

    def __init__(self, key: str, **values: object) -> None:
        self.key, self.values = key, values
        super().__init__(key)

    def say(self, say: Catalogue) -> tuple[str, str]:
        return say(f"backup.{self.key}", **self.values), say(f"backup.{self.key}_fix", **self.values)


def recipient(text: str) -> Any:
    """An age recipient (`age1…`) or an SSH public key. Raises BackupError, which never tells a private key again."""
    if "SECRET-KEY" in text.upper() or "PRIVATE KEY" in text.upper():
        raise BackupError("private_recipient")
    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise BackupError("bad_recipient", recipient=text[:80], detail=error) from None


def identities(path: Path) -> tuple[Any, ...]:
    """The keys in a file of age's or an SSH private key. Raises BackupError."""
    try:
        raw = path.read_bytes()
        if b"PRIVATE KEY-----" in raw:
            return (pyrage.ssh.Identity.from_buffer(raw),)
        lines = [line.strip() for line in raw.decode().splitlines()]
        found = tuple(pyrage.x25519.Identity.from_str(line) for line in lines if line and line[0] != "#")
    except OSError as error:
        raise BackupError("unreadable", file=path, reason=error.strerror) from None
    except (pyrage.IdentityError, UnicodeDecodeError):
        found = ()
    if not found:
        raise BackupError("bad_identity", file=path)
    return found


def kind_of(path: Path) -> Kind:
    """Raises BackupError for what is no backup, and where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(200)
    except OSError as error:
        raise BackupError("unreadable", file=path, reason=error.strerror) from None
    if head.startswith(_AGE):
        return Kind.PASSPHRASE if head[len(_AGE) :].startswith(b"-> scrypt ") else Kind.RECIPIENTS
    if head.startswith(_ZSTD):
        return Kind.PLAIN
    raise BackupError("no_backup", file=path)


# ---- writing


def write(path: Path, pieces: Iterable[bytes], key: Key, *, force: bool = False) -> int:
    """The file's size. What `pieces` raises goes on to the caller, and then nothing is there. Raises BackupError."""
    if is_taken(path) and not force:
        raise BackupError("exists", file=path)
    try:
        with whole_file(path, force=force) as file:
            _lock(_Pieces(_packed(pieces)), file, key)
            size = file.tell()
    except FileExistsError:
        raise BackupError("exists", file=path) from None
    except OSError as error:
        raise BackupError("not_written", file=path, reason=error.strerror or error) from None
    return size


class _Pieces(IteratorFile):
    """Keeps what its source raised: the library that reads here turns it into an error of its own."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__(pieces)
        self.raised: BaseException | None = None

    def readinto(self, buffer: Any) -> int:
        try:
            return super().readinto(buffer)
        except BaseException as error:
            self.raised = error
            raise


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _lock(source: _Pieces, file: IO[bytes], key: Key) -> None:
    try:
        match key.kind:
            case Kind.PLAIN:
                while chunk := source.read(_CHUNK):
                    file.write(chunk)
            case Kind.RECIPIENTS:
                pyrage.encrypt_io(io.BufferedReader(source, _CHUNK), file, list(key.keys))
            case Kind.PASSPHRASE:
                content = io.BufferedReader(source, _CHUNK).read(MOST_WITH_PASSPHRASE + 1)
                if len(content) > MOST_WITH_PASSPHRASE:
                    raise BackupError("too_large")
                file.write(pyrage.passphrase.encrypt(content, key.passphrase))
    except (pyrage.EncryptError, OSError, ValueError):
        if source.raised is not None:
            raise source.raised from None
        raise


# ---- reading


@contextmanager
def opened(path: Path, key: Key) -> Iterator[IO[bytes]]:
    """The archive in it, as it is unpacked. Raises BackupError (wrong key), and Damaged while it is read."""
    try:
        with path.open("rb") as file, _unlocked(file, key) as content:
            unpacker = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True)
            yield io.BufferedReader(_Unpacked(unpacker), _CHUNK)
    except OSError as error:
        raise BackupError("unreadable", file=path, reason=error.strerror or error) from error


class _Unpacked(io.RawIOBase):
    def __init__(self, source: Any) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            return int(self._source.readinto(buffer))
        except zstandard.ZstdError as error:
            raise Damaged(str(error)) from error


@contextmanager
def _unlocked(file: IO[bytes], key: Key) -> Iterator[Any]:
    match key.kind:
        case Kind.PLAIN:
            yield file
        case Kind.PASSPHRASE:
            try:
                content = pyrage.passphrase.decrypt(file.read(), key.passphrase)
            except pyrage.DecryptError as error:
                raise BackupError("wrong_passphrase", detail=error) from None
            yield io.BytesIO(content)
        case Kind.RECIPIENTS:
            with _Decrypted(file, key.keys) as content:
                yield content


class _Decrypted(io.RawIOBase):
    """age's library pushes, a tar is pulled: a pipe and a thread between the two."""

    def __init__(self, file: IO[bytes], keys: tuple[Any, ...]) -> None:
        reading, writing = os.pipe()
        self._pipe = os.fdopen(reading, "rb", buffering=0)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._push, args=(file, writing, list(keys)), daemon=True)
        self._thread.start()

    def _push(self, file: IO[bytes], writing: int, keys: list[Any]) -> None:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pyrage.decrypt_io(file, pipe, keys)
        except Exception as error:
            self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._pipe.readinto(buffer) or 0
        if count == 0:
            self._thread.join()
            if isinstance(self._error, pyrage.DecryptError) and "matching" in str(self._error):
                raise BackupError("wrong_identity", detail=self._error) from self._error
            if self._error is not None:
                raise Damaged(str(self._error)) from self._error
        return count

    def close(self) -> None:
        if not self.closed:
            self._pipe.close()  # a writer that is left gets EPIPE
            self._thread.join()
        super().close()
