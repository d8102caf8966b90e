"""What a volume says of its session, made of the marker's word and the mirror."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bot import marker, mirror
from bot.marker import Marker, Stage
from bot.verdict import Ruling


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """`present`: there is a session that no logout has ended. `ended`: why the last one ended, while there is none.

    `ruling`: who caused that. `stage`: the marker's word. `unlinking`: a logout of our own was asked for, and nobody
    has seen yet what came of it.
    """

    present: bool
    paired_at: datetime | None = None
    phone_masked: str | None = None
    browser_version: str | None = None
    last_ready_at: datetime | None = None
    ended: str | None = None
    ruling: Ruling | None = None
    stage: str | None = None
    unlinking: bool = False


def guess(profile: Path) -> Marker:
    """Without a readable word of ours a profile counts as a session: a QR too late beats a session thrown away."""
    return Marker(Stage.PAIRED) if (profile / "Default").is_dir() else Marker()


def living(entries: dict[str, str] | None, known: Marker) -> dict[str, str] | None:
    if entries is None or mirror.keys_fingerprint(entries) == known.dead_keys:
        return None
    return entries


def info(known: Marker, living: dict[str, str] | None) -> SessionInfo:
    if known.stage not in (Stage.PAIRED, Stage.READY) and living is None:
        ruling = Ruling(known.verdict, known.evidence) if known.verdict else None
        return SessionInfo(
            False,
            browser_version=known.browser_version,
            ended=known.logout_reason,
            ruling=ruling,
            stage=known.stage,
        )
    return SessionInfo(
        True,
        known.paired_at,
        known.phone_masked,
        known.browser_version,
        known.last_ready_at,
        stage=known.stage,
        unlinking=bool(known.pending_erase),
    )


def peek(folder: Path) -> SessionInfo:
    """What a volume says without its lock, be it in use or not; nothing is changed. Raises OSError."""
    try:
        known = marker.load(folder / "marker.json") or guess(folder / "profile")
    except marker.Unreadable:
        known = guess(folder / "profile")
    try:
        entries = mirror.load(folder / "mirror.json")
    except mirror.Unreadable:
        entries = None
    return info(known, living(entries, known))
