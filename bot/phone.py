"""When the phone was last known to be online: it paired, or a message was written on it.

WhatsApp unlinks its companions when the phone stays away for about 14 days; what it shows of that is not known, so this
is what can be proved, and no more: a phone that is online and never writes is not seen.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from bot import durable

FILE = "phone.json"
# A restart may forget this much; the alarm is raised after days.
_KEEP_EVERY_SECONDS = 3600


class PhoneSeen:
    """`at`: Unix time, 0 while nothing is known. It outlives the process."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self.at = self._kept = self._read()

    def saw(self, at: float | None) -> None:
        """What the volume refuses is only forgotten at the next start."""
        if at is None or at <= self.at:
            return
        self.at = at
        if at - self._kept >= _KEEP_EVERY_SECONDS:
            with suppress(OSError):
                durable.write_file(self._file, json.dumps({"seen": at}).encode())
                self._kept = at

    def forget(self) -> None:
        """There is no session any more: what was known of its phone goes with it."""
        self.at = self._kept = 0.0
        with suppress(OSError):
            self._file.unlink(missing_ok=True)

    def _read(self) -> float:
        try:
            return float(json.loads(self._file.read_bytes())["seen"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0
