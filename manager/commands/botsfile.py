"""Commands about the file alone: no engine is asked."""

from __future__ import annotations

import json

import click

from manager import edit
from manager.app import App
from manager.clickwords import client, command, json_flag
from manager.config import ConfigErrors
from manager.exits import Exit
from manager.fleet import BROWSER_MEMORY, Fleet


@command("validate")
@json_flag
def validate(app: App, as_json: bool) -> Exit:
    try:
        fleet = app.fleet()
    except ConfigErrors as errors:
        if not as_json:
            raise
        click.echo(json.dumps(_problems(app, errors), ensure_ascii=False, indent=2))
        return Exit.BAD_CONFIG
    bots = [{"client_id": bot.client_id, "enabled": bot.enabled} for bot in fleet.bots]
    warnings = _warnings(app, fleet)
    if as_json:
        told = {
            "ok": True,
            "file": str(app.file),
            "project": fleet.project,
            "bots": bots,
            "warnings": warnings,
        }
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        off = len(fleet.disabled)
        key = "botsfile.valid_some_off" if off else "botsfile.valid"
        click.echo(app.say(key, file=app.file, count=len(bots), off=off, project=fleet.project))
        for each in warnings:
            click.secho(each, fg="yellow")
    return Exit.OK


def _warnings(app: App, fleet: Fleet) -> list[str]:
    """What is allowed and will hardly work."""
    clients = ", ".join(bot.client_id for bot in fleet.cramped)
    needed = f"{BROWSER_MEMORY // 1024**2}m"
    return [app.say("botsfile.cramped", clients=clients, needed=needed)] if clients else []


def _problems(app: App, errors: ConfigErrors) -> dict[str, object]:
    return {
        "ok": False,
        "exit": int(Exit.BAD_CONFIG),
        "file": str(app.file),
        "problems": [
            {
                "file": each.file,
                "line": each.line or None,
                "column": each.column or None,
                "path": each.path,
                "message": each.message(app.say),
            }
            for each in errors.problems
        ],
        "more": errors.more,
    }


@command("add")
@click.argument("client", metavar="CLIENT")
def add(app: App, client: str) -> Exit:
    edit.add(app.file, app.environ, client)
    click.echo(app.say("botsfile.added", client=client, file=app.file))
    return Exit.OK


@command("pause")
@client
def pause(app: App, client: str) -> Exit:
    _known(app, client)
    changed = edit.pause(app.file, app.environ, client)
    return _switched(app, client, "paused" if changed else "paused_already")


@command("resume")
@client
def resume(app: App, client: str) -> Exit:
    _known(app, client)
    changed = edit.resume(app.file, app.environ, client)
    return _switched(app, client, "resumed" if changed else "resumed_already")


def _known(app: App, client: str) -> None:
    app.chosen([client], app.fleet().client_ids)


def _switched(app: App, client: str, how: str) -> Exit:
    click.echo(app.say(f"botsfile.{how}", client=client, file=app.file))
    return Exit.OK
