"""Asks the engine, and every running bot at the same time, how they are. One bot's silence is that bot's alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from bot.contract import BotExit, State
from manager import overview, talk, troubles
from manager.engine import Engine
from manager.fleet import Fleet
from manager.observed import ContainerState, Observed, ObservedContainer
from manager.overview import Detail, Mute, Row, Seen
from manager.problems import EngineError, EngineProblem
from manager.troubles import LastWords

ANSWER_SECONDS = 10
# `ctl` waits that long in the container; asking a silent bot more often would only pile up processes there.
SILENT_SECONDS = 60
_AT_ONCE = 32  # the engine's connections
_LOG_LINES = 200
_ABOUT_ONE = frozenset(
    {EngineProblem.GONE, EngineProblem.NOT_RUNNING, EngineProblem.SLOW_EXEC, EngineProblem.OTHER}
)

Item = TypeVar("Item")
Found = TypeVar("Found")


def spread(
    function: Callable[[Item], Found], items: Iterable[Item], at_once: int
) -> Iterator[tuple[Item, Found]]:
    """Results as they come, in any order; the first exception is raised here.

    Unlike an executor's, these threads keep nobody waiting: Ctrl-C ends the program although a bot is silent.
    """
    todo: SimpleQueue[Item] = SimpleQueue()
    done: SimpleQueue[tuple[Item, Found] | Exception] = SimpleQueue()
    count = 0
    for item in items:
        todo.put(item)
        count += 1

    def work() -> None:
        while True:
            try:
                item = todo.get_nowait()
                done.put((item, function(item)))
            except Empty:
                return
            except Exception as error:
                done.put(error)

    for _ in range(min(at_once, count)):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(count):
        result = done.get()
        if isinstance(result, Exception):
            raise result
        yield result


class Survey:
    """May be asked again and again; then a bot that was silent is left alone for a while."""

    def __init__(self, engine: Engine, fleet: Fleet, language: str) -> None:
        self._engine, self._fleet, self._language = engine, fleet, language
        self._silent_until: dict[str, float] = {}

    def observe(self) -> Observed:
        return self._engine.observe(self._fleet.project, (), ())

    def rows(self, observed: Observed, only: frozenset[str] | None = None) -> list[Row]:
        """Raises EngineError when the engine itself cannot be asked."""
        containers = [
            each
            for each in overview.current(observed.containers).values()
            if only is None or each.client_id in only
        ]
        answers, details, words = self._ask_all(containers)
        volumes = frozenset(each.client_id for each in observed.volumes if each.client_id)
        seen = Seen(observed.containers, volumes, answers, details, words)
        return overview.rows(self._fleet, seen, datetime.now(UTC), only)

    def _ask_all(
        self, containers: Iterable[ObservedContainer]
    ) -> tuple[dict[str, Mapping[str, Any] | Mute], dict[str, Detail], dict[str, LastWords]]:
        # Those that are likely to be silent last: they may not keep a place from those that answer.
        ordered = sorted(containers, key=lambda each: each.health == "unhealthy")
        answers: dict[str, Mapping[str, Any] | Mute] = {}
        details: dict[str, Detail] = {}
        words: dict[str, LastWords] = {}
        for container, (answer, detail, said) in spread(self._ask, ordered, _AT_ONCE):
            if answer is not None:
                answers[container.client_id] = answer
            if detail is not None:
                details[container.client_id] = detail
            if said is not None:
                words[container.client_id] = said
        return answers, details, words

    def _ask(
        self, container: ObservedContainer
    ) -> tuple[Mapping[str, Any] | Mute | None, Detail | None, LastWords | None]:
        """A bot that answers is asked no more, unless it has only just begun: it may be for the tenth time."""
        answer: Mapping[str, Any] | Mute | None = None
        if container.state is ContainerState.RUNNING:
            answer = self.status(container.id)
        if isinstance(answer, Mapping) and answer.get("state") != State.STARTING.value:
            return answer, None, None
        detail = self._inspect(container.id)
        if isinstance(answer, Mapping) and (detail is None or not detail.restarts):
            return answer, detail, None
        return answer, detail, self._last_words(container.id)

    def _last_words(self, container: str) -> LastWords | None:
        try:
            return troubles.of_log(self._engine.logs(container, tail=_LOG_LINES))
        except EngineError as error:
            if error.problem not in _ABOUT_ONE:
                raise
            return None

    def status(self, container: str) -> Mapping[str, Any] | Mute | None:
        """What the bot in it says, or why it says nothing; None when it is not there any more."""
        if time.monotonic() < self._silent_until.get(container, 0):
            return Mute.LATE
        try:
            return talk.ask(self._engine, container, ["status"], ANSWER_SECONDS, self._language)
        except talk.Refusal as refusal:
            return Mute.NO_SOCKET if refusal.bot_exit == BotExit.NOT_RUNNING else Mute.OTHER
        except EngineError as error:
            if error.problem not in _ABOUT_ONE:
                raise
            if error.problem is not EngineProblem.SLOW_EXEC:
                return None
            self._silent_until[container] = time.monotonic() + SILENT_SECONDS
            return Mute.LATE

    def _inspect(self, container: str) -> Detail | None:
        try:
            return Detail.of(self._engine.inspect(container))
        except EngineError as error:
            if error.problem not in _ABOUT_ONE:
                raise
            return None
