"""Work that keeps a processor busy: a fork of this process takes of it what it can, and this one does the rest."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Part = TypeVar("Part")
Result = TypeVar("Result")

_BESIDE = 2  # parts that lie with the fork: the one in hand, and the next
_BROKEN = (EOFError, OSError)


def by_two(parts: Iterable[Part], work: Callable[[Part], Result]) -> list[Result]:
    """What `work` makes of every part, in any order. Parts and results go through a pipe: small they should be.

    The fork is made before the first part is asked for. What it was given and did not do, for whatever reason, is
    done here.
    """
    if not _can_fork():
        return list(map(work, parts))
    with _fork(work) as other:
        here = [work(part) for part in parts if not other.takes(part)]
        there = other.done()
    return here + (list(map(work, other.given)) if there is None else there)


def _can_fork() -> bool:
    """And gains by it. Of a process with other threads a fork would have none, but the locks they hold for ever."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


class _Other(Generic[Part, Result]):
    """`given`: what lies with the fork, or is done by it."""

    def __init__(self, pipe: Connection) -> None:
        self.given: list[Part] = []
        self._pipe = pipe
        self._waiting = 0

    def takes(self, part: Part) -> bool:
        """Given to it, unless it has enough to do."""
        try:
            while self._waiting and self._pipe.poll():
                self._hear()
            if self._waiting == _BESIDE:
                return False
            self._pipe.send(part)
        except _BROKEN:
            return False
        self.given.append(part)
        self._waiting += 1
        return True

    def done(self) -> list[Result] | None:
        """What it made of all that was given; None where it is no more."""
        with suppress(*_BROKEN):
            self._pipe.send(None)
            while self._waiting:
                self._hear()
            found: list[Result] = self._pipe.recv()
            return found
        return None

    def _hear(self) -> None:
        self._pipe.recv_bytes()
        self._waiting -= 1


@contextmanager
def _fork(work: Callable[[Part], Result]) -> Iterator[_Other[Part, Result]]:
    from multiprocessing.connection import Pipe  # noqa: PLC0415  most commands start without it

    here, there = Pipe()
    process = os.fork()
    if process == 0:
        try:
            here.close()  # else it would not be seen that the other process is no more
            _do(work, there)
        finally:
            os._exit(0)  # and nothing of what else this process has open, or was about to do
    there.close()
    try:
        with here:
            yield _Other(here)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _do(work: Callable[[Part], Result], pipe: Connection) -> None:
    """That a part is done is told at once, all the results at the end: two that both send would wait for ever."""
    done = []
    while (part := pipe.recv()) is not None:
        done.append(work(part))
        pipe.send_bytes(b"")
    pipe.send(done)
