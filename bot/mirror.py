"""The mirror: localStorage's session on the volume, because the browser's own copy reaches the disk late.

Chromium commits localStorage up to a minute after a write; a kill in between loses a fresh pairing. The page hands us
every change while both session keys are there, and we put it on disk at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from bot import durable

SESSION_KEYS = ("last-wid-md", "WANoiseInfo")


class Unreadable(Exception):
    """There is a mirror, and it is damaged."""


def is_session(entries: Mapping[str, str]) -> bool:
    """WhatsApp's own test of "registered"."""
    return all(entries.get(key) for key in SESSION_KEYS)


def keys_fingerprint(entries: Mapping[str, str]) -> str:
    """Tells one pairing from another, and nothing else."""
    text = json.dumps([entries.get(key) for key in SESSION_KEYS])
    return hashlib.sha256(text.encode()).hexdigest()


def encode(entries: Mapping[str, str]) -> bytes:
    text = json.dumps(dict(entries), sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return json.dumps({"sha256": digest, "entries": text}).encode()


def decode(raw: bytes) -> dict[str, str]:
    """Raises Unreadable."""
    try:
        outer = json.loads(raw)
        text = outer["entries"]
        if hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() != outer["sha256"]:
            raise Unreadable("its checksum is another")
        entries = {str(key): str(value) for key, value in json.loads(text).items()}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    if not is_session(entries):
        raise Unreadable("it holds no session")
    return entries


def load(path: Path) -> dict[str, str] | None:
    """None when there is none. Raises Unreadable, OSError."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    return decode(raw)


def store(path: Path, entries: Mapping[str, str]) -> None:
    """Durable before it returns. Raises OSError."""
    durable.write_file(path, encode(entries))
