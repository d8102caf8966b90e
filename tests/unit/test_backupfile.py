"""Backups as files: private, whole or not there, and opened only by whom they were made for."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
import zstandard

from bot.archive import Damaged
from manager import backupfile
from manager.backupfile import BackupError, Key, Kind

# Always the same: a bit that is changed in a packed repetition may by chance lead to another, equal place.
CONTENT = [hashlib.shake_128(bytes([number])).digest(300) * 400 for number in range(20)]
MINE = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
LOCKS = {
    Kind.PLAIN: (Key(Kind.PLAIN), Key(Kind.PLAIN)),
    Kind.PASSPHRASE: (Key(Kind.PASSPHRASE, "correct horse"), Key(Kind.PASSPHRASE, "correct horse")),
    Kind.RECIPIENTS: (
        Key(Kind.RECIPIENTS, keys=(OTHER.to_public(), backupfile.recipient(str(MINE.to_public())))),
        Key(Kind.RECIPIENTS, keys=(MINE,)),
    ),
}
kinds = pytest.mark.parametrize("kind", Kind)


def read(path: Path, key: Key) -> bytes:
    with backupfile.opened(path, key) as stream:
        return stream.read()


@kinds
def test_what_was_written_is_read_back_and_nobody_else_may_read_the_file(tmp_path: Path, kind: Kind) -> None:
    lock, key = LOCKS[kind]
    path = tmp_path / "backup"
    assert backupfile.write(path, CONTENT, lock) == path.stat().st_size < len(b"".join(CONTENT)) / 10
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert backupfile.kind_of(path) is kind
    assert read(path, key) == b"".join(CONTENT)
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_what_age_and_zstd_themselves_read(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    backupfile.write(path, CONTENT, LOCKS[Kind.RECIPIENTS][0])
    packed = pyrage.decrypt(path.read_bytes(), [MINE])
    assert zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read() == b"".join(CONTENT)


@kinds
def test_a_changed_file_is_refused(tmp_path: Path, kind: Kind) -> None:
    lock, key = LOCKS[kind]
    path = tmp_path / "backup"
    backupfile.write(path, CONTENT, lock)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises((Damaged, BackupError)):
        read(path, key)


@kinds
def test_what_fails_while_it_is_gathered_leaves_nothing_and_is_told_as_it_was(
    tmp_path: Path, kind: Kind
) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT[0]
        raise Damaged("a file changed")

    with pytest.raises(Damaged, match="a file changed"):
        backupfile.write(tmp_path / "backup", pieces(), LOCKS[kind][0])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_text("precious")
    with pytest.raises(BackupError, match="exists"):
        backupfile.write(path, CONTENT, Key(Kind.PLAIN))
    assert path.read_text() == "precious"
    backupfile.write(path, CONTENT, Key(Kind.PLAIN), force=True)
    assert read(path, Key(Kind.PLAIN)) == b"".join(CONTENT)


def test_one_that_appears_meanwhile_stays_too(tmp_path: Path) -> None:
    path = tmp_path / "backup"

    def pieces() -> Iterator[bytes]:
        path.write_text("somebody else's")
        yield CONTENT[0]

    with pytest.raises(BackupError, match="exists"):
        backupfile.write(path, pieces(), Key(Kind.PLAIN))
    assert path.read_text() == "somebody else's"


def test_wrong_keys_are_told(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    backupfile.write(path, CONTENT, Key(Kind.PASSPHRASE, "one"))
    with pytest.raises(BackupError, match="wrong_passphrase"):
        read(path, Key(Kind.PASSPHRASE, "two"))
    backupfile.write(path, CONTENT, Key(Kind.RECIPIENTS, keys=(MINE.to_public(),)), force=True)
    with pytest.raises(BackupError, match="wrong_identity"):
        read(path, Key(Kind.RECIPIENTS, keys=(OTHER,)))


def test_what_is_no_key_or_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="bad_recipient"):
        backupfile.recipient("age1nonsense")
    file = tmp_path / "file"
    file.write_text("# only a comment\n")
    with pytest.raises(BackupError, match="bad_identity"):
        backupfile.identities(file)
    with pytest.raises(BackupError, match="no_backup"):
        backupfile.kind_of(file)
    with pytest.raises(BackupError, match="unreadable"):
        backupfile.kind_of(tmp_path / "nothing")
    file.write_text(f"# created: today\n{MINE}\n")
    assert [str(each) for each in backupfile.identities(file)] == [str(MINE)]


@pytest.mark.parametrize(
    "text",
    [str(MINE), str(MINE).lower(), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl"],
    ids=["age", "age in small letters", "ssh"],
)
def test_a_private_key_in_the_place_of_the_public_one_is_not_told_again(text: str) -> None:
    with pytest.raises(BackupError) as raised:
        backupfile.recipient(text)
    assert raised.value.key == "private_recipient"
    assert not raised.value.values
