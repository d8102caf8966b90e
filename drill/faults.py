"""PURE: what can befall a bot, what a machine needs to do it, and which subject it can be done to."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Values are what `--faults` takes."""

    KILL_BROWSER = "kill-browser"
    KILL_RENDERER = "kill-renderer"
    KILL_BOT = "kill-bot"
    KILL_ALL = "kill-all"
    STOP = "stop"
    CUT = "cut"
    UNPLUG = "unplug"
    FREEZE = "freeze"
    PAUSE = "pause"
    DNS = "dns"
    REFUSED = "refused"
    OFFLINE_START = "offline-start"
    DISK_FULL = "disk-full"
    OUT_OF_MEMORY = "oom"
    LOGOUT_UP = "logout-up"
    LOGOUT_DOWN = "logout-down"
    LATE_SCAN = "late-scan"
    EARLY_KILL = "early-kill"
    DAMAGE = "damage"
    RECREATE = "recreate"
    ENGINE_RESTART = "engine-restart"
    POWER_CUT = "power-cut"


class Need(StrEnum):
    """What a fault asks of the machine or of the subject; also the key of the sentence that says it is missing."""

    ROOT = "root"
    NAMESPACES = "namespaces"
    LOOP = "loop"
    CGROUP = "cgroup"
    FILES = "files"
    RELAY = "relay"
    CONTAINER = "container"
    ENGINE_OF_ITS_OWN = "engine_of_its_own"


NEEDS: dict[Fault, frozenset[Need]] = {
    Fault.REFUSED: frozenset({Need.RELAY}),
    Fault.UNPLUG: frozenset({Need.CONTAINER}),
    Fault.DNS: frozenset({Need.NAMESPACES}),
    Fault.RECREATE: frozenset({Need.NAMESPACES}),
    Fault.DISK_FULL: frozenset({Need.LOOP}),
    Fault.POWER_CUT: frozenset({Need.LOOP}),
    Fault.OUT_OF_MEMORY: frozenset({Need.CGROUP}),
    Fault.DAMAGE: frozenset({Need.FILES}),
    Fault.ENGINE_RESTART: frozenset({Need.ENGINE_OF_ITS_OWN}),
}

# These befall every subject of a campaign at once.
ALONE = frozenset({Fault.ENGINE_RESTART})


def needs(fault: Fault) -> frozenset[Need]:
    return NEEDS.get(fault, frozenset())


def possible(
    wanted: tuple[Fault, ...], given: frozenset[Need]
) -> tuple[tuple[Fault, ...], dict[Fault, Need]]:
    """Those of `wanted` that can be done where `given` is there; and of the others the first need that is not met."""
    missing = {
        fault: min(needs(fault) - given, key=list(Need).index) for fault in wanted if needs(fault) - given
    }
    return tuple(fault for fault in wanted if fault not in missing), missing
