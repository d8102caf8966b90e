"""Work that two processes share: all of it is done whatever becomes of the other one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manager.halves import by_two

HERE = os.getpid()
LARGE = 1 << 20  # beyond what a pipe holds
NUMBERS = range(40)


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the tests' own process may have other threads."""
    monkeypatch.setattr("manager.halves._can_fork", lambda: True)


def children() -> list[str]:
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()


def squared(number: int) -> int:
    return number * number


@pytest.mark.usefixtures("forking")
def test_both_do_of_it_and_nothing_is_done_twice() -> None:
    before = children()
    waiting, going = os.pipe()

    def work(number: int) -> tuple[int, int]:
        """The other one's first lasts until something was done here."""
        if os.getpid() == HERE:
            os.write(going, b".")
        elif number == 0:
            os.read(waiting, 1)
        return number, os.getpid()

    done = by_two(NUMBERS, work)
    os.close(waiting)
    os.close(going)
    assert sorted(number for number, _ in done) == list(NUMBERS)
    assert len({process for _, process in done}) == 2
    assert children() == before


@pytest.mark.usefixtures("forking")
def test_what_no_pipe_holds_comes_through() -> None:
    parts = (bytes([number]) * LARGE for number in range(8))
    assert sorted(by_two(parts, lambda part: part * 2)) == [
        bytes([number]) * 2 * LARGE for number in range(8)
    ]


def killed(number: int) -> int:
    if os.getpid() != HERE and number > 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(number)


def unsendable(number: int) -> Callable[[], int] | int:
    return (lambda: number) if os.getpid() != HERE else squared(number)


def wrong_there(number: int) -> int:
    if os.getpid() != HERE:
        raise RuntimeError
    return squared(number)


@pytest.mark.usefixtures("forking")
@pytest.mark.parametrize("work", [killed, unsendable, wrong_there])
def test_what_the_other_one_cannot_do_is_done_here(
    work: Callable[[int], object], capfd: pytest.CaptureFixture[str]
) -> None:
    assert sorted(map(int, by_two(NUMBERS, work))) == [squared(number) for number in NUMBERS]  # type: ignore[call-overload]
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("forking")
def test_what_neither_can_do_raises_here() -> None:
    before = children()
    with pytest.raises(ZeroDivisionError):
        by_two(NUMBERS, lambda number: 1 // (number - 7))
    assert children() == before


@pytest.mark.usefixtures("forking")
def test_parts_that_end_in_an_error_end_all() -> None:
    def parts() -> Iterator[int]:
        yield from range(5)
        raise TimeoutError

    before = children()
    with pytest.raises(TimeoutError):
        by_two(parts(), squared)
    assert children() == before


def test_it_is_one_process_where_others_threads_run() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert set(by_two(NUMBERS, lambda _: os.getpid())) == {HERE}
    finally:
        ended.set()
        thread.join()


def test_a_process_of_one_thread_forks_by_itself_and_says_what_it_had_to_say_once() -> None:
    program = (
        "import os; from manager.halves import by_two; print('once', end=' ');"
        "print(set(by_two(range(40), lambda _: os.getpid())) != {os.getpid()})"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    several = len(os.sched_getaffinity(0)) > 1
    assert (told.stdout, told.stderr) == (f"once {several}\n", "")


@pytest.mark.usefixtures("forking")
def test_where_there_is_room_for_no_other_process_all_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError

    before = set(Path("/proc/self/fd").iterdir())
    monkeypatch.setattr(os, "fork", refused)
    assert by_two(NUMBERS, squared) == [squared(number) for number in NUMBERS]
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_an_interrupt_amid_the_fork_is_heard_when_that_is_over() -> None:
    program = (
        "import os, signal; from manager.halves import by_two\n"
        "os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "try: by_two(range(40), abs)\n"
        "except KeyboardInterrupt:\n"
        "    try: os.wait()\n"
        "    except ChildProcessError: print('heard, and nobody is left')\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert (told.stdout, told.stderr) == ("heard, and nobody is left\n", "")


def test_a_fork_ends_with_whoever_made_it(tmp_path: Path) -> None:
    """Killed in the middle: the other one sees it, and leaves too."""
    program = (
        "import os, signal\n"
        "from manager import halves\n"
        "halves._can_fork = lambda: True\n"
        "here = os.getpid()\n"
        "def work(part):\n"
        "    if os.getpid() != here:\n"
        f"        open({str(tmp_path / 'fork')!r}, 'w').write(str(os.getpid()))\n"
        "    return part\n"
        "def parts():\n"
        "    yield 1\n"
        f"    while not os.path.exists({str(tmp_path / 'fork')!r}): pass\n"
        "    os.kill(here, signal.SIGKILL)\n"
        "halves.by_two(parts(), work)\n"
    )
    # The pipe ends when the last process that holds it does.
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=30)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "fork").exists()
