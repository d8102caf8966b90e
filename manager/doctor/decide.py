"""PURE: the doctor's decisions. Plain values in, a Verdict out; sizes in bytes, times in epoch seconds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from bot.contract import BOT_UID
from manager.doctor.facts import (
    USERNS_APPARMOR,
    USERNS_CLONE,
    USERNS_MAX,
    Attempt,
    VolumeLook,
)
from manager.doctor.finding import Level, Verdict
from manager.fleet import BROWSER_MEMORY

LEAST_API = "1.41"
MIB = 1024**2
# Both images with every layer that building them leaves behind are 1.0 GB (`docker system df` after a first
# build on engine 20.10); half as much again for packages on their way.
IMAGE_BYTES = 1536 * MIB
SESSION_BYTES = 300 * MIB
# What a bot really takes in a fleet of ten (PSS, sum/N); its limit is the most it may take.
TYPICAL_MEMORY = 215 * MIB
_MEMORY_STEP = 32 * MIB
# Namespaces of all bots count together: the kernel keeps the number per user id, and all have the same.
NAMESPACES_PER_BOT = 10
_USUAL_NAMESPACES = 15_000
CLOCK_SECONDS = 5.0
LOG_DRIVER = "json-file"
_MOST_NAMED = 5


def size(count: int) -> str:
    """For people: without decimals, whose comma or point would differ between languages."""
    return f"{count // 1024**3} GiB" if count >= 10 * 1024**3 else f"{count // MIB} MiB"


def named(clients: Sequence[str]) -> str:
    return ", ".join(clients[:_MOST_NAMED]) + (", …" if len(clients) > _MOST_NAMED else "")


def permission(path: str, user: str, group: str | None, *, member: bool) -> Verdict:
    """The socket may not be opened. `group`: whose it is, None when unknown. `member`: the user is in it
    according to the system's books, so that only this login does not know it yet."""
    values: dict[str, object] = {
        "path": path,
        "user": user,
        "group": group or "root",
        "login": shlex.quote(user),
    }
    if group in (None, "root"):
        return Verdict("engine", "error", "permission_no_group", values)
    return Verdict("engine", "error", "permission_login" if member else "permission", values)


def api(version: str) -> Verdict:
    """The engine's highest API version, as `1.41`."""
    values = {"version": version or "?", "least": LEAST_API}
    old = _numbers(version) < _numbers(LEAST_API)
    return Verdict("api", "error" if old else "ok", "api_old" if old else "api", values)


def most_api(refusal: str) -> str:
    """The highest version that an engine names when it refuses ours as too new; empty when it names none.

    Words of moby's api/server/middleware/version.go: "client version 1.41 is too new. Maximum supported API
    version is 1.40".
    """
    found = re.search(r"maximum supported API version is ([0-9]+\.[0-9]+)", refusal, re.IGNORECASE)
    return found[1] if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def image(tag: str, *, given: bool, exists: bool, behind: Sequence[str]) -> Verdict:
    """`given`: bots.yaml names the image. `behind`: bots that run on another image than this one."""
    if not exists:
        # Ours is built by the next `up`; somebody's own must be brought.
        level: Level = "error" if given else "warning"
        return Verdict("image", level, "image_given_missing" if given else "image_missing", {"image": tag})
    if behind:
        values = {"image": tag, "count": len(behind), "clients": named(behind)}
        return Verdict("image", "warning", "image_behind", values)
    return Verdict("image", "ok", "image_given" if given else "image", {"image": tag})


def disk(free: int | None, *, image_missing: bool, bots: int, new: int) -> Verdict:
    """`bots`: those that are enabled; `new`: those among them that have no volume yet."""
    if free is None:
        return Verdict("disk", "warning", "disk_unknown")
    image_bytes = IMAGE_BYTES if image_missing else 0
    now, all_of_it = image_bytes + new * SESSION_BYTES, image_bytes + bots * SESSION_BYTES
    values = {"free": size(free), "needed": size(all_of_it), "bots": bots}
    if free < max(now, min(bots, 1) * SESSION_BYTES):
        return Verdict("disk", "error", "disk_short", values, fix="disk")
    if free < all_of_it:
        return Verdict("disk", "warning", "disk_tight", values, fix="disk")
    return Verdict("disk", "ok", "disk", values)


def memory(total: int, limits: Mapping[str, int]) -> Verdict:
    """`limits`: memory limit of each enabled bot, in the order of bots.yaml."""
    promised, count = sum(limits.values()), len(limits)
    values: dict[str, object] = {"total": size(total), "promised": size(promised), "bots": count}
    typical = {client: min(limit, TYPICAL_MEMORY) for client, limit in limits.items()}
    needed = sum(typical.values())
    if needed > total:
        values |= {"needed": size(needed), "pause": _pause(total, typical)}
        return Verdict("memory", "error", "memory_short", values)
    if promised > total:
        each = max(total // count // _MEMORY_STEP, 1) * _MEMORY_STEP
        values |= {"each": f"{each // MIB}m", "pause": _pause(total, limits)}
        return Verdict("memory", "warning", "memory_tight", values)
    return Verdict("memory", "ok", "memory", values)


def cramped(clients: Sequence[str]) -> Iterator[Verdict]:
    """`clients`: those whose limit is below what a browser needs."""
    if clients:
        values = {"clients": ", ".join(clients), "needed": f"{BROWSER_MEMORY // MIB}m"}
        yield Verdict("memory", "warning", "memory_cramped", values)


def _pause(total: int, takes: Mapping[str, int]) -> str:
    """Commands that switch off bots, the last of the file first, until the others fit."""
    left, off = dict(takes), []
    while sum(left.values()) > total:
        client, _ = left.popitem()
        off.append(f"python -m manager pause {client}")
    shown = off[:_MOST_NAMED] + (["…"] if len(off) > _MOST_NAMED else [])
    return " && ".join([*shown, "python -m manager up"])


def volumes(
    owners: Mapping[str, str], seen: Mapping[str, VolumeLook] | None, image_reference: str
) -> Iterator[Verdict]:
    """`owners`: volume -> clientId, those that are there. `seen` None: there was no way to look into them.

    An empty volume may belong to anybody: the engine gives it the owner of the image's folder when a
    container is first made on it.
    """
    if not owners:
        yield Verdict("volumes", "ok", "volumes_none")
        return
    if seen is None:
        yield Verdict("volumes", "warning", "volumes_unseen", {"count": len(owners)})
        return
    all_well = True
    for volume, client in owners.items():
        look = seen.get(volume)
        values = {"volume": volume, "client": client, "uid": BOT_UID, "image": image_reference}
        if look is None:
            all_well = False
            yield Verdict("volumes", "warning", "volume_unseen", values)
        elif look.uid != BOT_UID and not look.empty:
            all_well = False
            yield Verdict("volumes", "error", "volume_owner", {**values, "found": look.uid}, fix="volume")
        elif look.stranger is not None:
            all_well = False
            values |= {"found": look.stranger_uid, "path": look.stranger}
            yield Verdict("volumes", "error", "volume_stranger", values, fix="volume")
    if all_well:
        yield Verdict("volumes", "ok", "volumes", {"count": len(owners), "uid": BOT_UID})


def namespaces(sysctls: Mapping[str, int], attempt: Attempt | None, *, bots: int, wanted: bool) -> Verdict:
    """User namespaces for the browser's sandbox. `attempt` None: there was no image to try it in.
    `wanted`: a bot is to run with the sandbox (without bots: one surely will).

    The switches: user_namespaces(7) for max_user_namespaces; unprivileged_userns_clone is Debian's (and others')
    addition to the kernel, apparmor_restrict_unprivileged_userns Ubuntu's, since 23.10. Whether the latter
    reaches into a container hangs on the engine's AppArmor profile, so that only trying tells.
    """
    most = sysctls.get(USERNS_MAX)
    needed = max(_USUAL_NAMESPACES, bots * NAMESPACES_PER_BOT)
    values = {"most": most, "needed": needed, "detail": attempt.detail if attempt else "-"}
    level: Level = "error" if wanted else "warning"
    if attempt is not None and attempt.works:
        if most is not None and most < bots * NAMESPACES_PER_BOT:
            return Verdict("namespaces", "warning", "namespaces_few", values, fix="namespaces_max")
        return Verdict("namespaces", "ok", "namespaces")
    if barrier := _barrier(sysctls, attempt):
        return Verdict("namespaces", level, barrier, values)
    if sysctls.get(USERNS_APPARMOR) == 1:
        return Verdict("namespaces", "warning", "namespaces_perhaps", fix="untried")
    if most is None:
        return Verdict("namespaces", "warning", "namespaces_unknown", fix="untried")
    return Verdict("namespaces", "ok", "namespaces_untried")


def _barrier(sysctls: Mapping[str, int], attempt: Attempt | None) -> str:
    """What forbids the sandbox, as the key of its text; empty while nothing is known to."""
    if sysctls.get(USERNS_CLONE) == 0:
        return "namespaces_clone"
    # ENOSPC is how the kernel says that the number is used up.
    if sysctls.get(USERNS_MAX) == 0 or (attempt is not None and "No space left" in attempt.detail):
        return "namespaces_max"
    if attempt is None:
        return ""
    return "namespaces_apparmor" if sysctls.get(USERNS_APPARMOR) == 1 else "namespaces_refused"


def limits(*, memory_limit: bool, swap_limit: bool, pids_limit: bool, rootless: bool) -> Verdict:
    """What the engine can hold a container to. It drops a limit that the kernel does not offer, and warns only
    in the answer to the create request (moby, daemon/daemon_unix.go, verifyPlatformContainerResources)."""
    fix = "limits_rootless" if rootless else "limits"
    if not memory_limit:
        return Verdict("limits", "warning", "limits_memory", fix=fix)
    if not swap_limit:
        return Verdict("limits", "warning", "limits_swap", fix=fix)
    if not pids_limit:
        return Verdict("limits", "warning", "limits_pids", fix=fix)
    return Verdict("limits", "ok", "limits")


def clock(engine_time: str, before: float, after: float) -> Verdict:
    """`engine_time` (RFC 3339) was told at some moment between `before` and `after` of this machine."""
    try:
        told = datetime.fromisoformat(engine_time).timestamp()
    except ValueError:
        return Verdict("clock", "warning", "clock_unknown", fix="clock")
    if before - CLOCK_SECONDS <= told <= after + CLOCK_SECONDS:
        return Verdict("clock", "ok", "clock")
    ahead = told > after
    seconds = round(told - after if ahead else before - told)
    return Verdict(
        "clock", "warning", "clock_ahead" if ahead else "clock_behind", {"seconds": seconds}, fix="clock"
    )


def logs(default: str, drivers: Collection[str]) -> Verdict:
    """The bots ask for json-file themselves, with rotation; the engine's default counts for others only.

    An engine that lists no drivers at all is believed to have it: each of Docker's own does.
    """
    values = {"default": default or "?", "driver": LOG_DRIVER}
    if drivers and LOG_DRIVER not in drivers:
        return Verdict("logs", "warning", "logs_other", values)
    return Verdict("logs", "ok", "logs", values)
