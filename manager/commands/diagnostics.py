"""`diagnostics` and `report`: what the event logs tell of the bots, as text, as JSON, and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from manager import diagnosis
from manager.app import App, UserError
from manager.clickwords import PATH, app_of, clients, command, flag, json_flag, option
from manager.diagnosis import Story, data, tables
from manager.diagnosis.story import Window
from manager.diagnosis.words import Clock
from manager.exits import Exit
from manager.overviewtext import amount
from manager.pieces import coloured, plain
from manager.stories import Stories, stories, tell_unread, window
from manager.wholefile import is_taken, whole_file

# Of the table: between two columns, and left and right of all.
_GAP, _BESIDE = 2, 2
WORDS = ("summary", "error")
STYLE = Path(diagnosis.__file__).with_name("page.css")


def _one_of(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value not in WORDS:
        raise click.BadParameter(app_of(ctx).say("diagnosis.bad_what", text=value), ctx, param)
    return value


def _words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [each for each in WORDS if each.startswith(incomplete)]


@command("diagnostics")
@click.argument("what", metavar="summary|error", callback=_one_of, shell_complete=_words)
@clients
@option("--since", "told_of", metavar="WHEN", callback=window, help="since")
@json_flag
def diagnostics(app: App, what: str, clients: tuple[str, ...], told_of: Window, as_json: bool) -> Exit:
    found = stories(app, clients, told_of)
    if as_json:
        answer = (data.summary if what == "summary" else data.errors)(found.told, found.window, app.say)
        # Python's own encoder takes seconds for what a hundred busy bots have to say.
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    elif not found.told:
        click.echo(app.say("diagnosis.none"))
    elif what == "summary":
        _summary(app, found)
    else:
        _errors(app, found)
    return Exit.FAILED if tell_unread(app, found.unread) else Exit.OK


def _summary(app: App, found: Stories) -> None:
    clock = Clock(found.window.now)
    below = list(tables.verdicts(found.told, clock, app.say))
    if app.terminal:
        _table(app, found.told, clock)
    else:
        click.echo("\n".join(tables.summary_columns(found.told, clock, app.say)))
    if below:
        click.echo()
    for line in below:
        click.echo((coloured if app.terminal else plain)(line))


def _table(app: App, told: Sequence[Story], clock: Clock) -> None:
    from rich import box  # noqa: PLC0415  only where a terminal is
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    heads = tables.heads(app.say)
    rows = [[each.replace(", ", "\n") for each in tables.cells(story, clock, app.say)] for story in told]
    widths = tables.fitted([heads, *rows], console.width - _BESIDE - _GAP * (len(heads) - 1))
    if widths is None:
        for line in tables.stacked(told, clock, app.say):
            click.echo(coloured(line))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for head, width in zip(heads, widths, strict=True):
        table.add_column(head, width=width, overflow="fold")
    for story, (name, state, *rest) in zip(told, rows, strict=True):
        styled = Text(state, style=tables.state_style(story.state))
        table.add_row(Text(name, style="bold"), styled, *map(Text, rest))
    console.print(table)


def _errors(app: App, found: Stories) -> None:
    clock = Clock(found.window.now)
    for story in found.told:  # on stderr: what is counted below is not all there was
        if story.unreadable:
            missed = app.say("diagnosis.note_unreadable", count=story.unreadable)
            click.secho(f"{story.client_id}: {missed}", fg="yellow", err=True)
    if not any(story.failures for story in found.told):
        click.echo(app.say("diagnosis.no_failures"))
        return
    if not app.terminal:
        click.echo("\n".join(tables.error_columns(found.told, clock, app.say)))
        return
    for line in tables.error_screen(found.told, clock, app.say):
        click.echo(coloured(line))
    if well := ", ".join(story.client_id for story in found.told if not story.failures):
        click.echo(app.say("diagnosis.no_failures_of", clients=well))


@command("report")
@clients
@option("--html", "page", metavar="FILE", required=True, type=PATH, help="html")
@option("--since", "told_of", metavar="WHEN", callback=window, help="since")
@flag("--force", help="force")
def report(app: App, clients: tuple[str, ...], page: Path, told_of: Window, force: bool) -> Exit:
    if is_taken(page) and not force:
        raise _exists(app, page)
    from manager.diagnosis.page import Page  # noqa: PLC0415  `diagnostics` starts without it

    found = stories(app, clients, told_of)
    clock, style = Clock(found.window.now), STYLE.read_text(encoding="utf-8")
    content = Page(found.project, found.told, found.window, clock, app.say, style).html().encode()
    try:
        with whole_file(page, force=force) as out:
            out.write(content)
    except FileExistsError:
        raise _exists(app, page) from None
    except OSError as error:
        raise UserError(app.say("report.not_written", file=page, reason=error.strerror or error)) from error
    size = amount(len(content))
    click.echo(app.say("report.written", file=page, count=len(found.told), size=size))
    return Exit.FAILED if tell_unread(app, found.unread) else Exit.OK


def _exists(app: App, file: Path) -> UserError:
    return UserError(app.say("report.exists", file=file), app.say("report.exists_fix"))
