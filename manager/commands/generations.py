"""`generations` and `rollback`: the copies a bot keeps of its session, listed, and put back when somebody says so."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from manager.app import App, UserError
from manager.clickwords import client, command, flag, json_flag
from manager.commands.fleet import known
from manager.exits import Exit
from manager.overviewtext import amount
from manager.sessionwork import age, at_work, confirm, existing, major, tell_next, tell_step
from manager.volumes import Volumes

Json = dict[str, Any]


@command("generations")
@client
@json_flag
def generations(app: App, client: str, as_json: bool) -> Exit:
    with at_work(app, alone=False) as volumes:
        found = _look(app, volumes, client, verify=True)
    if as_json:
        told = {"client_id": client, "session_present": found["present"], "generations": found["generations"]}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return Exit.OK
    for each in found["generations"]:
        click.echo(_line(app, each))
    if not found["generations"]:
        click.echo(app.say("generations.none", client=client))
        click.echo(app.say("volumes.no_generation_fix", client=client))
    return Exit.OK


@command("rollback")
@client
@click.argument("number", metavar="[N]", required=False)
@flag("--force", help="rollback_force")
@flag("--yes", "-y", help="yes")
def rollback(app: App, client: str, number: str | None, force: bool, yes: bool) -> Exit:
    project = None
    if not yes:
        with at_work(app, alone=False) as volumes:  # others need not wait until somebody has answered
            project = volumes.fleet.project
            chosen = _shown(app, volumes, client, number, force=force)
            question = app.say("generations.ask", client=client, number=chosen["number"])
            if not confirm(app, question, yes=yes, command=f"rollback {client} {chosen['number']}"):
                return Exit.FAILED
    with at_work(app, project=project) as volumes:
        if yes:
            chosen = _shown(app, volumes, client, number, force=force)
        else:
            found = _look(app, volumes, client)["generations"]
            refuse_another(app, client, found, chosen, _browser_of(volumes, client))
        volumes.pin(client, chosen["number"])
        with volumes.stopped(client, tell_step(app, client)):
            done = volumes.rollback(client, chosen["number"])
            click.echo(
                app.say("generations.done", client=client, number=done["number"], aside=done["aside"] or "-")
            )
        tell_next(app, volumes, client)
    return Exit.OK


def _look(app: App, volumes: Volumes, client: str, *, verify: bool = False) -> Json:
    app.chosen([client], known(volumes.fleet, volumes.engine, [client]))
    if client not in existing(volumes, [client]):
        raise UserError(
            app.say("sessions.no_volume", client=client), app.say("sessions.next_up", client=client)
        )
    return volumes.look(client, verify=verify)


def _shown(app: App, volumes: Volumes, client: str, number: str | None, *, force: bool) -> Json:
    found = _look(app, volumes, client)["generations"]
    chosen = choose(app, client, found, number, _browser_of(volumes, client), force=force)
    click.echo(_line(app, chosen))
    click.secho(app.say("generations.warning"), fg="yellow")
    return chosen


def choose(  # noqa: PLR0913
    app: App, client: str, found: list[Json], number: str | None, ours: str | None, *, force: bool
) -> Json:
    """What is put back, for a browser of version `ours`; `force`: of those that it can read. Raises UserError.

    One that it could not read is refused: the bot would refuse to start on it.
    """
    chosen = _chosen(app, client, _readable(app, client, found, ours) if force else found, number)
    if _too_new(chosen, ours):
        _readable(app, client, found, ours)
        values = {"number": chosen["number"], "made_by": chosen["browser_version"], "ours": ours}
        raise UserError(
            app.say("generations.too_new", **values), app.say("generations.too_new_fix", client=client)
        )
    return chosen


def refuse_another(app: App, client: str, found: list[Json], shown: Json, ours: str | None) -> None:
    """Raises UserError unless what was `shown` is what would be put back now, for a browser of version `ours`.

    A new session's numbers begin at 1 again.
    """
    same = [each for each in found if each["number"] == shown["number"]]
    if [each["taken_at"] for each in same] != [shown["taken_at"]]:
        raise UserError(
            app.say("generations.another", number=shown["number"]),
            app.say("generations.another_fix", client=client),
        )
    choose(app, client, found, str(shown["number"]), ours, force=False)


def _chosen(app: App, client: str, found: list[Json], number: str | None) -> Json:
    """The newest that was not tried in vain, or the one of that number. Raises UserError."""
    if not found:
        raise UserError(
            app.say("generations.none", client=client), app.say("volumes.no_generation_fix", client=client)
        )
    if number is None:
        return next((each for each in found if each["verdict"] == "good"), found[0])
    for each in found:
        if str(each["number"]) == number:
            return each
    listed = ", ".join(str(each["number"]) for each in found)
    raise UserError(app.say("generations.unknown", number=number, known=listed), code=Exit.USAGE)


def _browser_of(volumes: Volumes, client: str) -> str | None:
    """The version of the browser that would use the session now."""
    bot = next((bot for bot in volumes.fleet.bots if bot.client_id == client), None)
    return volumes.browser_version(bot.browser.executable if bot else None)


def _too_new(found: Json, ours: str | None) -> bool:
    return 0 < major(ours) < major(found["browser_version"])


def _readable(app: App, client: str, found: list[Json], ours: str | None) -> list[Json]:
    """Those that a browser of version `ours` can read. Raises UserError when there are some, and none of these."""
    kept = [each for each in found if not _too_new(each, ours)]
    if found and not kept:
        values = {"client": client, "ours": ours, "made_by": found[-1]["browser_version"]}
        raise UserError(
            app.say("generations.none_readable", **values), app.say("generations.none_readable_fix")
        )
    return kept


def _line(app: App, found: Json) -> str:
    taken = datetime.fromisoformat(found["taken_at"])
    return app.say(
        "generations.line",
        number=found["number"],
        age=age(taken, app.say),
        time=taken.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        size=amount(found["bytes"]),
        version=found["browser_version"] or "?",
        verdict=app.say(f"generations.{found['verdict']}"),
    )
