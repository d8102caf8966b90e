"""A bot that does not answer is spoken of as people know it, not by its socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from bot.contract import BotExit
from manager.conversation import Conversation
from manager.engine import Engine
from manager.exits import Exit
from manager.streams import ExecResult
from manager.talk import Refusal


class Deaf:
    """An engine whose container was started `age` ago, and in which nobody listens."""

    def __init__(self, age: timedelta, code: int = BotExit.NOT_RUNNING) -> None:
        self._started, self._code = datetime.now(UTC) - age, code

    def exec(
        self, container: str, argv: list[str], timeout: float, environ: Mapping[str, str] | None = None
    ) -> ExecResult:
        told = {
            "error": {"message": "No bot answers on /tmp/oturum.sock", "fix": "--socket"},
            "exit": self._code,
        }
        return ExecResult(self._code, json.dumps(told), "")

    def inspect(self, container: str) -> dict[str, Any]:
        return {"State": {"Status": "running", "StartedAt": self._started.isoformat()}}


def said(engine: Deaf, language: str = "en") -> Refusal:
    bot = Conversation("support", "shop-bot-support", cast("Engine", engine), language)
    with pytest.raises(Refusal) as refused:
        bot.status()
    return refused.value


def test_right_after_its_start_it_is_starting() -> None:
    found = said(Deaf(timedelta(seconds=2)))
    assert found.message == "support is still starting."
    assert "in a moment" in found.fix
    assert "sock" not in found.message + found.fix
    assert (found.bot_exit, found.code) == (BotExit.NOT_RUNNING, Exit.FAILED)
    assert said(Deaf(timedelta(seconds=2)), "tr").message == "support hâlâ başlıyor."


def test_later_it_is_said_to_hang() -> None:
    found = said(Deaf(timedelta(hours=1)))
    assert "does not answer" in found.message
    assert "python -m manager restart support" in found.fix


def test_what_the_bot_itself_refuses_stays_as_it_says_it() -> None:
    found = said(Deaf(timedelta(seconds=2), BotExit.REFUSED))
    assert found.message == "No bot answers on /tmp/oturum.sock"
