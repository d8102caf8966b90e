"""`up`, `down` and `restart`: what bots.yaml says, made true on the engine."""

from __future__ import annotations

from collections.abc import Collection

from manager import reconcile
from manager.answer import carry_out, confirmed
from manager.app import App
from manager.clickwords import clients, command, flag, json_flag
from manager.engine import Engine
from manager.exits import Exit
from manager.fleet import Fleet


@command("up")
@clients
@flag("--dry-run", help="dry_run")
@flag("--yes", "-y", help="yes")
@json_flag
def up(app: App, clients: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool) -> Exit:
    fleet = app.fleet()
    only = app.chosen(clients, fleet.client_ids)
    engine = app.engine()
    return carry_out(
        app,
        fleet,
        lambda reporter: reconcile.up(
            fleet,
            engine,
            only,
            dry_run,
            reporter,
            confirm=lambda plan: yes or reporter.asking(lambda: confirmed(app, plan)),
            environ=app.environ,
        ),
    )[1]


@command("down")
@clients
@flag("--dry-run", help="dry_run")
@json_flag
def down(app: App, clients: tuple[str, ...], dry_run: bool, as_json: bool) -> Exit:
    fleet, engine = app.fleet(), app.engine()
    only = app.chosen(clients, known(fleet, engine, clients))
    return carry_out(app, fleet, lambda reporter: reconcile.down(fleet, engine, only, dry_run, reporter))[1]


@command("restart")
@clients
@flag("--dry-run", help="dry_run")
@json_flag
def restart(app: App, clients: tuple[str, ...], dry_run: bool, as_json: bool) -> Exit:
    fleet, engine = app.fleet(), app.engine()
    only = app.chosen(clients, known(fleet, engine, clients))
    return carry_out(app, fleet, lambda reporter: reconcile.restart(fleet, engine, only, dry_run, reporter))[
        1
    ]


def known(fleet: Fleet, engine: Engine, clients: Collection[str]) -> frozenset[str]:
    """The bots of the file; the engine's too, where one of `clients` is none of those."""
    if fleet.client_ids.issuperset(clients):
        return fleet.client_ids
    observed = engine.observe(fleet.project, (), ())
    on_engine = {container.client_id for container in observed.containers}
    return (
        fleet.client_ids | on_engine | {volume.client_id for volume in observed.volumes if volume.client_id}
    )
