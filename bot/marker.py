"""What the volume remembers of its session: our own word, because the browser's files can't be asked.

LevelDB's files on disk reach it late, stay after a logout and are compressed; so whether a session is there, and how it
ended, is written beside them. No secret stands in it: the phone number is masked, of the keys only a SHA-256.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot import durable
from bot.contract import Verdict


class Stage(StrEnum):
    EMPTY = "empty"
    PAIRED = "paired"
    READY = "ready"
    LOGGED_OUT = "logged_out"


class Unreadable(Exception):
    """There is a marker, and it is not one of ours any more."""


@dataclass(frozen=True, slots=True)
class Marker:
    """`dead_keys`: fingerprint of the session keys that a logout ended. `pending_*`: a step that must be finished.

    `in_doubt`: a page asked for a scan since the session was READY last: its profile is no copy's model.

    `pending_aside` is the reason of a setting-aside that has begun; `pending_restore` the number of a generation that
    lies complete in `profile.restoring`. `pending_erase`: a logout of our own is wanted; once the stage is LOGGED_OUT
    nothing of the session may stay.
    """

    stage: Stage = Stage.EMPTY
    paired_at: datetime | None = None
    phone_masked: str | None = None
    last_ready_at: datetime | None = None
    browser_version: str | None = None
    logged_out_at: datetime | None = None
    logout_reason: str | None = None
    verdict: Verdict | None = None
    evidence: tuple[str, ...] = ()
    dead_keys: str | None = None
    pending_aside: str | None = None
    pending_restore: int | None = None
    pending_erase: bool | None = None
    in_doubt: bool | None = None


_TIMES = ("paired_at", "last_ready_at", "logged_out_at")


def load(path: Path) -> Marker | None:
    """None when there is none. Raises Unreadable."""
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    try:
        known = {each.name for each in fields(Marker)}
        values: dict[str, Any] = {key: value for key, value in raw.items() if key in known}
        values["stage"] = Stage(values["stage"])
        if "verdict" in values:
            values["verdict"] = Verdict(values["verdict"])
        values["evidence"] = tuple(str(line) for line in values.get("evidence", ()))
        for name in _TIMES:
            if values.get(name) is not None:
                values[name] = datetime.fromisoformat(values[name])
        return Marker(**values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(str(error)) from error


def store(path: Path, marker: Marker) -> None:
    """Durable before it returns. Raises OSError."""
    values = {name: value for name, value in asdict(marker).items() if value is not None}
    durable.write_file(path, json.dumps(values, default=lambda when: when.isoformat()).encode())
