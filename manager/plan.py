"""PURE: desired specs + what is observed -> the least that must be done, in order, each step with its cause."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from manager.spec import ContainerSpec


class ActionKind(StrEnum):
    """There is no kind that removes a volume: no plan can ever contain one."""

    CREATE_NETWORK = "create-network"
    CREATE_VOLUME = "create-volume"
    CREATE = "create"
    START = "start"
    STOP = "stop"
    REMOVE = "remove"
    RENAME = "rename"


@dataclass(frozen=True, slots=True)
class Action:
    """One step. `cause` is shown to people: `memory 512m -> 1g`. Steps of one client run in order; clients in parallel."""

    kind: ActionKind
    client_id: str | None
    target: str
    cause: str
    spec: ContainerSpec | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`shared` first (network), then every lane in parallel; inside a lane strictly one after another."""

    shared: tuple[Action, ...] = ()
    lanes: tuple[tuple[Action, ...], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.shared and not any(self.lanes)
