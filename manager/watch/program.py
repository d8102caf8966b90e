"""Whether this program is still the one on the disk.

A watcher runs for months, and meanwhile the project is updated. An old one would undo what the new `up` does: it makes
other containers of the same bots.yaml. So it looks before each pass, and starts itself anew, once the new one can be
started: an update is often half of one for a while (its packages come last), and nobody would start a dead one again.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# An update writes many files; it is over when none has changed for this long.
REST_SECONDS = 5.0

_ROOT = Path(__file__).resolve().parents[2]
_OURS = ("*.py", "*.toml", "*.json")
# All that the manager imports of the bot. Its other files are the image's, and looked at with each pass anyway.
_OF_THE_BOT = ("archive.py", "contract.py", "names.py", "text.py")


class Program:
    def __init__(self, root: Path = _ROOT, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._clock = root, clock
        self._first = self._last = self._files()
        self._since = clock()

    def changed_for(self) -> float | None:
        """Seconds since its files are seen as they are now; None while they are those it was started from."""
        found = self._files()
        if found != self._last:
            self._last, self._since = found, self._clock()
        return None if found == self._first else self._clock() - self._since

    @staticmethod
    def broken() -> str:
        """Why the program as it is now cannot be started; empty when it can."""
        asked = [sys.executable, "-c", "import manager.cli, manager.commands.watch"]
        tried = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if tried.returncode == 0:
            return ""
        return (tried.stderr.strip() or f"exit code {tried.returncode}").splitlines()[-1]

    def _files(self) -> frozenset[tuple[str, int, int]]:
        return frozenset(self._each())

    def _each(self) -> Iterator[tuple[str, int, int]]:
        paths = [path for pattern in _OURS for path in (self._root / "manager").rglob(pattern)]
        for path in [*paths, *(self._root / "bot" / name for name in _OF_THE_BOT)]:
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            yield str(path), found.st_size, found.st_mtime_ns
