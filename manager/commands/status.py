"""`status`: how the bots are. Ends with 0 also when some are down: it tells, it does not judge (`--json` for that)."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from manager import overviewtext
from manager.app import App
from manager.clickwords import clients, command, flag, json_flag
from manager.exits import Exit
from manager.overview import Row
from manager.pieces import coloured
from manager.survey import Survey

_WATCH_SECONDS = 2


@command("status")
@clients
@flag("--watch", help="watch")
@json_flag
def status(app: App, clients: tuple[str, ...], watch: bool, as_json: bool) -> Exit:
    rounds = _rounds(app, clients)
    if watch and app.terminal:
        _live(app, rounds)
        return Exit.OK
    for found in rounds:
        if as_json:
            bots = [row.as_json(app.say) for row in found]
            click.echo(
                json.dumps({"ok": True, "bots": bots}, ensure_ascii=False, indent=None if watch else 2)
            )
        else:
            click.echo(_text(app, found))
        if not watch:
            break
        time.sleep(_WATCH_SECONDS)
    return Exit.OK


def _rounds(app: App, clients: tuple[str, ...]) -> Iterator[list[Row]]:
    """Rows without end, as fast as they are asked for; bots that come and go are seen."""
    fleet = app.fleet()
    survey = Survey(app.engine(), fleet, app.say.language)
    observed = survey.observe()
    known = fleet.client_ids | {each.client_id for each in observed.containers}
    chosen = app.chosen(clients, known)
    while True:
        yield survey.rows(observed, chosen)
        observed = survey.observe()


def _text(app: App, rows: list[Row]) -> str:
    now = datetime.now(UTC)
    if not app.terminal:
        return "\n".join(overviewtext.columns(rows, now, app.say))
    lines = overviewtext.screen(rows, now, app.say, shutil.get_terminal_size().columns)
    return "\n".join(coloured(line) for line in lines)


def _live(app: App, rounds: Iterator[list[Row]]) -> None:
    from rich.console import Console  # noqa: PLC0415  only where a terminal is
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    shown: list[Row] = next(rounds)

    def picture() -> Text:
        # One line stays free: a terminal scrolls when its last one is written.
        lines = overviewtext.screen(shown, datetime.now(UTC), app.say, console.width, console.height - 1)
        pieces = [Text.assemble(*((piece.text, piece.style) for piece in line)) for line in lines]
        return Text("\n").join(pieces)

    with Live(get_renderable=picture, console=console, refresh_per_second=1, vertical_overflow="crop"):
        while True:
            time.sleep(_WATCH_SECONDS)
            shown = next(rounds)
