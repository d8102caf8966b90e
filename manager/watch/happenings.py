"""PURE: what the watcher tells, each happening with a name for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.contract import Level
from bot.text import Catalogue
from manager.configproblems import ConfigErrors
from manager.plan import Cause, Note
from manager.problems import EngineError


class Kind(StrEnum):
    """The `event` of a JSON line. Its sentence is `watch.<name in small letters>` of the catalogues."""

    WATCH_START = "WATCH_START"
    WATCH_STOPPING = "WATCH_STOPPING"
    WATCH_STOP = "WATCH_STOP"
    WATCH_UNGUARDED = "WATCH_UNGUARDED"
    CONFIG_LOADED = "CONFIG_LOADED"
    CONFIG_INVALID = "CONFIG_INVALID"
    CONFIG_MISSING = "CONFIG_MISSING"
    CONFIG_MENDED = "CONFIG_MENDED"
    ENGINE_LOST = "ENGINE_LOST"
    ENGINE_BACK = "ENGINE_BACK"
    MANAGER_WAIT = "MANAGER_WAIT"
    IMAGE_STEP = "IMAGE_STEP"
    IMAGE_BUILT = "IMAGE_BUILT"
    STEP_DONE = "STEP_DONE"
    STEP_FAILED = "STEP_FAILED"
    PASS_FAILED = "PASS_FAILED"  # noqa: S105  no password
    PLAN_NOTE = "PLAN_NOTE"
    CONVERGED = "CONVERGED"

    @property
    def level(self) -> Level:
        return _LEVELS.get(self, Level.INFO)


_LEVELS = {
    Kind.WATCH_UNGUARDED: Level.WARNING,
    Kind.CONFIG_INVALID: Level.ERROR,
    Kind.CONFIG_MISSING: Level.ERROR,
    Kind.CONFIG_MENDED: Level.SUCCESS,
    Kind.ENGINE_LOST: Level.ERROR,
    Kind.ENGINE_BACK: Level.SUCCESS,
    Kind.MANAGER_WAIT: Level.WARNING,
    Kind.STEP_FAILED: Level.ERROR,
    Kind.PASS_FAILED: Level.ERROR,
    Kind.PLAN_NOTE: Level.WARNING,
    Kind.CONVERGED: Level.SUCCESS,
}

Value = str | int | float | EngineError | ConfigErrors | Note | Cause


@dataclass(frozen=True, slots=True)
class Happening:
    """`values` fill the sentence's places. Names and numbers among them are fields of the JSON line too; what has
    to be said in the reader's language (an error, a note) is in the sentence alone, with its name as a field."""

    kind: Kind
    values: Mapping[str, Value] = field(default_factory=dict)
    client_id: str | None = None

    def say(self, say: Catalogue) -> str:
        filled: dict[str, object] = {"client": self.client_id}
        for name, value in self.values.items():
            match value:
                case EngineError():
                    said = value.say(say)
                    filled |= {name: said.message, f"{name}_fix": said.fix}
                case ConfigErrors():
                    filled[name] = "\n".join(value.lines(say))
                case Note() | Cause():
                    filled[name] = value.say(say)
                case _:
                    filled[name] = value
        return say(f"watch.{self.kind.lower()}", **filled)

    def fields(self) -> dict[str, object]:
        """Words of the program, the same in every language."""
        told: dict[str, object] = {}
        for name, value in self.values.items():
            match value:
                case EngineError():
                    told["problem"] = value.problem.value
                case ConfigErrors():
                    told["problems"] = len(value.problems) + value.more
                case Note() | Cause():
                    told[name] = value.key
                case _:
                    told[name] = value
        return told
