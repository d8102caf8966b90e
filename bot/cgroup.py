"""What the kernel's control group says of our memory: how much is used, and how much we may use."""

from __future__ import annotations

from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_SELF = Path("/proc/self/cgroup")
# Version 1 writes "no limit" as the largest number of whole pages.
_NO_LIMIT = 1 << 60


def memory(root: Path = _ROOT, own: Path = _SELF) -> tuple[int, int]:
    """Bytes used (what the kernel could take back at once left out) and the limit; (0, 0) where there is no limit."""
    for folder, used, limit, idle in _places(root, own):
        try:
            most = (folder / limit).read_text().strip()
            if most == "max" or int(most) >= _NO_LIMIT:
                continue
            return max(0, int((folder / used).read_text()) - _field(folder / "memory.stat", idle)), int(most)
        except (OSError, ValueError):
            continue
    return 0, 0


def _places(root: Path, own: Path) -> list[tuple[Path, str, str, str]]:
    """In a container our group is the root of what is mounted, though its path may be told as the host sees it."""
    found = []
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        for folder in (path.lstrip("/"), ""):
            if "memory" in controllers.split(","):
                place = root / "memory" / folder
                names = "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"
                found.append((place, *names))
            elif number == "0":
                found.append((root / folder, "memory.current", "memory.max", "inactive_file"))
    return found


def _field(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
