"""Reads what stands in a LevelDB folder that nobody has open: Chromium keeps its localStorage in one.

Only enough of the format for that (table_format.md, log_format.md of LevelDB): every table and log is read, and of each
key the youngest word counts. Nothing is written, and no lock is taken.
"""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 32768
_FOOTER = 48
_MAGIC = 0xDB4775248B80FB57
_TRAILER = 5
_SNAPPY = 1

Record = tuple[bytes, int, bytes | None]


class Unreadable(Exception):
    """A file is no LevelDB file, or damaged."""


def check(folder: Path) -> None:
    """Raises Unreadable, OSError where a browser would begin a new, empty database: its table of contents is gone."""
    named = (folder / "CURRENT").read_text(errors="replace").strip()
    if not re.fullmatch(r"MANIFEST-\d+", named):
        raise Unreadable("CURRENT: it names no MANIFEST")
    (folder / named).stat()


def read(folder: Path) -> dict[bytes, bytes]:
    """Key -> value of all that has not been deleted. Raises Unreadable, OSError."""
    newest: dict[bytes, tuple[int, bytes | None]] = {}
    for path in sorted(folder.iterdir()):
        try:
            for key, sequence, value in _records(path):
                if key not in newest or newest[key][0] <= sequence:
                    newest[key] = sequence, value
        except (IndexError, struct.error, ValueError) as error:
            raise Unreadable(f"{path.name}: {error}") from error
    return {key: value for key, (_, value) in newest.items() if value is not None}


def local_storage(folder: Path, origin: str) -> dict[str, str]:
    """The localStorage of `origin` (`https://host`) in Chromium's own encoding of keys and values."""
    prefix = f"_{origin}\0".encode()
    found = read(folder)
    return {_text(key[len(prefix) :]): _text(found[key]) for key in found if key.startswith(prefix)}


def _text(raw: bytes) -> str:
    """Chromium: a byte that names the encoding, then UTF-16 or Latin-1."""
    return raw[1:].decode("utf-16-le" if raw[:1] == b"\0" else "latin-1", "replace")


def _records(path: Path) -> Iterator[Record]:
    if path.suffix not in (".ldb", ".sst", ".log"):
        return
    if stat.S_ISFIFO(path.stat().st_mode):  # would be waited for without end
        raise ValueError("no file")
    yield from (_log if path.suffix == ".log" else _table)(path.read_bytes())


def _log(raw: bytes) -> Iterator[Record]:
    """A log's end may be half written: what is whole counts."""
    batch = b""
    for start in range(0, len(raw), _BLOCK):
        block, at = raw[start : start + _BLOCK], 0
        while at + 7 <= len(block):
            length, kind = struct.unpack_from("<HB", block, at + 4)
            piece = block[at + 7 : at + 7 + length]
            if kind == 0 or len(piece) < length:
                break
            at += 7 + length
            batch = piece if kind in (1, 2) else batch + piece
            if kind in (1, 4):
                yield from _batch(batch)


def _batch(raw: bytes) -> Iterator[Record]:
    sequence, count = struct.unpack_from("<QI", raw)
    at = 12
    for number in range(count):
        kind = raw[at]
        key, at = _string(raw, at + 1)
        value: bytes | None = None
        if kind == 1:
            value, at = _string(raw, at)
        yield key, sequence + number, value


def _table(raw: bytes) -> Iterator[Record]:
    if len(raw) < _FOOTER or struct.unpack_from("<Q", raw, len(raw) - 8)[0] != _MAGIC:
        raise ValueError("no table")
    at = len(raw) - _FOOTER
    for _ in range(2):  # the handle of the meta index
        _, at = _varint(raw, at)
    for _, handle in _entries(_block(raw, *_handle(raw, at))):
        for key, value in _entries(_block(raw, *_handle(handle, 0))):
            (tag,) = struct.unpack_from("<Q", key, len(key) - 8)
            yield key[:-8], tag >> 8, value if tag & 0xFF else None


def _handle(raw: bytes, at: int) -> tuple[int, int]:
    offset, at = _varint(raw, at)
    return offset, _varint(raw, at)[0]


def _block(raw: bytes, offset: int, size: int) -> bytes:
    content, kind = raw[offset : offset + size], raw[offset + size]
    if kind not in (0, _SNAPPY) or offset + size + _TRAILER > len(raw):
        raise ValueError(f"block of kind {kind}")
    return _unsnap(content) if kind == _SNAPPY else content


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    (restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    end, at, key = len(block) - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        size, at = _varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + size]
        at += size


def _unsnap(raw: bytes) -> bytes:
    """Snappy's format_description.txt."""
    length, at = _varint(raw, 0)
    out = bytearray()
    while at < len(raw):
        tag = raw[at]
        at += 1
        if tag & 3 == 0:
            size = tag >> 2
            if size >= 60:
                more = size - 59
                size = int.from_bytes(raw[at : at + more], "little")
                at += more
            out += raw[at : at + size + 1]
            at += size + 1
            continue
        size, offset, at = _copy(raw, tag, at)
        if not 0 < offset <= len(out):
            raise ValueError("copy from nowhere")
        for _ in range(size):  # the copy may reach into itself
            out.append(out[-offset])
    if len(out) != length:
        raise ValueError("wrong length")
    return bytes(out)


def _copy(raw: bytes, tag: int, at: int) -> tuple[int, int, int]:
    if tag & 3 == 1:
        return (tag >> 2 & 7) + 4, (tag >> 5) << 8 | raw[at], at + 1
    width = 2 if tag & 3 == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(raw[at : at + width], "little"), at + width


def _string(raw: bytes, at: int) -> tuple[bytes, int]:
    size, at = _varint(raw, at)
    if at + size > len(raw):
        raise ValueError("cut short")
    return raw[at : at + size], at + size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
