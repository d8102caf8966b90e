"""What wakes the watcher: bots.yaml as it is saved, and the engine's events. Each bell is a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.contract import LABEL_CLIENT_ID
from manager import config
from manager.configproblems import ConfigErrors
from manager.engine import Engine
from manager.fleet import Fleet
from manager.problems import UNUSABLE, EngineError
from manager.watch.core import RELIST_SECONDS, Event, Rang, Saved

LOOK_SECONDS = 0.3
_CONNECT_SECONDS, _CONNECT_AT_MOST = 0.5, 10.0

# What changes whether and how a container runs. The three events of every health check are not among them.
KINDS = ("create", "start", "die", "oom", "destroy", "pause", "unpause", "rename", "health_status")


@dataclass(frozen=True, slots=True)
class Crashed:
    """A thread of the watcher met what nobody foresaw. It must not go on deaf."""

    error: Exception


Ring = Callable[[Event | Crashed], None]


class _Bell:
    def __init__(self, name: str, ring: Ring) -> None:
        self._name, self._ring = name, ring
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._guarded, name=self._name, daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:
            self._ring(Crashed(error))

    def _run(self) -> None:
        raise NotImplementedError


class FileBell(_Bell):
    """Rings with what bots.yaml says, at first and each time it, or `.env` beside it, was written.

    It reads the content itself every LOOK_SECONDS: this sees a file that was replaced, edited in place, or lies
    on a mount that tells of no change (a bind mount, a network's file system) all alike.
    """

    def __init__(self, file: Path, environ: Mapping[str, str], ring: Ring) -> None:
        super().__init__("bots.yaml", ring)
        self._file, self._environ = file, environ

    def _run(self) -> None:
        seen: tuple[object, ...] | None = None
        while not self._over.is_set():
            beside = self._file.parent / ".env"
            # When it was written too: what is saved many times a second may have the same content at two looks.
            now = (_written(self._file), _content(self._file), _written(beside), _content(beside))
            if now != seen:
                seen = now
                self._ring(Saved(self._load()))
            self._over.wait(LOOK_SECONDS)

    def _load(self) -> Fleet | ConfigErrors:
        try:
            return config.load(self._file, self._environ)
        except ConfigErrors as errors:
            return errors


def _written(path: Path) -> int | None:
    """When; not its inode, which some file systems make up anew at each look."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _content(path: Path) -> bytes | str:
    """The bytes, or why there are none."""
    try:
        return config.read(path)
    except ConfigErrors as errors:
        return str(errors)


class EngineSign(_Bell):
    """Tells `on_answer` whether the engine answers, at first and every RELIST_SECONDS, for as long as no pass does."""

    def __init__(self, engine: Engine, ring: Ring, on_answer: Callable[[bool], None]) -> None:
        super().__init__("engine's sign", ring)
        self._engine, self._on_answer = engine, on_answer

    def _run(self) -> None:
        while not self._over.is_set():
            answers = True
            try:
                self._engine.version()
            except EngineError as error:
                answers = error.problem not in UNUSABLE
            if not self._over.is_set():
                self._on_answer(answers)
            self._over.wait(RELIST_SECONDS)


class EngineBell(_Bell):
    """Rings with each event of the project's containers, and when the connection is lost or there again.

    `on_oom`: told of each bot in whose container the kernel ended something; no list tells that afterwards.
    """

    def __init__(
        self, engine: Engine, project: str, ring: Ring, on_oom: Callable[[str], None] = lambda client_id: None
    ) -> None:
        super().__init__("engine events", ring)
        self._engine, self._project, self._on_oom = engine, project, on_oom

    def _run(self) -> None:
        wait = _CONNECT_SECONDS
        while not self._over.is_set():
            listening = False
            with suppress(EngineError):
                events = self._engine.events(self._project, kinds=KINDS)
                listening, wait = True, _CONNECT_SECONDS
                self._ring(Rang(connection=True))
                for event in events:
                    if event.get("Action") == "oom":
                        self._on_oom(str(event["Actor"]["Attributes"].get(LABEL_CLIENT_ID)))
                    self._ring(Rang())
            if listening:
                self._ring(Rang(connection=True))
            self._over.wait(wait)
            wait = min(wait * 2, _CONNECT_AT_MOST)
