"""One manager at a time for one thing on one engine, as far as this machine and user reach.

Managers of other users or hosts are not seen here: against them every step is one that loses harmlessly (the
engine gives a container name out once, and removes nothing that runs).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOOK_SECONDS = 0.1


class NoTurn(Exception):
    """The wait for somebody else's turn to end was called off."""


@contextmanager
def turn(
    what: str,
    on_wait: Callable[[str], None] = lambda holder: None,
    stopping: threading.Event | None = None,
) -> Iterator[None]:
    """Holds the lock named `what`; freed by the kernel when the process ends, however it ends.

    `on_wait` is told once who holds it (`pid 4711`) when it is not free at once. Where no lock file can be
    written the work goes on without one. Raises NoTurn when `stopping` is set during the wait.
    """
    try:
        descriptor = os.open(_lock_file(what), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(os.pread(descriptor, 80, 0).decode(errors="replace").strip())
            _wait(descriptor, stopping)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, stopping: threading.Event | None) -> None:
    if stopping is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    while not stopping.wait(_LOOK_SECONDS):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
    raise NoTurn


def _lock_file(what: str) -> Path:
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    digest = hashlib.sha256(what.encode()).hexdigest()[:16]
    return Path(folder) / f"oturum-{os.getuid()}-{digest}.lock"
