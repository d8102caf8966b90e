"""What this machine can do to a subject; found out by doing it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path

from drill.faults import Need
from drill.memory import MemoryGroup
from drill.volume import Disk, DiskError


def abilities() -> frozenset[Need]:
    """Of the needs that are the machine's own; those of a kind of subject are the subject's to say."""
    found = set()
    if os.geteuid() == 0:
        found.add(Need.ROOT)
        if _namespaces():
            found.add(Need.NAMESPACES)
        if _loop():
            found.add(Need.LOOP)
        if MemoryGroup.possible():
            found.add(Need.CGROUP)
    return frozenset(found)


def _namespaces() -> bool:
    command = [
        "unshare",
        "--mount",
        "--uts",
        "--propagation",
        "slave",
        "sh",
        "-c",
        "mount --bind /etc/hosts /etc/hosts",
    ]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _loop() -> bool:
    with tempfile.TemporaryDirectory(prefix="oturum-drill-try-") as folder:
        disk = Disk(Path(folder))

        async def attempt() -> bool:
            try:
                await disk.make()
                (await disk.snapshot()).unlink()
                return True
            except (DiskError, OSError, subprocess.CalledProcessError):
                return False
            finally:
                await disk.remove()

        return asyncio.run(attempt())
