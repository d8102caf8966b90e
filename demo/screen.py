"""What the demo's audience sees. Lines of several threads never mix; colours only where a terminal is."""

from __future__ import annotations

import sys
import textwrap
import threading
from collections.abc import Sequence

import click

from bot.text import Catalogue
from demo.ear import Event

_LEVELS = {"success": "green", "warning": "yellow", "error": "red"}
_CLIENTS = ("cyan", "magenta")
_LEFT_OUT = {"time", "event", "level", "client_id", "message", "clientId", "from", "to", "number"}


class Screen:
    def __init__(self, say: Catalogue, clients: Sequence[str]) -> None:
        self.say = say
        self._colours = {client: _CLIENTS[at % len(_CLIENTS)] for at, client in enumerate(clients)}
        self._width = max(map(len, clients))
        self._turn = threading.Lock()

    def line(self, text: str = "", colour: str | None = None, *, bold: bool = False) -> None:
        with self._turn:
            click.secho(text, fg=colour, bold=bold or None)
            sys.stdout.flush()

    def tell(self, key: str, **values: object) -> None:
        self.line(textwrap.indent(self.say(key, **values), "  "))

    def heading(self, number: int, of: int, text: str) -> None:
        self.line(f"\n━━ {number}/{of} {text} ".ljust(78, "━"), "blue", bold=True)

    def command(self, words: str) -> None:
        """What the audience could type to the same effect."""
        self.line(f"  $ {words}", bold=True)

    def event(self, event: Event) -> None:
        """One line of a bot's event log."""
        client = event["client_id"]
        pairs = " | ".join(
            f"{key}: {_written(value)}" for key, value in event.items() if key not in _LEFT_OUT
        )
        name = click.style(f"{client:{self._width}}", fg=self._colours.get(client))
        what = click.style(f"{event['event']:<20}", fg=_LEVELS.get(event["level"]))
        self.line(
            f"  {event['time'][11:19]}  {name}  {what} {event['message']}" + (f" | {pairs}" if pairs else "")
        )

    def picture(self, title: str, picture: str) -> None:
        self.line("\n" + textwrap.indent(f"{title}\n{picture}", "  ") + "\n")

    def claim(self, text: str, holds: bool) -> None:
        self.line(f"  {'✔' if holds else '✘'} {text}", "green" if holds else "red")


def _written(value: object) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
