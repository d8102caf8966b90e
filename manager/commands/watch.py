"""`watch`: keeps the engine as bots.yaml says, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import re
import sys

import click

from bot.webdoor import PortTaken
from manager.app import App, UserError
from manager.clickwords import app_of, command, json_flag, number, option
from manager.exits import Exit
from manager.watch.holder import Held
from manager.watch.loop import Outdated, Surroundings
from manager.watch.loop import watch as keep_watch
from manager.watch.program import Program
from manager.watch.telling import Teller
from manager.watch.work import Ways

DEFAULT_ADDRESS = "127.0.0.1:9465"
DEFAULT_BATCH = 5


def _address(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, int]:
    """`127.0.0.1:9465`, `[::1]:9465`, `manager.lan:9465`."""
    found = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]/]+)):(?P<port>\d{1,5})", value)
    if found is None or int(found["port"]) > 65535:
        raise click.BadParameter(app_of(ctx).say("usage.not_an_address", text=value), ctx, param)
    return found["six"] or found["host"], int(found["port"])


@command("watch")
@option("--listen", metavar="HOST:PORT", default=DEFAULT_ADDRESS, callback=_address, help="listen")
@option("--batch", metavar="N", default=str(DEFAULT_BATCH), callback=number(1), help="watch_batch")
@option("--join", metavar="LABEL", default=None, help="join")
@json_flag
def watch(app: App, listen: tuple[str, int], batch: int, join: str | None, as_json: bool) -> Exit:
    tell = Teller(app.say, sys.stdout, as_json=app.json, colour=app.terminal)
    host, port = listen
    program = Program()
    ways = Ways(
        app.environ,
        app.say.language,
        batch,
        join,
        changed_for=program.changed_for,
        broken=program.broken,
    )
    around = Surroundings(app.file, app.engine(), ways, app.say, tell, host, port)
    try:
        return asyncio.run(keep_watch(around))
    except Outdated:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606  ourselves, as we were called
    except PortTaken as error:
        values = {"address": f"{error.host}:{error.port}", "detail": error.detail}
        raise UserError(app.say("watch.port_taken", **values), app.say("watch.port_taken_fix")) from error
    except Held as held:
        values = {"holder": held.holder, "container": held.container}
        raise UserError(
            app.say("watch.held", **values), app.say("watch.held_fix", **values), Exit.HELD
        ) from held
