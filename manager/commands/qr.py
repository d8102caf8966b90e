"""`qr`: the QR to scan, live. Its text is a secret while it is shown: it goes to the screen, or where asked."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import segno

from bot.contract import BotExit
from manager import scan, talk, troubles
from manager.app import App, UserError
from manager.clickwords import PATH, client, command, flag, option
from manager.conversation import Conversation, with_bot
from manager.exits import Exit
from manager.problems import EngineError, EngineProblem

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LOOK_SECONDS = 1.0
_WAIT_SECONDS = 30  # for a code: a bot that starts shows one within a few seconds
_ANSWER_SECONDS = 20
_PIXELS = 8
_AWAY = frozenset({EngineProblem.NOT_RUNNING, EngineProblem.GONE})


@dataclass(frozen=True, slots=True)
class Code:
    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Paired:
    phone: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """`state`: the bot's, with what went wrong since its last code, or that it does not answer."""

    state: str


@command("qr")
@client
@option("--png", metavar="FILE", type=PATH, help="png")
@flag("--text", help="text")
def qr(app: App, client: str, png: Path | None, text: bool) -> Exit:
    if png is not None and text:
        raise click.UsageError(app.say("usage.not_together", first="--png", second="--text"))
    live = png is None and not text and app.terminal
    codes = _codes(app, with_bot(app, client, Exit.NO_QR), endless=live)
    if live:
        _live(app, client, codes)
        return Exit.OK
    code = _first(app, client, codes)
    if text:
        click.echo(code.text)
    elif png is not None:
        _write(app, png, code)
        click.echo(app.say("qr.written", file=png, number=code.number))
    else:
        click.echo("\n".join(_drawn(code, inverted=True)))
        click.echo(app.say("qr.scan", client=client, number=code.number))
    return Exit.OK


def _codes(app: App, bot: Conversation, *, endless: bool) -> Iterator[Code | Paired | Awaited]:
    """The code that is valid now, again and again. Paired is the last.

    `endless`: a bot that says that one may still come is waited for as long as somebody looks.
    Raises UserError (NO_QR) when none comes.
    """
    shown = False
    patience = time.monotonic() + _WAIT_SECONDS
    while True:
        silent = app.say("status.place_silent")
        found: Code | Paired | Awaited = Awaited(silent)
        try:
            answer = bot.ask("qr", seconds=_ANSWER_SECONDS)
            found = Code(str(answer["text"]), int(answer["number"]))
        except talk.Refusal as refusal:
            if refusal.bot_exit not in (BotExit.NO_QR, BotExit.NOT_RUNNING):
                raise
            if refusal.bot_exit == BotExit.NO_QR:
                found = _instead(app, bot, shown) or found
        except EngineError as error:
            # A bot that is restarted meanwhile comes back and shows its code anew.
            if error.problem not in _AWAY:
                raise
        yield found
        if isinstance(found, Paired):
            return
        shown = shown or isinstance(found, Code)
        if isinstance(found, Code) or (endless and found.state != silent):
            patience = time.monotonic() + _WAIT_SECONDS
        elif time.monotonic() > patience:
            raise UserError(
                app.say("qr.not_yet", client=bot.client_id, state=found.state),
                app.say("talk.see_status", client=bot.client_id),
                Exit.NO_QR,
            )
        time.sleep(_LOOK_SECONDS)


def _instead(app: App, bot: Conversation, shown: bool) -> Paired | Awaited | None:
    """Why no code is shown; None: it ends just now. Raises UserError (NO_QR) when waiting leads nowhere."""
    try:
        status = bot.status()
    except talk.Refusal:
        return None
    state, phone = str(status.get("state")), str(status.get("phone") or "-")
    found = scan.verdict(state, session_present=bool(status.get("session_present")), shown_before=shown)
    if found.next is scan.Next.NONE:
        values = {"client": bot.client_id, "state": state, "phone": phone}
        raise UserError(
            app.say(f"qr.{found.key}", **values), app.say(f"qr.{found.key}_fix", **values), Exit.NO_QR
        )
    return Paired(phone) if found.next is scan.Next.PAIRED else Awaited(troubles.state_and_why(status))


def _first(app: App, client: str, codes: Iterator[Code | Paired | Awaited]) -> Code:
    """Says once for each state why there is none yet. Raises UserError (NO_QR)."""
    told: object = None
    for each in codes:
        if isinstance(each, Code):
            return each
        if isinstance(each, Awaited) and each != told:
            told = each
            click.echo(app.say("qr.waiting", client=client, state=each.state), err=True)
    # Only a code that was shown is followed by Paired, and the first one is returned.
    raise AssertionError("no code and no reason")


def _drawn(code: Code, *, inverted: bool) -> list[str]:
    return scan.half_blocks(_made(code).matrix, inverted=inverted)


def _made(code: Code) -> segno.QRCode:
    return segno.make(code.text, error="l", micro=False)


def _live(app: App, client: str, codes: Iterator[Code | Paired | Awaited]) -> None:
    """Drawn in place, and gone from the screen at the end: a code that was shown is nobody's business later."""
    from rich.console import Console  # noqa: PLC0415  only where a terminal is
    from rich.live import Live  # noqa: PLC0415

    console = Console(highlight=False)
    shown: Code | Paired | Awaited | None = None
    with Live(console=console, transient=True, auto_refresh=False) as live:
        drawn: object = None
        for code in codes:
            shown = code
            if drawn != (code, console.size):
                drawn = (code, console.size)
                live.update(_picture(app, client, code, console), refresh=True)
    if isinstance(shown, Paired):
        click.echo(app.say("qr.paired", client=client, phone=shown.phone))


def _picture(app: App, client: str, code: Code | Paired | Awaited, console: Console) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    if isinstance(code, Paired):
        return Text()
    if isinstance(code, Awaited):
        return Text(app.say("qr.waiting", client=client, state=code.state))
    # With colours it is dark on light, whatever the terminal's own are; without, most terminals are dark.
    plain = console.no_color or console.color_system is None
    lines = _drawn(code, inverted=plain)
    below = Text(app.say("qr.scan", client=client, number=code.number))
    below.append("\n" + app.say("qr.ends"))
    height = len(lines) + len(below.wrap(console, console.width))
    width = len(lines[0])
    if console.width < width or console.height < height:
        room = {"width": console.width, "height": console.height}
        return Text(app.say("qr.too_small", need_width=width, need_height=height, client=client, **room))
    style = "" if plain else "#000000 on #ffffff"
    return Group(*(Text(line, style=style, no_wrap=True) for line in lines), below)


def _write(app: App, file: Path, code: Code) -> None:
    """Whole or not at all, and readable by its owner alone. Raises UserError."""
    buffer = io.BytesIO()
    _made(code).save(buffer, kind="png", scale=_PIXELS, border=4)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # made with mode 0600
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(buffer.getvalue())
            Path(name).replace(file)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise UserError(
            app.say("qr.not_written", file=file, detail=error.strerror), app.say("qr.not_written_fix")
        ) from error
