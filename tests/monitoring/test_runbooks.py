"""What the runbooks have people type exists: commands and options, and the pages, events and metrics they name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bot import VERSION
from bot.contract import EventName, State
from bot.marker import Marker
from bot.metrics import BotMetrics
from bot.moves import Moves
from manager.app import App
from manager.cli import root
from tests.monitoring.tools import RUNBOOKS, alerts

PAGES = sorted(RUNBOOKS.glob("Oturum*.md"))


def commands() -> Iterator[tuple[str, str]]:
    """Page and the words after `python -m manager`, in blocks and in sentences."""
    for page in PAGES:
        for line in re.findall(r"python -m manager ([^`\n#&]+)", page.read_text()):
            yield page.stem, line.strip()


def parse(line: str) -> click.Context:
    """Raises click's UsageError for what the command line would refuse."""
    name, *rest = shlex.split(re.sub(r"\bN\b", "2", line))
    outer = click.Context(root, obj=App.of({}))
    command = root.get_command(outer, name)
    if command is None:
        raise click.UsageError(f"no command {name}")
    return command.make_context(name, rest, parent=outer)


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_the_manager_takes_it(page: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["log CLIENT", "logs CLIENT --tale 3", "rollback", "status --rows"])
def test_what_is_wrong_would_have_been_refused(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


def test_who_gave_up_is_told_of_both_who_restart_bots() -> None:
    description = alerts()["OturumBotGaveUp"]["annotations"]["description"]
    for text in (description, (RUNBOOKS / "OturumBotGaveUp.md").read_text()):
        assert "manager restarted it" in text
        assert "engine started it" in text


def test_after_a_loss_its_page_offers_what_is_still_there(tmp_path: Path) -> None:
    copy = tmp_path / "generations" / "00000001"
    copy.mkdir(parents=True)
    (copy / "manifest.json").touch()
    moves = Moves(tmp_path)
    assert moves.generations.numbers() == [1]
    _, aside = moves.finish_aside(Marker(), "session_lost")
    assert moves.generations.numbers() == []
    assert aside is not None
    words = {line.split()[0] for page, line in commands() if page == "OturumSessionLost"}
    assert {"restore", "qr"} <= words
    assert not words & {"generations", "rollback"}
    text = (RUNBOOKS / "OturumSessionLost.md").read_text()
    assert f"/session/{aside.parent.name}" in text
    assert aside.name.partition("-")[2] in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_it_names_is_there(page: object) -> None:
    text = next(path.read_text() for path in PAGES if path == page)
    for link in re.findall(r"]\(([^)]+)\)", text):
        assert (RUNBOOKS / link).exists(), link
    events = {name.value for name in EventName} | {state.value for state in State}
    for name in re.findall(r"`([A-Z]{3,}_[A-Z_]+)`", text):
        assert name in events or name in ("CONNECTION_ERROR", "PAGE_CRASHED", "BROWSER_LOST", "PAGE_HUNG"), (
            name
        )
    served = {family.name for family in BotMetrics("shop", VERSION).registry.collect()}
    for name in re.findall(r"\b(whatsapp_bot_[a-z_]+)", text):
        assert name.removesuffix("_total") in served, name
