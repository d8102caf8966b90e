"""PURE: what the watcher tells, each happening with a name for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.contract import Level
from bot.text import Catalogue
from manager import watchdog
from manager.configproblems import ConfigErrors
from manager.plan import Cause, Note
from manager.problems import EngineError
from manager.rollout import News
from manager.watchdog import Decision


class Kind(StrEnum):
    """The `event` of a JSON line. Its sentence is `watch.<name in small letters>` of the catalogues."""

    WATCH_START = "WATCH_START"
    WATCH_STOPPING = "WATCH_STOPPING"
    WATCH_STOP = "WATCH_STOP"
    WATCH_RENEW = "WATCH_RENEW"
    WATCH_BROKEN = "WATCH_BROKEN"
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
    START_HELD = "START_HELD"
    STEP_DONE = "STEP_DONE"
    STEP_FAILED = "STEP_FAILED"
    PASS_FAILED = "PASS_FAILED"  # noqa: S105  no password
    PLAN_NOTE = "PLAN_NOTE"
    CONVERGED = "CONVERGED"
    BOT_UNHEALTHY = "BOT_UNHEALTHY"
    BOT_RESTART = "BOT_RESTART"
    BOT_LEFT = "BOT_LEFT"
    BOT_GAVE_UP = "BOT_GAVE_UP"
    BOT_OOM = "BOT_OOM"
    ROLLOUT_STEP = "ROLLOUT_STEP"
    ROLLOUT_REACHED = "ROLLOUT_REACHED"
    ROLLOUT_HALT = "ROLLOUT_HALT"
    ROLLOUT_GOES_ON = "ROLLOUT_GOES_ON"
    ROLLOUT_DONE = "ROLLOUT_DONE"

    @property
    def level(self) -> Level:
        return _LEVELS.get(self, Level.INFO)


_LEVELS = {
    Kind.WATCH_UNGUARDED: Level.WARNING,
    Kind.WATCH_BROKEN: Level.ERROR,
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
    Kind.BOT_UNHEALTHY: Level.WARNING,
    Kind.BOT_RESTART: Level.WARNING,
    Kind.BOT_LEFT: Level.WARNING,
    Kind.BOT_GAVE_UP: Level.ERROR,
    Kind.BOT_OOM: Level.WARNING,
    Kind.ROLLOUT_REACHED: Level.SUCCESS,
    Kind.ROLLOUT_HALT: Level.ERROR,
    Kind.ROLLOUT_GOES_ON: Level.SUCCESS,
    Kind.ROLLOUT_DONE: Level.SUCCESS,
}

_OF_DECISIONS = {
    watchdog.Kind.WAIT: Kind.BOT_UNHEALTHY,
    watchdog.Kind.RESTART: Kind.BOT_RESTART,
    watchdog.Kind.LEAVE: Kind.BOT_LEFT,
    watchdog.Kind.GAVE_UP: Kind.BOT_GAVE_UP,
    watchdog.Kind.NOTE: Kind.BOT_OOM,
}
_OF_NEWS = {
    "reached": Kind.ROLLOUT_REACHED,
    "halt": Kind.ROLLOUT_HALT,
    "goes_on": Kind.ROLLOUT_GOES_ON,
    "done": Kind.ROLLOUT_DONE,
}

Value = str | int | float | EngineError | ConfigErrors | Note | Cause | Decision | News


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
                case News():
                    filled[name] = value.say(say, watched=True)
                case Note() | Cause() | Decision():
                    filled[name] = value.say(say)
                case _:
                    filled[name] = value
        return say(f"watch.{self.kind.lower()}", **filled)

    def fields(self) -> dict[str, object]:
        """Words of the program, the same in every language. A `text` is a sentence already."""
        told: dict[str, object] = {}
        for name, value in self.values.items():
            match value:
                case EngineError():
                    told["problem"] = value.problem.value
                case ConfigErrors():
                    told["problems"] = len(value.problems) + value.more
                case Note() | Cause() | Decision() | News():
                    told[name] = value.key
                case _ if name != "text":
                    told[name] = value
        return told


def of_decision(decision: Decision) -> Happening:
    """What the watchdog decided about a bot."""
    values: dict[str, Value] = {"decision": decision, "reason": decision.reason.value}
    return Happening(_OF_DECISIONS[decision.kind], values, decision.client_id)


def of_news(news: News) -> Happening:
    """What a roll-out has to tell."""
    client = news.halt.client_id if news.halt else news.client_id
    return Happening(_OF_NEWS.get(news.key, Kind.ROLLOUT_STEP), {"news": news}, client)
