"""A ContainerSpec -> the body of the engine's create request. All of a bot's confinement stands here.

Field names are those of the Engine API (`POST /containers/create`), 1.41 and later.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bot.contract import BOT_UID, CONTAINER_HTTP_PORT, LABEL_CLIENT_ID, LABEL_PROJECT, SESSION_MOUNT
from manager.observed import LOOK_MOUNT
from manager.spec import ContainerSpec

PIDS_LIMIT = 256
SHM_BYTES = 128 * 1024 * 1024
TMPFS_OPTIONS = "rw,nosuid,nodev,size=64m,mode=1777"
LOG_MAX_SIZE = "10m"
LOG_MAX_FILES = "3"
SECRETS_FOLDER = "secrets"

_LEASE_BYTES = 16 * 1024 * 1024
_SECOND = 1_000_000_000

# Answers "is the bot's loop alive and does its page answer", never "is it logged in". It runs every 30 s in every
# container: a bare interpreter that reads no more than `socket` costs 0.01 s of a core, with urllib 0.06 s.
_HEALTH_CHECK = (
    "import socket,sys\n"
    "try:\n"
    f" bot=socket.create_connection(('127.0.0.1',{CONTAINER_HTTP_PORT}),8)\n"
    " bot.sendall(b'GET /healthz HTTP/1.0\\r\\n\\r\\n')\n"
    " sys.exit(bot.makefile('rb').readline().split()[1:2]!=[b'200'])\n"
    "except OSError: sys.exit(1)\n"
)


@cache
def seccomp_profile() -> str:
    """The profile's JSON text (the engine takes no path), without white space: it goes with every request."""
    profile = json.loads((Path(__file__).parent / "seccomp.json").read_text(encoding="utf-8"))
    return json.dumps(profile, separators=(",", ":"))


@cache
def fingerprint() -> str:
    """Changes when anything of the confinement does, so that a changed one recreates the containers."""
    nobody = ContainerSpec(
        project="",
        client_id="",
        name="",
        volume="",
        network="",
        hostname="",
        image_id="",
        environment={},
        memory_bytes=0,
        stop_grace_seconds=0,
        labels={},
    )
    body = json.dumps(container_body(nobody), sort_keys=True)
    return hashlib.sha256(body.encode()).hexdigest()[:12]


def container_body(spec: ContainerSpec) -> dict[str, Any]:
    """The create request of one bot."""
    return {
        "Image": spec.image_id,
        "Hostname": spec.hostname,
        "User": f"{BOT_UID}:{BOT_UID}",
        "Env": [f"{name}={value}" for name, value in sorted(spec.environment.items())],
        "Labels": dict(spec.labels),
        "StopTimeout": spec.stop_grace_seconds,
        "Healthcheck": {
            "Test": ["CMD", "python", "-I", "-S", "-c", _HEALTH_CHECK],
            "Interval": 30 * _SECOND,
            "Timeout": 10 * _SECOND,
            "Retries": 3,
            "StartPeriod": 60 * _SECOND,
        },
        "HostConfig": {
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": spec.volume,
                    "Target": SESSION_MOUNT,
                    # Should it vanish just now, the engine makes it anew with this request: not as nobody's.
                    "VolumeOptions": {"Labels": _volume_labels(spec)},
                }
            ],
            "NetworkMode": spec.network,
            "DnsSearch": list(spec.dns_search),
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": TMPFS_OPTIONS},  # noqa: S108
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true", f"seccomp={seccomp_profile()}"],
            "Privileged": False,
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "PidsLimit": PIDS_LIMIT,
            "ShmSize": SHM_BYTES,
            "Init": True,
            "IpcMode": "private",
            # Not `always`, which would start a bot that is disabled or stopped by hand with the engine. The price:
            # Docker 20.10 that comes back from a crash stops what it finds running, takes that for somebody's wish,
            # and leaves it down until the next `up` or the look of a `watch`.
            "RestartPolicy": {"Name": "unless-stopped"},
            "LogConfig": {
                "Type": "json-file",
                "Config": {"max-size": LOG_MAX_SIZE, "max-file": LOG_MAX_FILES},
            },
        },
        "NetworkingConfig": {"EndpointsConfig": {spec.network: {"Aliases": [spec.hostname]}}},
    }


def one_shot_body(image_id: str, command: Sequence[str], memory_bytes: int) -> dict[str, Any]:
    """A bot's container, for one command and without what belongs to a bot alone: no volume, no network."""
    spec = ContainerSpec("", "", "", "", "none", "oturum", image_id, {}, memory_bytes, 5, {})
    body = container_body(spec)
    del body["NetworkingConfig"]
    body |= {"Entrypoint": [], "Cmd": list(command), "Healthcheck": {"Test": ["NONE"]}}
    # Without an init the engine itself says that a command cannot be started, instead of a mere exit code.
    body["HostConfig"] |= {"Mounts": [], "RestartPolicy": {"Name": "no"}, "Init": False}
    return body


def lease_body(image_id: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A container that ends when the one connection to its input does, and is gone then (`Engine.hold`)."""
    body = one_shot_body(image_id, ["cat"], _LEASE_BYTES)
    body |= {"Labels": dict(labels), "AttachStdin": True, "OpenStdin": True, "StdinOnce": True}
    body["HostConfig"] |= {"AutoRemove": True, "Init": True, "LogConfig": {"Type": "none"}}
    return body


def volume_look_body(volume: str, image: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A container that is never started: through it one sees what a volume holds, and changes nothing."""
    look = {
        "Type": "volume",
        "Source": volume,
        "Target": LOOK_MOUNT,
        "ReadOnly": True,
        "VolumeOptions": {"NoCopy": True},
    }
    return {
        "Image": image,
        "Cmd": ["true"],
        "Labels": dict(labels),
        "HostConfig": {"NetworkMode": "none", "Mounts": [look]},
    }


def _volume_labels(spec: ContainerSpec) -> dict[str, str]:
    return {LABEL_PROJECT: spec.project, LABEL_CLIENT_ID: spec.client_id}


def secrets_archive(secrets: Mapping[str, str]) -> bytes:
    """A tar to be unpacked at /session: `secrets/<name>`, readable by the bot's user alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo(SECRETS_FOLDER)
        folder.type, folder.mode = tarfile.DIRTYPE, 0o700
        folder.uid = folder.gid = BOT_UID
        archive.addfile(folder)
        for name, text in sorted(secrets.items()):
            content = text.encode()
            entry = tarfile.TarInfo(f"{SECRETS_FOLDER}/{name}")
            entry.size, entry.mode = len(content), 0o400
            entry.uid = entry.gid = BOT_UID
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
