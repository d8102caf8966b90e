"""The stories of the bots that are meant: their logs from the volumes, and from the engine who of them runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import click

from manager import overview
from manager.app import App
from manager.clickwords import app_of
from manager.diagnosis import Presence, Story, Window, period, tell
from manager.diagnosis.story import EARLIEST
from manager.eventlogs import EventLog, EventLogs
from manager.halves import by_two
from manager.image import ImageProgress
from manager.observed import ObservedContainer

# A busy bot's log is understood in 20 ms, a second process made in as many.
_WORTH_TWO = 4


@dataclass(frozen=True, slots=True)
class Stories:
    project: str
    window: Window
    told: tuple[Story, ...]

    @property
    def unread(self) -> dict[str, str]:
        """By client, why some of its log could not be read."""
        return {each.client_id: each.unread for each in self.told if each.unread is not None}


def aside(app: App, project: str) -> Callable[[ImageProgress], None]:
    """Tells on stderr that an image must be built first: it is no part of the answer."""

    @cache
    def teller() -> Callable[[ImageProgress], None]:
        from manager.progress import Aside  # noqa: PLC0415  an image is seldom built

        return Aside(app.say, project)

    def told(progress: ImageProgress) -> None:
        teller()(progress)

    return told


def window(ctx: click.Context, param: click.Parameter, value: str | None) -> Window:
    """The value of `--since`."""
    now = datetime.now().astimezone()
    if value is None:
        return Window(now.timestamp())
    try:
        return Window(now.timestamp(), max(EARLIEST, period.since(value, now, local).timestamp()))
    except ValueError:
        raise click.BadParameter(app_of(ctx).say("diagnosis.bad_since", text=value), ctx, param) from None


def local(moment: datetime) -> datetime:
    """What a time without a zone means on this machine."""
    try:
        return moment.astimezone()
    except (OverflowError, ValueError):  # at the edge of what a datetime can say
        return moment.replace(tzinfo=UTC)


def stories(app: App, clients: Iterable[str], told_of: Window) -> Stories:
    """bots.yaml's order, then what the engine has beyond it. Raises UserError (UNKNOWN_CLIENT), EngineError."""
    fleet, engine = app.fleet(), app.engine()
    observed = engine.observe(fleet.project, (), ())
    containers = overview.current(observed.containers)
    beyond = containers.keys() | {each.client_id for each in observed.volumes if each.client_id}
    order = [*(bot.client_id for bot in fleet.bots), *sorted(beyond - fleet.client_ids)]
    chosen = app.chosen(clients, order)
    order = [each for each in order if chosen is None or each in chosen]
    logs = EventLogs(engine, fleet, app.environ, aside(app, fleet.project)).read(observed, order)
    presences = {each: _presence(containers.get(each)) for each in order}

    def told_by(log: EventLog) -> Story:
        story = tell(log.client_id, log.lines(), told_of, presences[log.client_id], log.written)
        return replace(story, unread=log.problem)

    found = by_two(logs, told_by) if len(order) >= _WORTH_TWO else list(map(told_by, logs))
    known = {story.client_id: story for story in found}
    told = tuple(known.get(each) or Story(each, presences[each]) for each in order)
    return Stories(fleet.project, told_of, told)


def tell_unread(app: App, unread: Mapping[str, str]) -> bool:
    """Whether there was anything to tell."""
    for client, detail in unread.items():
        click.secho(app.say("diagnosis.unread", client=client, detail=detail), fg="yellow", err=True)
    return bool(unread)


def _presence(container: ObservedContainer | None) -> Presence:
    if container is None:
        return Presence.GONE
    return Presence.RUNS if container.state.may_write else Presence.IS_DOWN
