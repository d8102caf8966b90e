"""The open QR episode on the volume, so that a restart in the middle of it is not counted as a second.

An episode still open when the bot starts is the same episode. Its counter starts at the value it had, so
a scraper that saw 1 before the restart sees 1 after it and no increase; its codes go on counting.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.contract import QrCause


@dataclass(frozen=True, slots=True)
class Episode:
    """`requests`: value of the cause's counter while it is open. `codes`: codes shown so far."""

    cause: QrCause
    requests: int
    codes: int


def load(file: Path) -> Episode | None:
    """None when there is none, or when what is there can't be read: then the next QR is a new episode."""
    try:
        raw = json.loads(file.read_text())
        return Episode(QrCause(raw["cause"]), max(1, int(raw["requests"])), max(0, int(raw["codes"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def store(file: Path, episode: Episode | None) -> None:
    """Best effort: losing it costs one surplus count, so a full disk is no reason to stop."""
    with suppress(OSError):
        if episode is None:
            file.unlink(missing_ok=True)
            return
        fresh = file.with_suffix(".tmp")
        fresh.write_text(json.dumps(asdict(episode)))
        fresh.replace(file)
