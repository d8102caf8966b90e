"""Asks running bots, over `python -m bot ctl` exec'ed beside them: works with any engine, wherever it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bot.contract import BotExit
from manager.app import UserError
from manager.exits import Exit
from manager.problems import EngineError, EngineProblem
from manager.streams import ExecResult

LANGUAGE_VARIABLE = "OTURUM_LANG"  # as `bot ctl` reads it
_CTL = ("python", "-m", "bot", "ctl")
_CUT_OFF = (137, 143)  # its container ended while the bot was asked

Json = dict[str, Any]


class Executes(Protocol):
    def exec(
        self, container: str, argv: list[str], timeout: float, environ: Mapping[str, str] | None = None
    ) -> ExecResult: ...


class Refusal(UserError):
    """The bot (or its `ctl`) said no, in sentences of its own; `bot_exit` is its exit code.

    NO_QR is the command line's too; whatever else a bot refuses is an action that failed.
    """

    def __init__(self, bot_exit: int, message: str, fix: str = "") -> None:
        super().__init__(message, fix, Exit.NO_QR if bot_exit == BotExit.NO_QR else Exit.FAILED)
        self.bot_exit = bot_exit


def ask(engine: Executes, container: str, words: Sequence[str], seconds: float, language: str) -> Json:
    """The bot's answer to `ctl WORDS`. Raises Refusal; EngineError NOT_RUNNING, GONE, SLOW_EXEC."""
    found = engine.exec(container, [*_CTL, *words, "--json"], seconds, {LANGUAGE_VARIABLE: language})
    if found.exit_code in _CUT_OFF and not found.stdout and not found.stderr:
        raise EngineError(EngineProblem.NOT_RUNNING, name=container)
    return answer_of(found)


def answer_of(found: ExecResult) -> Json:
    """Raises Refusal, also for what no bot ever said: the container may hold anything."""
    try:
        answer = json.loads(found.stdout)
    except ValueError:
        answer = None
    if found.exit_code == BotExit.OK and isinstance(answer, dict):
        return answer
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        raise Refusal(found.exit_code, str(error.get("message", "")), str(error.get("fix", "")))
    said = (found.stderr.strip() or found.stdout.strip()).splitlines()
    raise Refusal(found.exit_code or BotExit.FAILED, said[-1] if said else f"exit code {found.exit_code}")
