"""PURE: what the engine's answers say about the containers and volumes of one project.

The answers are those of the Engine API's list calls (`GET /containers/json?all=1`, `/volumes`, `/networks`),
1.41 and later. They tell neither memory limits nor environment: drift is seen by the spec hash in a label.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.contract import (
    LABEL_CLIENT_ID,
    LABEL_IMAGE_ID,
    LABEL_PROJECT,
    LABEL_SPEC,
    LABEL_SPEC_HASH,
    SESSION_MOUNT,
)
from manager.spec import network_name

Json = Mapping[str, Any]


# Where a container of ours that only looks into a volume has it.
LOOK_MOUNT = "/look"


class ContainerState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"

    @property
    def may_write(self) -> bool:
        """The bot in it runs, or the engine may let it go on at any moment."""
        return self in (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)


# Other engines that speak this API (Podman) have further words.
_OTHER_WORDS = {
    "configured": ContainerState.CREATED,
    "initialized": ContainerState.CREATED,
    "stopped": ContainerState.EXITED,
}


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container that carries our labels (whatever its name).

    `settings`: what the manager that made it wrote down for people (label `io.oturum.spec`); empty when
    unreadable. `network_id`: of the fleet's network, as the container knows it. `detached`: somebody took it off that
    network. `created`: epoch seconds.
    """

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
    settings: Mapping[str, str] = field(default_factory=dict)
    network_id: str | None = None
    detached: bool = False
    created: int = 0


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
    `half_made_volumes`: of those, the ones an engine may have left that died while it made them for us.
    `volume_users`: volumes we would use -> the name of a foreign container that runs on it now and may write to it.
    `network_id`: None while unknown; then a container's own idea of it is not questioned.
    `neighbours`: other projects of Oturum on this engine -> the clientIds of their bots that run.
    """

    project: str = ""
    containers: tuple[ObservedContainer, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    network_exists: bool = False
    foreign_names: frozenset[str] = frozenset()
    foreign_volumes: frozenset[str] = frozenset()
    half_made_volumes: frozenset[str] = frozenset()
    volume_users: Mapping[str, str] = field(default_factory=dict)
    network_id: str | None = None
    neighbours: Mapping[str, frozenset[str]] = field(default_factory=dict)


def from_engine(  # noqa: PLR0913, PLR0917  three answers, and what is looked for in them
    project: str,
    containers: Iterable[Json],
    volumes: Iterable[Json],
    networks: Iterable[Json] | None,
    names: Collection[str],
    volume_names: Collection[str],
) -> Observed:
    """The raw lists of ALL containers and volumes -> this project's side of them.

    `networks` None: a running container of ours proves that the network exists. `names`, `volume_names`: what
    the fleet would use; each that is there and not ours is reported as foreign.
    """
    network = network_name(project)
    ours: list[ObservedContainer] = []
    foreign_names: set[str] = set()
    users: dict[str, str] = {}
    neighbours: dict[str, frozenset[str]] = {}
    held: set[str] = set()
    for raw in containers:
        labels = raw.get("Labels") or {}
        held.update(_held(raw))
        if labels.get(LABEL_PROJECT) == project and labels.get(LABEL_CLIENT_ID):
            ours.append(_container(raw, labels, network))
            continue
        foreign_names.update(name for name in _names(raw) if name in names)
        if _state(raw).may_write:
            if (other := labels.get(LABEL_PROJECT)) and (client_id := labels.get(LABEL_CLIENT_ID)):
                neighbours[other] = neighbours.get(other, frozenset()) | {client_id}
            for mount in raw.get("Mounts") or ():
                if mount.get("Name") in volume_names and mount.get("RW") is not False:
                    users[mount["Name"]] = next(iter(_names(raw)), str(raw["Id"])[:12])
    mine: list[ObservedVolume] = []
    foreign_volumes: set[str] = set()
    half_made_volumes: set[str] = set()
    for raw in volumes:
        labels = raw.get("Labels") or {}
        if labels.get(LABEL_PROJECT) == project and labels.get(LABEL_CLIENT_ID):
            mine.append(ObservedVolume(raw["Name"], project, labels[LABEL_CLIENT_ID]))
        elif raw["Name"] in volume_names:
            foreign_volumes.add(raw["Name"])
            if half_made(raw) and raw["Name"] not in held:
                half_made_volumes.add(raw["Name"])
    return Observed(
        project=project,
        containers=tuple(ours),
        volumes=tuple(mine),
        network_exists=networks is None or any(each.get("Name") == network for each in networks),
        foreign_names=frozenset(foreign_names),
        foreign_volumes=frozenset(foreign_volumes),
        half_made_volumes=frozenset(half_made_volumes),
        volume_users=users,
        network_id=_network_id(network, networks, ours),
        neighbours=neighbours,
    )


def half_made(volume: Json) -> bool:
    """As an engine leaves a volume that it was making when it died: the folder there, nothing written down.

    A volume somebody has made has an empty list of labels or of options; here there is no list at all. It may
    be ours, and by this alone it isn't: `Engine.create_volume` looks whether there is anything in it.
    """
    return volume.get("Labels") is None and not volume.get("Options") and volume.get("Driver") == "local"


def _held(container: Json) -> Iterator[str]:
    """The volumes a container has, unless it is a mere look."""
    for mount in container.get("Mounts") or ():
        if mount.get("Name") and mount.get("Destination") != LOOK_MOUNT:
            yield mount["Name"]


def _container(raw: Json, labels: Mapping[str, str], network: str) -> ObservedContainer:
    status = str(raw.get("Status") or "")
    exited = re.match(r"(?:Exited|Restarting) \((-?\d+)\)", status)
    health = re.search(r"\((?:health: )?(starting|healthy|unhealthy)\)", status)
    attached = (raw.get("NetworkSettings") or {}).get("Networks")
    return ObservedContainer(
        id=str(raw["Id"]),
        name=next(iter(_names(raw)), ""),
        client_id=labels[LABEL_CLIENT_ID],
        state=_state(raw),
        spec_hash=labels.get(LABEL_SPEC_HASH, ""),
        image_id=labels.get(LABEL_IMAGE_ID) or str(raw.get("ImageID") or ""),
        volume=_session_volume(raw),
        health=health.group(1) if health else None,
        exit_code=int(exited.group(1)) if exited else None,
        settings=_settings(labels.get(LABEL_SPEC, "")),
        network_id=((attached or {}).get(network) or {}).get("NetworkID") or None,
        detached=attached is not None and network not in attached,
        created=int(raw.get("Created") or 0),
    )


def _names(raw: Json) -> list[str]:
    """`/name`; with the legacy links also `/other/alias`, which is no name of this container."""
    return [name[1:] for name in raw.get("Names") or () if name.count("/") == 1]


def _state(raw: Json) -> ContainerState:
    """An unknown word counts as running: whoever might write to a volume is stopped before another starts."""
    word = str(raw.get("State") or "").lower()
    try:
        return _OTHER_WORDS.get(word) or ContainerState(word)
    except ValueError:
        return ContainerState.RUNNING


def _session_volume(raw: Json) -> str | None:
    for mount in raw.get("Mounts") or ():
        if mount.get("Destination") == SESSION_MOUNT:
            return mount.get("Name") or None
    return None


def _settings(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _network_id(
    network: str, networks: Iterable[Json] | None, containers: Iterable[ObservedContainer]
) -> str | None:
    """From the engine's list; else from a running container, whose network cannot have been removed."""
    for each in networks or ():
        if each.get("Name") == network:
            return each.get("Id") or None
    for container in containers:
        if container.state is ContainerState.RUNNING and container.network_id:
            return container.network_id
    return None
