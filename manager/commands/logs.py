"""`logs`: the event logs of the bots, for people or as JSON."""

from __future__ import annotations

from collections.abc import Callable

import click

from manager import overview
from manager.app import App, UserError
from manager.clickwords import clients, command, flag, number, option
from manager.eventlogs import EventLogs
from manager.fleet import Fleet
from manager.following import Logs
from manager.loglines import Layout, Stamped, left_behind, printable
from manager.observed import Observed, ObservedContainer
from manager.pieces import coloured, plain
from manager.problems import EngineError
from manager.spec import volume_name
from manager.stories import aside, tell_unread


@command("logs")
@clients
@flag("-f", "--follow", help="follow")
@option("--tail", metavar="N", callback=number(0), help="tail")
@flag("--raw", help="raw")
def logs(app: App, clients: tuple[str, ...], follow: bool, tail: int | None, raw: bool) -> None:
    fleet, engine = app.fleet(), app.engine()
    observed = engine.observe(fleet.project, (), ())
    meant = fleet.client_ids | {each.client_id for each in observed.containers}
    kept = {each.client_id for each in observed.volumes if each.client_id}
    chosen = app.chosen(clients, meant | kept)
    meant = chosen or meant
    found = _containers(observed, chosen)
    absent = meant - {each.client_id for each in found} - (fleet.disabled if chosen is None else frozenset())
    left = _from_volumes(app, fleet, observed, absent & kept, tail)
    _tell_absent(app, observed, absent - left.keys(), follow, bool(found or left))
    show = _shower(app, raw, several=len(meant) > 1 or (chosen is None and follow), names=meant)
    reader = Logs(engine, lambda client, error: _trouble(app, client, error))
    for line in reader.past(found, tail, left.values()):
        show(line)
    if follow:
        for batch in reader.coming(lambda: _containers(engine.observe(fleet.project, (), ()), chosen)):
            for line in batch:
                show(line)


def _containers(observed: Observed, chosen: frozenset[str] | None) -> list[ObservedContainer]:
    current = overview.current(observed.containers)
    return [each for client, each in sorted(current.items()) if chosen is None or client in chosen]


def _shower(app: App, raw: bool, *, several: bool, names: frozenset[str]) -> Callable[[Stamped], None]:
    if raw:
        # What a bot printed beside its events may hold anything; a person's terminal is spared its escapes.
        return lambda line: click.echo(printable(line.text) if app.terminal else line.text)
    layout = Layout(app.say, max(map(len, names), default=0) if several else 0)
    written = coloured if app.terminal else plain
    return lambda line: click.echo(written(layout.line(line)))


def _from_volumes(
    app: App, fleet: Fleet, observed: Observed, clients: frozenset[str], tail: int | None
) -> dict[str, list[Stamped]]:
    """What bots without a container have left behind. Those without a line are left out."""
    reader = EventLogs(app.engine(), fleet, app.environ, aside(app, fleet.project))
    found: dict[str, list[Stamped]] = {}
    for log in reader.read(observed, clients):
        if log.problem is not None:
            tell_unread(app, {log.client_id: log.problem})
        if lines := left_behind(log.client_id, log.lines()):
            volume = volume_name(observed.project, log.client_id)
            click.echo(app.say("logs.on_volume", client=log.client_id, volume=volume), err=True)
            found[log.client_id] = lines if tail is None else lines[max(0, len(lines) - tail) :]
    return found


def _tell_absent(app: App, observed: Observed, absent: frozenset[str], follow: bool, others: bool) -> None:
    """Raises UserError when there is nothing to show, and nothing to wait for."""
    kept = {each.client_id for each in observed.volumes}
    lines = [
        app.say("logs.empty" if client in kept else "logs.never", client=client) for client in sorted(absent)
    ]
    if lines and not others and not follow:
        raise UserError("\n".join(lines), app.say("logs.up_fix"))
    for line in lines:
        click.echo(line, err=True)
    if follow and not others:
        click.echo(app.say("logs.waiting"), err=True)


def _trouble(app: App, client: str | None, error: EngineError) -> None:
    said = error.say(app.say)
    click.echo(
        f"{client}: {said.message}" if client else app.say("logs.engine_away", message=said.message), err=True
    )
