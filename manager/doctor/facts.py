"""PURE: what was seen of the engine's machine, and how a probe's lines are read into it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

USERNS_CLONE = "kernel.unprivileged_userns_clone"
USERNS_MAX = "user.max_user_namespaces"
USERNS_APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"
SYSCTLS = (USERNS_CLONE, USERNS_MAX, USERNS_APPARMOR)


@dataclass(frozen=True, slots=True)
class VolumeLook:
    """`uid`: owner of the volume's top folder. `stranger`: the first entry below it that belongs to another
    uid (`stranger_uid`) than the bot's, as a path inside the volume; None when there is none."""

    uid: int
    empty: bool
    stranger: str | None = None
    stranger_uid: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """`sysctls`: a kernel that lacks one, or does not show it, has no entry. `free`: bytes that an ordinary
    process may still write where the engine keeps its data. `volumes`: by name, those that were looked into."""

    sysctls: Mapping[str, int] = field(default_factory=dict)
    free: int | None = None
    volumes: Mapping[str, VolumeLook] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The browser's sandbox, tried as a bot would build it. `detail`: what was said when it failed."""

    works: bool
    detail: str = ""


def read_look(lines: Sequence[str], volumes: Sequence[str]) -> Look:
    """The lines of `look.SCRIPT`; `volumes` were mounted in this order. Lines of another form are nothing."""
    sysctls: dict[str, int] = {}
    found: dict[str, VolumeLook] = {}
    free = None
    for line in lines:
        if match := re.fullmatch(r"sysctl (\S+) (\d+)", line):
            sysctls[match[1].replace("/", ".")] = int(match[2])
        elif match := re.fullmatch(r"free (\d+) (\d+)", line):
            free = int(match[1]) * int(match[2])
        elif match := re.fullmatch(r"volume (\d+) (\d+) (\d+)(?: (\d*) (.*))?\s*", line):
            at, uid, entries, stranger_uid, path = match.groups()
            if int(at) < len(volumes):
                # Without an owner it vanished while it was looked at: the bot at work.
                stranger = path.removeprefix(f"/sessions/{at}/") if stranger_uid else None
                found[volumes[int(at)]] = VolumeLook(
                    int(uid), entries == "0", stranger, int(stranger_uid) if stranger_uid else None
                )
    return Look(sysctls, free, found)
