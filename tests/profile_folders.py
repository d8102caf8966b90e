"""Chromium profiles as small as they can be: what tells a session's folder from another stands in them."""

from __future__ import annotations

import struct
from pathlib import Path

ORIGIN = "https://web.whatsapp.com"
PAIRED = {"WANoiseInfo": '{"pubKey":"x"}', "last-wid-md": '"905321234567:3@c.us"'}


def leveldb_log(entries: dict[bytes, bytes | None], sequence: int = 1) -> bytes:
    """A log of one batch; None deletes. Checksums are left at zero."""
    batch = struct.pack("<QI", sequence, len(entries))
    for key, value in entries.items():
        batch += bytes([value is not None]) + _string(key) + (_string(value) if value is not None else b"")
    return struct.pack("<IHB", 0, len(batch), 1) + batch


def _string(raw: bytes) -> bytes:
    size, head = len(raw), b""
    while size >= 0x80:
        head += bytes([size & 0x7F | 0x80])
        size >>= 7
    return head + bytes([size]) + raw


def make_profile(
    folder: Path, entries: dict[str, str] | None = None, *, version: str | None = "150.0.1.2"
) -> Path:
    """A paired one, unless `entries` says otherwise."""
    local = folder / "Default" / "Local Storage" / "leveldb"
    database = folder / "Default" / "IndexedDB" / "https_web.whatsapp.com_0.indexeddb.leveldb"
    for each in (
        local,
        database,
        folder / "Default" / "Cache",
        folder / "Default" / "IndexedDB" / "https_other_0",
    ):
        each.mkdir(parents=True)
        (each / "LOCK").touch()
        (each / "CURRENT").write_text("MANIFEST-000001\n")
        (each / "MANIFEST-000001").touch()
    kept = PAIRED if entries is None else entries
    written = {f"_{ORIGIN}\0\x01{key}".encode(): b"\x01" + value.encode() for key, value in kept.items()}
    (local / "000003.log").write_bytes(leveldb_log(written))
    (folder / "Default" / "Preferences").write_text("{}")
    if version:
        (folder / "Last Version").write_text(version)
    return folder
