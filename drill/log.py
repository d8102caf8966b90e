"""All that one subject showed and its phone did, in order: the judge's ledger, and a file for the post-mortem."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from drill.judge import Ledger, What


class Log:
    """`file` gets one JSON object a line: ours (with `drill`) and, as they are, those that the subject tells."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ledger = Ledger()
        self._started = time.monotonic()
        self._news = asyncio.Condition()
        self._waiting: set[asyncio.Task[None]] = set()

    def told(self, event: dict[str, object]) -> None:
        """What the subject says itself, word for word."""
        self._write(event)

    def note(self, what: str, /, **values: object) -> None:
        """What the drill does to it."""
        self._write({"drill": what, "at": round(time.monotonic() - self._started, 3), **values})

    def hear(self, what: What) -> None:
        unexplained = self.ledger.hear(what)
        self.note(what.value, **({"unexplained": True} if unexplained else {}))
        task = asyncio.ensure_future(self._tell())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def ledger_now(self) -> Ledger:
        return replace(self.ledger)

    async def until(self, holds: Callable[[Ledger], bool], within: float) -> bool:
        """Whether `holds` came true of the ledger within that many seconds."""
        async with self._news:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait_for(lambda: holds(self.ledger)), within)
        return holds(self.ledger)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _write(self, line: dict[str, object]) -> None:
        with self.file.open("a") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
