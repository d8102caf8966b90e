"""PURE: where Prometheus finds the bots (http_sd). Every bot that should run, so that a dead one shows `up == 0`."""

from __future__ import annotations

from typing import Any

from bot.contract import CONTAINER_HTTP_PORT
from manager.fleet import Fleet
from manager.spec import container_name, hostname

_LONGEST_LABEL = 63  # of a name in DNS, RFC 1035


def groups(fleet: Fleet) -> list[dict[str, Any]]:
    """One group a bot: reached under its container's name on the bots' network; under its host name (its alias
    there) where that name is too long to be asked for."""
    return [_group(fleet.project, bot.client_id, bot.memory) for bot in fleet.enabled]


def _group(project: str, client_id: str, memory: int) -> dict[str, Any]:
    container = container_name(project, client_id)
    host = container if len(container) <= _LONGEST_LABEL else hostname(client_id)
    return {
        "targets": [f"{host}:{CONTAINER_HTTP_PORT}"],
        "labels": {
            "client_id": client_id,
            "project": project,
            "__meta_oturum_container": container,
            "__meta_oturum_memory_limit_bytes": str(memory),
        },
    }
