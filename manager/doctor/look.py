"""How the doctor sees the engine's machine: through a container of the bot image, else from here."""

from __future__ import annotations

import grp
import os
import platform
import pwd
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.contract import BOT_UID, LABEL_CLIENT_ID, LABEL_PROJECT
from manager.confinement import one_shot_body
from manager.doctor import decide
from manager.doctor.facts import SYSCTLS, Attempt, Look, read_look
from manager.doctor.finding import Verdict
from manager.engine import Engine
from manager.observed import ObservedVolume

_SECONDS = 60
_MEMORY = 64 * 1024 * 1024

# Answers in lines that `facts.read_look` reads. /proc/sys/kernel is the machine's own in every container, and so
# is /proc/sys/user as long as the engine gives containers no user namespace of their own.
SCRIPT = f"""
for key in {" ".join(name.replace(".", "/") for name in SYSCTLS)}; do
  echo "sysctl $key $(cat "/proc/sys/$key" 2>/dev/null)"
done
echo "free $(stat -f -c '%a %S' /)"
for folder in /sessions/*; do
  [ -d "$folder" ] || continue
  stranger=$(find "$folder" -mindepth 1 ! -user {BOT_UID} -print -quit 2>/dev/null)
  echo "volume ${{folder##*/}} $(stat -c %u "$folder")" \\
    "$(find "$folder" -mindepth 1 -print -quit 2>/dev/null | grep -c .)" \\
    "${{stranger:+$(stat -c %u "$stranger" 2>/dev/null)}} $stranger"
done
"""
# The steps of Chromium's setuid-less sandbox that hosts forbid: a user namespace, an identity in it, and with
# that a chroot (sandbox/linux/services/credentials.cc).
_SANDBOX = ("unshare", "--user", "--map-root-user", "chroot", "/", "true")


def through_container(engine: Engine, image_id: str, volumes: Sequence[ObservedVolume]) -> Look:
    """Sees what the engine's kernel and disk are like, and who owns what on the volumes; changes nothing.

    Root without any right but to read what others own, on volumes mounted read-only, without a network.
    Raises EngineError.
    """
    body = one_shot_body(image_id, ["sh", "-c", SCRIPT], _MEMORY)
    body["User"] = "0:0"
    body["HostConfig"] |= {
        "CapAdd": ["DAC_READ_SEARCH"],
        "Mounts": [_mount(at, volume) for at, volume in enumerate(volumes)],
    }
    answer = engine.run(body, _SECONDS)
    return read_look(answer.stdout.splitlines(), [volume.name for volume in volumes])


def try_sandbox(engine: Engine, image_id: str) -> Attempt:
    """Confined exactly as a bot is. Raises EngineError when not even that can be had."""
    answer = engine.run(one_shot_body(image_id, _SANDBOX, _MEMORY), _SECONDS)
    return Attempt(answer.exit_code == 0, " ".join(answer.stdout.split()) or f"exit code {answer.exit_code}")


def _mount(at: int, volume: ObservedVolume) -> dict[str, Any]:
    """Were it removed at this very moment, the engine would make it anew: then at least as `up` would."""
    labels = {LABEL_PROJECT: volume.project or "", LABEL_CLIENT_ID: volume.client_id or ""}
    return {
        "Type": "volume",
        "Source": volume.name,
        "Target": f"/sessions/{at}",
        "ReadOnly": True,
        "VolumeOptions": {"NoCopy": True, "Labels": labels},
    }


def from_here(info: Mapping[str, Any], proc: Path = Path("/proc/sys")) -> Look:
    """The same without volumes, when the engine runs on this very machine; else nothing is known.

    `info`: the engine's answer to `GET /info`. A virtual machine (Docker Desktop) has another kernel or name,
    and what runs in a container beside the engine's socket sees no data folder.
    """
    here = platform.uname()
    root = Path(info.get("DockerRootDir") or "/nonexistent")
    if (info.get("KernelVersion"), info.get("Name")) != (here.release, here.node):
        return Look()
    try:
        found = os.statvfs(root)
    except OSError:
        return Look()
    sysctls: dict[str, int] = {}
    for name in SYSCTLS:
        try:
            sysctls[name] = int((proc / name.replace(".", "/")).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return Look(sysctls, found.f_bavail * found.f_frsize)


def socket_refused(path: str, environ: Mapping[str, str]) -> Verdict:
    """Why this user may not open the engine's socket, and what changes that."""
    user = environ.get("USER") or environ.get("LOGNAME") or ""
    primary = -1
    try:
        account = pwd.getpwuid(os.getuid())
        user, primary = account.pw_name, account.pw_gid
    except KeyError:
        user = user or str(os.getuid())
    try:
        group = grp.getgrgid(Path(path).stat().st_gid)
    except (OSError, KeyError):
        return decide.permission(path, user, None, member=False)
    if group.gr_gid in (os.getegid(), *os.getgroups()):
        # Being in it is no use: the engine opens its socket to the group only where it knows one.
        return decide.permission(path, user, None, member=False)
    member = user in group.gr_mem or primary == group.gr_gid
    return decide.permission(path, user, group.gr_name, member=member)
