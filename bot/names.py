"""Names that `bot ctl` shares with the bot. Standard library only: an exec'ed command must start fast."""

from __future__ import annotations

import tempfile
from enum import IntEnum
from pathlib import Path

SETTINGS_VARIABLE = "BOT_SETTINGS"
CONTAINER_SOCKET = "/tmp/oturum.sock"  # noqa: S108  the container's own tmpfs


class BotExit(IntEnum):
    """Exit codes of `python -m bot` and of `python -m bot ctl`."""

    OK = 0
    FAILED = 1
    BAD_SETTINGS = 2
    NO_QR = 3
    NOT_RUNNING = 4
    REFUSED = 5
    SESSION_UNUSABLE = 10
    SESSION_IN_USE = 11
    BROWSER_UNUSABLE = 12
    PORT_IN_USE = 13


def default_socket(client_id: str) -> str:
    """Where a bot's control socket is when its settings name none."""
    return str(Path(tempfile.gettempdir()) / f"oturum-{client_id}.sock")
