"""Short-lived containers on session volumes: what they are known by, and what killed managers left of them."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from bot.contract import LABEL_TOOL

LABEL_MAKER = "io.oturum.tool-maker"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Sweeps(Protocol):
    def sweep(self, label: str, dead_maker: str | None = None) -> None: ...


def labels(project: str) -> Mapping[str, str]:
    return {LABEL_TOOL: project, LABEL_MAKER: _maker()}


def sweep(engine: Sweeps, project: str, *, alone: bool) -> None:
    """Removes what an interrupted command left: containers, never volumes.

    `alone`: the caller has the project's turn. Then one that was made here and never started is fed by nobody.
    """
    engine.sweep(f"{LABEL_TOOL}={project}", f"{LABEL_MAKER}={_maker()}" if alone else None)


def _maker() -> str:
    """Equal for managers that wait for each other's turn: of one user, on one machine since its last start."""
    boot = ""
    with suppress(OSError):
        boot = _BOOT.read_text()
    return hashlib.sha256(f"{os.getuid()} {socket.gethostname()} {boot}".encode()).hexdigest()[:12]
