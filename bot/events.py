"""The event log: one JSON object a line, on stdout and, rotated, on the volume: it outlives the container.

Each line has at least `time` (RFC 3339, UTC, milliseconds), `event`, `level`, `client_id`, `message`. QR
texts and whole phone numbers never come here. A full or broken disk costs lines on the volume, never the bot.
"""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from bot.contract import EventName, Level
from bot.text import Catalogue

MAX_BYTES = 2_000_000
KEPT_FILES = 4
LAST_EVENTS = 50
_EARLY_LINES = 100


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _standard_output() -> TextIO | None:
    """JSON is UTF-8 whatever the locale. None: the bot was started without a standard output."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    return sys.stdout


class EventLog:
    """`file` is attached once the volume is checked and locked; lines from before are written then."""

    def __init__(self, client_id: str, catalogue: Catalogue, out: TextIO | None = None) -> None:
        self.client_id = client_id
        self.last: deque[dict[str, Any]] = deque(maxlen=LAST_EVENTS)
        self.lost_lines = 0
        self._catalogue = catalogue
        self._out = out if out is not None else _standard_output()
        self._file: Path | None = None
        self._early: deque[str] = deque(maxlen=_EARLY_LINES)

    def attach(self, file: Path) -> None:
        self._file = file
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
        while self._early:
            self._keep(self._early.popleft())

    def emit(
        self, name: EventName, level: Level, key: str, fields: Mapping[str, object] | None = None
    ) -> None:
        """`key`: of the catalogue's section [event]; `fields` fill the text's places, as `client` does, and follow."""
        fields = fields or {}
        line = {
            "time": rfc3339(datetime.now(UTC)),
            "event": name.value,
            "level": level.value,
            "client_id": self.client_id,
            "message": self._catalogue(f"event.{key}", **{"client": self.client_id} | dict(fields)),
            **fields,
        }
        self.last.append(line)
        text = json.dumps(line, ensure_ascii=False, default=str)
        self._print(text)
        if self._file is None:
            self._early.append(text)
        else:
            self._keep(text)

    def _print(self, text: str) -> None:
        if self._out is None:
            self.lost_lines += 1
            return
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except (OSError, ValueError):  # nobody reads us any more, or the log's disk is full
            self.lost_lines += 1

    def _keep(self, text: str) -> None:
        assert self._file is not None
        data = (text + "\n").encode(errors="replace")
        try:
            self._rotate(len(data))
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._append(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError:
            self.lost_lines += 1

    @staticmethod
    def _append(descriptor: int, data: bytes) -> None:
        """Whole lines only: what a full disk cut short is taken back."""
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError("short write")
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise

    def _rotate(self, incoming: int) -> None:
        assert self._file is not None
        try:
            size = self._file.stat().st_size
        except FileNotFoundError:
            return
        if size + incoming <= MAX_BYTES:
            return
        for number in range(KEPT_FILES - 1, 0, -1):
            with suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        self._file.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        assert self._file is not None
        return self._file.with_name(f"{self._file.name}.{number}")
