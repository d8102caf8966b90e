"""PURE: what the engine's answers say about the containers and volumes of one project."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container that carries our labels (whatever its name)."""

    id: str
    name: str
    client_id: str
    state: ContainerState
    spec_hash: str
    image_id: str
    volume: str | None
    health: str | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    restart_count: int = 0
    started_at: str | None = None


@dataclass(frozen=True, slots=True)
class ObservedVolume:
    name: str
    project: str | None
    client_id: str | None


@dataclass(frozen=True, slots=True)
class Observed:
    """The engine's side of one project, from one list call each (containers, volumes, networks).

    `foreign_names`: container names we would use that belong to somebody else's containers.
    `foreign_volumes`: volume names we would use that carry another project's label, or none.
    """

    containers: tuple[ObservedContainer, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    network_exists: bool = False
    foreign_names: frozenset[str] = frozenset()
    foreign_volumes: frozenset[str] = frozenset()
