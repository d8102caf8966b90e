"""The stories of the bots that are meant: their logs from the volumes, and from the engine who of them runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import click

from manager import overview
from manager.app import App
from manager.clickwords import app_of
from manager.diagnosis import Presence, Story, Window, period, tell
from manager.diagnosis.story import EARLIEST
from manager.eventlogs import EventLogs
from manager.observed import ObservedContainer
from manager.progress import Plain


@dataclass(frozen=True, slots=True)
class Stories:
    """`unread`: by client, why some of its log could not be read."""

    project: str
    window: Window
    told: tuple[Story, ...]
    unread: Mapping[str, str]


class Aside(Plain):
    """On stderr: that an image must be built first is no part of the answer."""

    def line(self, text: str, colour: str | None = None) -> None:
        click.secho(text, fg=colour, err=True)


def window(ctx: click.Context, param: click.Parameter, value: str | None) -> Window:
    """The value of `--since`."""
    now = datetime.now().astimezone()
    if value is None:
        return Window(now.timestamp())
    try:
        return Window(now.timestamp(), max(EARLIEST, period.since(value, now).timestamp()))
    except ValueError:
        raise click.BadParameter(app_of(ctx).say("diagnosis.bad_since", text=value), ctx, param) from None


def stories(app: App, clients: Iterable[str], told_of: Window) -> Stories:
    """bots.yaml's order, then what the engine has beyond it. Raises UserError (UNKNOWN_CLIENT), EngineError."""
    fleet, engine = app.fleet(), app.engine()
    observed = engine.observe(fleet.project, (), ())
    containers = overview.current(observed.containers)
    beyond = containers.keys() | {each.client_id for each in observed.volumes if each.client_id}
    order = [*(bot.client_id for bot in fleet.bots), *sorted(beyond - fleet.client_ids)]
    chosen = app.chosen(clients, order)
    order = [each for each in order if chosen is None or each in chosen]
    logs = EventLogs(engine, fleet, app.environ, Aside(app.say, fleet.project))
    presences = {each: _presence(containers.get(each)) for each in order}
    found: dict[str, Story] = {}
    unread: dict[str, str] = {}
    for log in logs.read(observed, order):
        client = log.client_id
        found[client] = tell(client, log.lines, told_of, presences[client], log.written)
        if log.problem is not None:
            unread[client] = log.problem
    told = tuple(found.get(each) or Story(each, presences[each]) for each in order)
    return Stories(fleet.project, told_of, told, unread)


def tell_unread(app: App, unread: Mapping[str, str]) -> bool:
    """Whether there was anything to tell."""
    for client, detail in unread.items():
        click.secho(app.say("diagnosis.unread", client=client, detail=detail), fg="yellow", err=True)
    return bool(unread)


def _presence(container: ObservedContainer | None) -> Presence:
    if container is None:
        return Presence.GONE
    return Presence.RUNS if container.state.may_write else Presence.IS_DOWN
