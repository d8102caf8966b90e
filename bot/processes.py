"""What /proc tells of the browser's processes: who belongs to whom, what they weigh, and how to end them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
_PROFILE_SWITCH = "--user-data-dir="


def all_pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def command_line(pid: int) -> list[str]:
    """The arguments of `pid`; empty when it is gone, a zombie or a kernel thread."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    # Chromium rewrites its children's title with spaces between the arguments.
    separator = "\0" if b"\0" in raw.rstrip(b"\0") else " "
    return [part for part in raw.decode(errors="replace").rstrip("\0").split(separator) if part]


def has_environment(pid: int, entry: str) -> bool:
    """Whether `NAME=value` stands in the environment `pid` was started with (False when we may not look)."""
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return entry.encode() in raw.split(b"\0")


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third (state) on, or None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rfind(")") + 2 :].split()


def is_alive(pid: int) -> bool:
    """A zombie counts as dead: it holds nothing but its entry in the table."""
    fields = stat_fields(pid)
    return fields is not None and fields[0] not in ("Z", "X")


def start_ticks(pid: int) -> str | None:
    """When `pid` started (clock ticks since boot): with the pid it names one process for good."""
    fields = stat_fields(pid)
    return fields[19] if fields else None


def parents() -> dict[int, int]:
    """pid -> parent's pid, of every process that can be seen."""
    found: dict[int, int] = {}
    for pid in all_pids():
        fields = stat_fields(pid)
        if fields:
            found[pid] = int(fields[1])
    return found


def with_descendants(roots: Iterable[int]) -> set[int]:
    """`roots` and every process below them."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found


def uses_profile(pid: int, profile: Path) -> bool:
    return f"{_PROFILE_SWITCH}{profile}" in command_line(pid)


def is_main_browser(pid: int) -> bool:
    """The browser process itself, not its zygotes, renderers and helpers."""
    return not any(argument.startswith("--type=") for argument in command_line(pid))


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def wait_gone(pids: Iterable[int], seconds: float) -> set[int]:
    """Waits until all of `pids` are dead, at most `seconds`; returns those still alive."""
    deadline = time.monotonic() + seconds
    left = {pid for pid in pids if is_alive(pid)}
    while left and (rest := deadline - time.monotonic()) > 0:
        _wait_one(next(iter(left)), min(rest, 0.5))
        left = {pid for pid in left if is_alive(pid)}
    return left


def _wait_one(pid: int, seconds: float) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:  # a kernel or seccomp profile without pidfd
        time.sleep(min(seconds, 0.02))
        return
    try:
        select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)


def end(pids: Iterable[int], *, patience: float) -> set[int]:
    """SIGTERM (Chromium then flushes its storage), after `patience` seconds SIGKILL. Returns what still lives."""
    targets = set(pids)
    send(targets, signal.SIGTERM)
    left = wait_gone(targets, patience)
    if left:
        tree = with_descendants(left)
        send(tree, signal.SIGKILL)
        return wait_gone(tree, 2.0)
    return set()


def memory_bytes(pids: Iterable[int]) -> int:
    """Proportional set size of the processes together, in bytes.

    A sandboxed renderer hides its smaps from its own user; there its anonymous memory counts, which is a little less.
    """
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    try:
        return _kilobytes(PROC / str(pid) / "smaps_rollup", "Pss:")
    except OSError:
        pass
    try:
        return _kilobytes(PROC / str(pid) / "status", "RssAnon:")
    except OSError:
        return 0


def _kilobytes(path: Path, key: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0
