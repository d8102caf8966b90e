"""A backup has a running bot copy its session first; whatever keeps it from that is said, and nothing breaks."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.contract import BotExit
from bot.problem import LOCALES
from bot.text import Catalogue
from manager.problems import EngineError, EngineProblem
from manager.sessionwork import copy_live
from manager.streams import ExecResult
from manager.text import catalogue

SAY = catalogue("en")
NOT_READY = Catalogue(LOCALES, "en")("control.not_ready", state="RECONNECTING")


class Bot:
    """A container that gives this answer."""

    def __init__(self, answer: ExecResult | EngineError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def exec(
        self, container: str, argv: list[str], timeout: float, environ: Mapping[str, str] | None = None
    ) -> ExecResult:
        self.asked = argv
        assert container == "oturum-shop"
        assert environ == {"OTURUM_LANG": "en"}
        if isinstance(self.answer, EngineError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (ExecResult(0, '{"number": 4, "bytes": 5, "taken_at": "2026-01-02T00:00:00Z"}', ""), None),
        (ExecResult(BotExit.REFUSED, '{"error": {"message": "' + NOT_READY + '"}}', ""), "RECONNECTING"),
        (
            ExecResult(BotExit.NOT_RUNNING, '{"error": {"message": "No bot on /tmp/x.sock"}}', ""),
            "does not answer yet",
        ),
        (ExecResult(2, "", "usage: …\nctl: error: invalid choice: 'generation'"), "invalid choice"),
        (EngineError(EngineProblem.NOT_RUNNING, name="oturum-shop"), "not running"),
    ],
)
def test_what_a_running_bot_answers(answer: ExecResult | EngineError, why: str | None) -> None:
    bot = Bot(answer)
    told = copy_live(bot, "oturum-shop", SAY)
    assert bot.asked == ["python", "-m", "bot", "ctl", "generation", "--json"]
    assert (told is None) if why is None else (told is not None and why in told)
