"""`up`, `down` and `restart`: what bots.yaml says, made true on the engine."""

from __future__ import annotations

from collections.abc import Collection

import click

from manager import reconcile
from manager.answer import carry_out, confirmed
from manager.app import App
from manager.clickwords import clients, command, flag, json_flag, number, option
from manager.engine import Engine
from manager.exits import Exit
from manager.fleet import Fleet
from manager.plan import Plan
from manager.progress import Reporter
from manager.reconcile import Outcome
from manager.rollout import Rollout, changes_of
from manager.watch.holder import holder_of


@command("up")
@clients
@flag("--canary", help="canary")
@option("--batch", metavar="N", callback=number(1), help="batch")
@flag("--rebuild", help="rebuild")
@flag("--dry-run", help="dry_run")
@flag("--yes", "-y", help="yes")
@json_flag
def up(  # noqa: PLR0913, PLR0917  its options
    app: App,
    clients: tuple[str, ...],
    canary: bool,
    batch: int | None,
    rebuild: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> Exit:
    fleet = app.fleet()
    only = app.chosen(clients, fleet.client_ids)
    if rebuild and fleet.image is not None:
        raise click.UsageError(app.say("usage.not_ours_to_build", image=fleet.image))
    engine = app.engine()
    rollout = Rollout(canary=canary, batch=batch) if canary or batch else None

    def act(reporter: Reporter) -> Outcome:
        def ask(plan: Plan) -> bool:
            return reporter.asking(lambda: confirmed(app, plan))

        confirm = ask if app.can_ask and not yes else None

        if rollout is None or dry_run:
            return reconcile.up(
                fleet,
                engine,
                only,
                dry_run,
                reporter,
                confirm=confirm,
                environ=app.environ,
                rebuild=rebuild,
            )
        from manager import rolling  # noqa: PLC0415

        return rolling.up(
            fleet,
            engine,
            rollout,
            only,
            reporter,
            app.say.language,
            confirm=confirm,
            environ=app.environ,
            rebuild=rebuild,
        )

    outcome, code = carry_out(app, fleet, act)
    if rollout and dry_run and changes_of(outcome.plan) and not app.json:
        for key in (["canary"] if canary else []) + (["batches"] if batch else []):
            click.echo(app.say(f"rollout.plan_{key}", batch=batch))
    return code


@command("down")
@clients
@flag("--dry-run", help="dry_run")
@json_flag
def down(app: App, clients: tuple[str, ...], dry_run: bool, as_json: bool) -> Exit:
    fleet, engine = app.fleet(), app.engine()
    only = app.chosen(clients, known(fleet, engine, clients))
    code = carry_out(app, fleet, lambda reporter: reconcile.down(fleet, engine, only, dry_run, reporter))[1]
    if code is Exit.OK and (holder := holder_of(engine, fleet.project)):
        click.secho(app.say("cli.watcher_undoes", holder=holder), err=True, fg="yellow")
    return code


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
