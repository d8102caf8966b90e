"""A control group of a subject's own, whose memory can be taken away: what a container's limit does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from pathlib import Path
from typing import Self

from bot import processes

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")
_STEP = 0.05


class MemoryGroup:
    """Version 1 or 2 of the kernel's interface, whichever is mounted. `name`: below the root of all groups."""

    def __init__(self, name: str) -> None:
        first = (_V1 / "memory.limit_in_bytes").exists()
        self.folder = (_V1 if first else _V2) / name
        self._limit = self.folder / ("memory.limit_in_bytes" if first else "memory.max")
        self._usage = self.folder / ("memory.usage_in_bytes" if first else "memory.current")
        self._events = self.folder / ("memory.oom_control" if first else "memory.events")

    @classmethod
    def of(cls, pid: int) -> Self:
        """The group that a process of this machine is in. Raises OSError when there is no such process."""
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        groups = {kinds: name for _, kinds, name in (line.split(":", 2) for line in lines)}
        return cls(groups.get("memory", groups.get("", "")).strip("/"))

    @classmethod
    def possible(cls) -> bool:
        group = cls(f"oturum-drill-try-{os.getpid()}")
        try:
            group.make()
            return group._limit.exists()
        except OSError:
            return False
        finally:
            group.remove()

    @property
    def joining(self) -> Path:
        """A process that writes its number here belongs to the group, and all its children."""
        return self.folder / "cgroup.procs"

    def make(self) -> None:
        """Raises OSError."""
        self.folder.mkdir(exist_ok=True)

    def remove(self) -> None:
        # One that still holds a dying process can't be removed yet; it is empty in a moment and costs nothing.
        deadline = time.monotonic() + 2
        while self.folder.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            processes.wait_gone(self._members(), 0.1)

    def kills(self) -> int:
        found = re.search(r"^oom_kill (\d+)$", self._events.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0

    async def squeeze(self, seconds: float) -> bool:
        """Takes memory away until the kernel has killed a process of the group; True when it has, in that time.

        A group that is gone had lost the process on which all others stand. Raises OSError when there is none.
        """
        before, deadline, usual = self.kills(), time.monotonic() + seconds, self._limit.read_text()
        try:
            while time.monotonic() < deadline:
                # Below what is in use version 1 refuses a limit: as close to it as it can be, then.
                for part in (0.5, 0.8, 0.95, 1.0):
                    limit = int(int(self._usage.read_text()) * part)
                    with contextlib.suppress(OSError):
                        await asyncio.to_thread(self._limit.write_text, str(limit))
                        break
                if self.kills() > before:
                    return True
                await asyncio.sleep(_STEP)
            return self.kills() > before
        except FileNotFoundError:
            return True
        finally:
            with contextlib.suppress(FileNotFoundError):
                self._limit.write_text(usual)

    def _members(self) -> list[int]:
        try:
            return [int(line) for line in self.joining.read_text().split()]
        except OSError:
            return []
