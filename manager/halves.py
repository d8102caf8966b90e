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
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def by_two(parts: Iterable[Part], work: Callable[[Part], Result]) -> list[Result]:
    """What `work` makes of every part, in any order. Parts and results go through a pipe: small they should be.

    The fork is made before the first part is asked for. What it was given and did not do, for whatever reason, is
    done here; so is everything where no fork can be made.
    """
    other: _Fork[Part, Result] | None = None
    try:
        if _can_fork():
            with _no_signals():
                other = _forked(work)
        if other is None:
            return list(map(work, parts))
        here = [work(part) for part in parts if not other.takes(part)]
        there = other.done()
    finally:
        if other is not None:
            other.end()
    return here + (list(map(work, other.given)) if there is None else there)


@contextmanager
def _no_signals() -> Iterator[None]:
    """They come when it is over: an interrupt amid a fork is dropped by Python, which says so on stderr."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Fork(Generic[Part, Result]):
    """`given`: what lies with it, or is done by it."""

    def __init__(self, process: int, pipe: Connection) -> None:
        self.given: list[Part] = []
        self._process, self._pipe = process, pipe
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

    def end(self) -> None:
        self._pipe.close()
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)

    def _hear(self) -> None:
        self._pipe.recv_bytes()
        self._waiting -= 1


def _can_fork() -> bool:
    """And gains by it. Of a process with other threads a fork would have none, but the locks they hold for ever."""
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1 and threading.active_count() == 1


def _forked(work: Callable[[Part], Result]) -> _Fork[Part, Result] | None:
    """None where there is no room for one more process."""
    from multiprocessing.connection import Pipe  # noqa: PLC0415  most commands start without it

    here, there = Pipe()
    try:
        process = os.fork()
    except OSError:
        here.close()
        there.close()
        return None
    if process == 0:
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # nobody is left to hear of a KeyboardInterrupt
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            here.close()  # else it would not be seen that the other process is no more
            _do(work, there)
        finally:
            os._exit(0)  # and nothing of what else this process has open, or was about to do
    there.close()
    return _Fork(process, here)


def _do(work: Callable[[Part], Result], pipe: Connection) -> None:
    """That a part is done is told at once, all the results at the end: two that both send would wait for ever."""
    done = []
    while (part := pipe.recv()) is not None:
        done.append(work(part))
        pipe.send_bytes(b"")
    pipe.send(done)
