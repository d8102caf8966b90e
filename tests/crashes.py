"""A process that dies between any two operations on files, and a volume to see what is left of it or who may open it.

Dying is a BaseException: nothing that tidies up after an OSError runs, as after SIGKILL. What was done stays done.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from bot import mirror
from bot.generations import Generations
from bot.session import Session

_OPERATIONS = ("write", "fsync", "replace", "rename", "unlink", "rmdir", "mkdir", "ftruncate", "pwrite")


class Died(BaseException):
    """SIGKILL."""


class Countdown:
    """`left`: operations that still happen before the process dies; None: it lives. `done`: how many happened."""

    def __init__(self, left: int | None) -> None:
        self.left = left
        self.done = 0

    def wrap(self, original: Callable[..., Any], *, skip: bool) -> Callable[..., Any]:
        def operation(*given: Any, **named: Any) -> Any:
            if self.left is not None and self.done >= self.left:
                raise Died
            self.done += 1
            return None if skip else original(*given, **named)

        return operation


@contextlib.contextmanager
def dying_after(left: int | None) -> Iterator[Countdown]:
    """Syncing is counted and not done: what a power cut loses is another test's question, and it takes long."""
    countdown = Countdown(left)
    with contextlib.ExitStack() as stack:
        for name in _OPERATIONS:
            wrapped = countdown.wrap(getattr(os, name), skip=name == "fsync")
            stack.enter_context(mock.patch.object(os, name, wrapped))
        stack.enter_context(mock.patch.object(os, "posix_fallocate", return_value=None))  # room is there
        yield countdown


def give_back_lock(folder: Path) -> None:
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if each.readlink() == folder / "lock":
                os.close(int(each.name))


def refusal(folder: Path, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    """What opening the folder says in another process (as another user, with `prefix`)."""
    script = (
        "import sys; from pathlib import Path; from bot.session import Session, SessionError\n"
        "try: Session.open(Path(sys.argv[1]), 'shop')\n"
        "except SessionError as error: print(error); sys.exit(error.exit)\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, folder],
        capture_output=True, text=True, check=False, cwd="/", env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


class Volume:
    """A bot's volume with what a browser would write. A session is told by its name, which is in every file of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with dying_after(None):
            self.session = Session.open(folder, "shop")

    def reopen(self) -> None:
        """As the next process does: the kernel took the last one's lock back, however it ended."""
        give_back_lock(self.folder)
        self.session = Session.open(self.folder, "shop")

    def entries(self, name: str) -> dict[str, str]:
        return {"last-wid-md": f'"{name}:1@c.us"', "WANoiseInfo": f"noise of {name}", "other": "x"}

    def browse(self, name: str, note: str = "") -> None:
        """The browser writes its profile."""
        default = self.session.profile / "Default"
        for file in ("Local Storage/leveldb/000003.log", "IndexedDB/https.indexeddb.leveldb/000004.log"):
            path = default / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {note}" if name else "damaged")
        for extra in ("LOCK", "LOG"):
            (default / "Local Storage/leveldb" / extra).write_text("of no use")

    def pair(self, name: str) -> None:
        self.session.store_mirror(self.entries(name))
        self.session.mark_paired(f"{name}:1@c.us")

    def log_out(self) -> None:
        self.session.mark_logged_out("phone")
        self.session.set_aside("logout")

    def log_out_by_command(self) -> None:
        self.session.plan_erase()
        self.session.erase("own_command")

    # --- what is there -----------------------------------------------------------------------------------

    def profile(self) -> str | None:
        """The name of the session that the profile holds whole; None: none, or half of one."""
        return self._name_in(self.session.profile / "Default")

    def mirrored(self) -> str | None:
        entries = self.session.load_mirror()
        return entries["WANoiseInfo"].removeprefix("noise of ") if entries else None

    def generations(self) -> list[str | None]:
        return [self._name_in(self.folder / f"generations/{n}/Default") for n in self.session.generations()]

    def good(self) -> list[str | None]:
        store = Generations(self.folder / "generations")
        numbers = [number for number in store.numbers() if store.is_good(number)]
        return [self._name_in(store.path(number) / "Default") for number in numbers]

    def asides(self) -> set[str | None]:
        return {self._name_in(each / "profile/Default") for each in (self.folder / "aside").glob("*")}

    def traces(self) -> list[str]:
        """All that a wanted logout must not leave: whatever is no furniture of an empty volume."""
        furniture = {"lock", "ballast", "marker.json", "profile"}
        return sorted(
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.relative_to(self.folder).as_posix() not in furniture
        )

    def mirror_file(self) -> dict[str, str] | None:
        return mirror.load(self.folder / "mirror.json")

    def close(self) -> None:
        give_back_lock(self.folder)

    @staticmethod
    def _name_in(default: Path) -> str | None:
        found = {path.read_text().partition(" ")[0] for path in (*default.rglob("*.log"),) if path.is_file()}
        whole = len(list(default.rglob("*.log"))) == 2
        return found.pop() if whole and len(found) == 1 else None
