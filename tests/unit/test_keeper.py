"""What the volume refuses while the bot runs is told as at its start: with a hint, and what mends it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot import VERSION
from bot import stimuli as s
from bot.events import EventLog
from bot.keeper import Keeper
from bot.metrics import BotMetrics
from bot.problem import LOCALES
from bot.session import Session
from bot.text import Catalogue


@pytest.mark.parametrize("work", ["restore", "set_aside", "erase"])
@pytest.mark.parametrize(("language", "word"), [("en", "no write permission"), ("tr", "yazma izni yok")])
def test_a_refused_change_names_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str, language: str, word: str
) -> None:
    """Root may do everything: the refusal of the system is given here."""
    session = Session.open(tmp_path, "shop")
    heard: list[s.Event] = []
    say = Catalogue(LOCALES, language)
    keeper = Keeper(session, EventLog("shop", say), BotMetrics("shop", VERSION), say, heard.append)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "generations"))

    for each in ("restore_generation", "set_aside", "erase"):
        monkeypatch.setattr(session, each, refuse)
    asyncio.run(getattr(keeper, work)("lost"))
    (failed,) = heard
    assert isinstance(failed, s.StorageFailed)
    assert word in failed.message
    assert str(tmp_path / "generations") in failed.message
    assert "Errno" not in failed.message
    assert failed.hint
    assert "chown -R" in failed.fix
    session.close()
