"""`pair` and `logout`: link a bot by code, unlink it properly."""

from __future__ import annotations

import time
from typing import Any

import click

from bot.contract import EventName, Level
from manager import lettering, talk
from manager.app import App, UserError
from manager.clickwords import client, command, flag
from manager.conversation import Conversation, with_bot
from manager.exits import Exit
from manager.overviewtext import amount
from manager.problems import EngineError, EngineProblem
from manager.sessionwork import confirm, need_leave

_CODE_SECONDS = 60
_OUTCOME_SECONDS = 90
_LOOK_SECONDS = 0.5
_GROUP = 4


@command("pair")
@client
@click.argument("phone", metavar="PHONE", nargs=-1, required=True)
def pair(app: App, client: str, phone: tuple[str, ...]) -> Exit:
    answer = with_bot(app, client).ask("pair", " ".join(phone), seconds=_CODE_SECONDS)
    code = lettering.grouped(str(answer["code"]), _GROUP)
    if app.terminal:
        click.echo()
        for line in lettering.large(code):
            click.secho(f"  {line}", bold=True)
        click.echo()
        click.secho(f"  {code}\n", bold=True)
    else:
        click.echo(code)
    minutes = max(1, round(float(answer["expires_in"]) / 60))
    click.echo(app.say("pairing.type_it", client=client, minutes=minutes))
    return Exit.OK


@command("logout")
@client
@flag("--yes", "-y", help="yes")
def logout(app: App, client: str, yes: bool) -> Exit:
    command = f"logout {client}"
    need_leave(app, yes=yes, command=command)
    bot = with_bot(app, client)
    if not confirm(app, app.say("pairing.ask_logout", client=client), yes=yes, command=command):
        return Exit.FAILED
    before = _events(bot.status())
    bot.ask("logout", seconds=_CODE_SECONDS)
    click.echo(app.say("pairing.logging_out", client=client))
    erased = _await_logout(app, bot, before)
    size, copies, ended = amount(erased["bytes"]), erased["generations"], erased["aside"]
    click.echo(app.say("pairing.erased", client=client, size=size, generations=copies, aside=ended))
    click.echo(app.say("pairing.logged_out", client=client))
    return Exit.OK


def _await_logout(app: App, bot: Conversation, before: list[Any]) -> talk.Json:
    """What was erased, when nothing of the session is left. Raises UserError when it stays."""
    deadline = time.monotonic() + _OUTCOME_SECONDS
    while time.monotonic() < deadline:
        try:
            status = bot.status()
        except EngineError as error:
            if error.problem is not EngineProblem.SLOW_EXEC:  # a browser that closes may keep the bot busy
                raise
            continue
        for event in (each for each in _events(status) if each not in before):
            if event["event"] == EventName.SESSION_ERASED:
                return dict(event)
            if (event["event"], event["level"]) == (EventName.BOT_CONTROL, Level.WARNING):
                raise UserError(str(event["message"]), app.say("pairing.by_hand", client=bot.client_id))
        time.sleep(_LOOK_SECONDS)
    raise UserError(
        app.say("pairing.no_outcome", client=bot.client_id, seconds=_OUTCOME_SECONDS),
        app.say("pairing.by_hand", client=bot.client_id),
    )


def _events(status: talk.Json) -> list[Any]:
    return list(status.get("last_events") or ())
