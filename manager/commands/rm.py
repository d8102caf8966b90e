"""`rm`: takes a bot off the engine; with --volume its session too, for good, after it was named twice."""

from __future__ import annotations

import click

from manager import reconcile
from manager import spec as specs
from manager.answer import carry_out
from manager.app import App, UserError
from manager.clickwords import client, command, flag
from manager.commands.fleet import known
from manager.engine import Engine
from manager.exits import Exit
from manager.fleet import Fleet
from manager.problems import EngineError, EngineProblem


@command("rm")
@client
@flag("--volume", help="volume")
@flag("--yes", "-y", help="yes")
def rm(app: App, client: str, volume: bool, yes: bool) -> Exit:
    fleet, engine = app.fleet(), app.engine()
    app.chosen([client], known(fleet, engine, [client]))
    name = specs.volume_name(fleet.project, client)
    kept = _has_session(fleet, engine, client, delete=volume)
    if volume and kept and not yes and not _named_again(app, client, name):
        click.echo(app.say("cli.cancelled"))
        return Exit.FAILED
    outcome, code = carry_out(
        app, fleet, lambda reporter: reconcile.remove_client(fleet, engine, client, reporter, session=volume)
    )
    if code is Exit.OK:
        if outcome.deleted or kept:
            key = "deleted" if outcome.deleted else "kept"
            click.echo(app.say(f"rm.{key}", client=client, volume=name))
        if client in fleet.client_ids - fleet.disabled and not outcome.nothing_to_do:
            click.echo(app.say("rm.comes_back", client=client, file=app.file))
    return code


def _has_session(fleet: Fleet, engine: Engine, client: str, *, delete: bool) -> bool:
    """Raises FOREIGN_VOLUME before anybody is asked whether to `delete` a session that is not ours."""
    name = specs.volume_name(fleet.project, client)
    observed = engine.observe(fleet.project, (), (name,))
    if delete and name in observed.foreign_volumes:
        raise EngineError(EngineProblem.FOREIGN_VOLUME, name=name, project=fleet.project)
    return any(volume.name == name for volume in observed.volumes)


def _named_again(app: App, client: str, volume: str) -> bool:
    """Raises UserError where nobody can be asked."""
    if not app.can_ask:
        raise UserError(
            app.say("rm.cannot_ask", client=client), app.say("rm.cannot_ask_fix", client=client), Exit.USAGE
        )
    click.echo(app.say("rm.warning", client=client, volume=volume))
    return app.ask_for(app.say("rm.type_name")) == client
