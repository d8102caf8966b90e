"""The form in which a session travels: whole or refused."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bot import archive
from bot.archive import Damaged, Manifest
from bot.contract import BOT_UID

FILES = {
    "Default/Local Storage/leveldb/000003.log": b"keys" * 300,
    "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/CURRENT": b"MANIFEST-000001\n",
    "mirror.json": b"{}",
}


def manifest(client_id: str = "shop", files: dict[str, bytes] = FILES) -> Manifest:
    prints = {name: archive.fingerprint([content]) for name, content in files.items()}
    return Manifest(client_id, datetime(2026, 1, 2, tzinfo=UTC), prints, "156.0.1.2", "90*****567", "profile")


def packed(*sessions: Manifest, files: dict[str, bytes] = FILES) -> bytes:
    return (
        b"".join(b"".join(archive.pack(each, lambda name: [files[name]])) for each in sessions) + archive.END
    )


def unpacked(raw: bytes) -> dict[tuple[str, str], bytes]:
    members = archive.unpack(io.BytesIO(raw))
    return {(member.manifest.client_id, member.name): b"".join(member.chunks) for member in members}


def test_several_sessions_come_back_as_they_went() -> None:
    raw = packed(manifest("shop"), manifest("kitchen"))
    assert unpacked(raw) == {(client, name): FILES[name] for client in ("shop", "kitchen") for name in FILES}
    first = next(archive.unpack(io.BytesIO(raw))).manifest
    assert first == manifest("shop")


def test_ordinary_tar_programs_see_the_same_and_everything_is_the_bots_own() -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(manifest()))) as found:
        entries = found.getmembers()
        assert {entry.name for entry in entries if entry.isfile()} == {
            f"shop/{name}" for name in [*FILES, "manifest.json"]
        }
        assert {(entry.uid, entry.gid) for entry in entries} == {(BOT_UID, BOT_UID)}
        folders = {entry.name for entry in entries if entry.isdir()}
        assert {"shop", "shop/Default", "shop/Default/Local Storage/leveldb"} <= folders
        assert all(entry.mode == (0o700 if entry.isdir() else 0o600) for entry in entries)


def test_repacked_it_is_the_same_archive() -> None:
    raw = packed(manifest("shop"), manifest("kitchen"))
    assert b"".join(chunk for _, chunk in archive.repack(io.BytesIO(raw))) + archive.END == raw


def test_each_session_can_be_taken_out_alone_with_the_folder_it_is_put_in() -> None:
    raw = packed(manifest("shop"), manifest("kitchen"))
    alone: dict[str, bytes] = {}
    for told, chunk in archive.repack(io.BytesIO(raw), "incoming-1/"):
        alone[told.client_id] = alone.get(told.client_id, b"") + chunk
    for content in alone.values():
        with tarfile.open(fileobj=io.BytesIO(content + archive.END)) as found:
            top = found.getmembers()[0]
            assert (top.name, top.isdir(), top.uid) == ("incoming-1", True, BOT_UID)


@given(some.data())
def test_no_single_changed_byte_gets_through(data: some.DataObject) -> None:
    """Headers have fields nobody reads (owner, time); what is taken over must be what was packed."""
    raw = bytearray(packed(manifest()))
    at = data.draw(some.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(some.integers(1, 255))
    try:
        found = unpacked(bytes(raw))
    except Damaged:
        return
    assert found == {("shop", name): content for name, content in FILES.items()}


@given(some.integers(0, len(packed(manifest())) - len(archive.END) - 1))
def test_a_cut_archive_is_refused(length: int) -> None:
    with pytest.raises(Damaged):
        unpacked(packed(manifest())[:length])


def with_entry(name: str, **changes: Any) -> bytes:
    entry = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(entry, key, value)
    return packed(manifest()).removesuffix(archive.END) + entry.tobuf() + archive.END


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no tar at all" * 100,
        archive.END,
        with_entry("shop/Default/Preferences"),
        with_entry("other/Default/IndexedDB/x/y"),
        with_entry("shop/Default/IndexedDB/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        packed(manifest(), manifest()),
    ],
)
def test_what_is_no_archive_or_holds_too_much_is_refused(raw: bytes) -> None:
    with pytest.raises(Damaged):
        unpacked(raw)


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "Default/IndexedDB/../../../x", "Default/IndexedDB", "Default/Cookies", "Default//x/y",
     "Default/IndexedDB/a\\b", "Default/Local Storage/", "mirror.json/x", "lock"],
)  # fmt: skip
def test_only_files_of_a_session_have_a_place(name: str) -> None:
    assert not archive.is_session_file(name)
    with pytest.raises(Damaged):
        Manifest.decode(manifest(files={name: b""}).encode())


def test_a_file_that_changes_while_it_is_packed_is_noticed() -> None:
    with pytest.raises(Damaged, match=r"mirror\.json"):
        packed(manifest(), files=FILES | {"mirror.json": b"[]"})
