"""`import`: a session of another WhatsApp client becomes a bot's, without a QR. The original is only read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from bot.archive import Damaged
from bot.contract import is_client_id
from manager import edit, profiles
from manager.app import App, UserError
from manager.clickwords import PATH, command, flag, option
from manager.exits import Exit
from manager.overviewtext import amount
from manager.profiles import Profile
from manager.sessionwork import at_work, confirm, obstacles, only_looking, tell_next, tell_step
from manager.volumes import Volumes, staging


@command("import")
@click.argument("path", metavar="PATH", type=PATH)
@option("--as", "name", metavar="CLIENT", help="import_as")
@flag("--add", help="import_add")
@flag("--dry-run", help="dry_run")
@flag("--yes", "-y", help="yes")
def import_(  # noqa: PLR0913, PLR0917  the command's own options
    app: App, path: Path, name: str | None, add: bool, dry_run: bool, yes: bool
) -> Exit:
    found = profiles.judge(_folders(app, path, name), name)
    if all(each.problem for each in found):
        _refuse_all(app, found)
    if dry_run:
        volumes, image = only_looking(app)
        _refuse_unfit(app, volumes, _checked(app, volumes, found, image_there=image.exists), add=add)
        click.echo(app.say("cli.dry_run"))
        return Exit.OK
    project = None
    asks = not yes and (app.can_ask or any(each.foreign_host for each in found))
    if asks:
        with at_work(app, alone=False) as volumes:  # others need not wait until somebody has answered
            project = volumes.fleet.project
            _refuse_unfit(app, volumes, _checked(app, volumes, found), add=add)
            _warn(app, found)
            question = app.say("import.ask", count=len(found))
            if not confirm(app, question, yes=yes, command=shlex.join(app.words)):
                return Exit.FAILED
    with at_work(app, project=project) as volumes:
        found = _judged_again(app, found, name)
        _refuse_unfit(app, volumes, _checked(app, volumes, found), add=add, show=not asks)
        if not asks:
            _warn(app, found)
        for each in found:
            _import(app, volumes, each)
            if add and each.name not in volumes.fleet.client_ids:
                edit.add(app.file, app.environ, each.name)
                click.echo(app.say("botsfile.added", client=each.name, file=app.file))
            else:
                tell_next(app, volumes, each.name)
    return Exit.OK


def _folders(app: App, path: Path, name: str | None) -> Sequence[Path]:
    if name is not None and not is_client_id(name):
        raise UserError(app.say("edit.not_a_client_id", client=name), code=Exit.USAGE)
    try:
        found = profiles.find(path.absolute())
    except FileNotFoundError as error:
        missing = error.filename or path
        raise UserError(
            app.say("import.no_such_path", path=missing), app.say("import.no_such_path_fix")
        ) from None
    except NotADirectoryError:
        typed = shlex.quote(str(path))
        raise UserError(
            app.say("import.no_folder", path=path), app.say("import.no_folder_fix", typed=typed)
        ) from None
    except OSError as error:
        place = error.filename or path
        raise UserError(
            app.say("profile.unreadable", path=place, reason=error.strerror),
            app.say("profile.unreadable_fix", typed=shlex.quote(str(place))),
        ) from None
    if not found:
        raise UserError(app.say("import.nothing", path=path), app.say("import.nothing_fix"))
    if name is not None and len(found) > 1:
        listed = ", ".join(str(each) for each in found)
        raise UserError(app.say("import.as_one", count=len(found), found=listed), code=Exit.USAGE)
    return found


def _judged_again(app: App, shown: Sequence[Profile], name: str | None) -> list[Profile]:
    """The same folders as they are now: a client may have begun to use one, and its files are others then."""
    return [
        _compared(app, before, after)
        for before, after in zip(shown, profiles.judge([each.folder for each in shown], name), strict=True)
    ]


def _compared(app: App, before: Profile, after: Profile) -> Profile:
    if before.problem or after.problem:
        return before if before.problem else after
    if after.device != before.device:
        return after.refused("obstacle", why=app.say("import.another_session"))
    if after.foreign_host and after.foreign_host != before.foreign_host:
        return after.refused("obstacle", why=app.say("import.elsewhere_now", host=after.foreign_host))
    return after


def _checked(
    app: App, volumes: Volumes, found: Sequence[Profile], *, image_there: bool = True
) -> list[Profile]:
    """With what stands in their way on the engine; folders that are no session are not asked about there."""
    coming = {each.name: each.browser_version for each in found if not each.problem}
    if not coming:
        return list(found)
    in_the_way = obstacles(volumes, coming, image_there)
    return [
        each.refused("obstacle", why=in_the_way[each.name].say(app.say))
        if not each.problem and each.name in in_the_way
        else each
        for each in found
    ]


def _refuse_unfit(
    app: App, volumes: Volumes, found: Sequence[Profile], *, add: bool, show: bool = True
) -> None:
    """`show`: one line a folder. Raises UserError when one of them cannot be imported: then none is.

    `add`: raises EditError and ConfigErrors too, for a bots.yaml that cannot take one of them.
    """
    for each in found if show else ():
        if not each.problem:
            values = {
                "phone": each.phone_masked,
                "size": amount(each.size),
                "version": each.browser_version or "?",
            }
            click.echo(app.say("import.found", folder=each.folder, client=each.name, **values))
    _refuse_all(app, found)
    for each in found:
        if add and each.name not in volumes.fleet.client_ids:
            edit.add(app.file, app.environ, each.name, only_trying=True)


def _refuse_all(app: App, found: Sequence[Profile]) -> None:
    bad = [each for each in found if each.problem]
    for each in bad:
        why: dict[str, object] = {"folder": each.folder, "path": each.folder, **dict(each.values)}
        why["typed"] = shlex.quote(str(each.folder))
        said = f"{app.say(f'profile.{each.problem}', **why)} {app.say(f'profile.{each.problem}_fix', **why)}"
        click.secho(f"{each.folder}: {said}".rstrip(), fg="red", err=True)
    if bad:
        raise UserError(app.say("import.none", bad=len(bad), count=len(found)))


def _warn(app: App, found: Sequence[Profile]) -> None:
    for each in found:
        if each.foreign_host:
            said = app.say("import.elsewhere", folder=each.folder, host=each.foreign_host)
            click.secho(said, fg="yellow", err=True)
    click.secho(app.say("import.once"), fg="yellow")


def _import(app: App, volumes: Volumes, profile: Profile) -> None:
    staged = staging()
    try:
        manifest = profiles.manifest(profile)
        with volumes.stopped(profile.name, tell_step(app, profile.name)):
            taken = volumes.take(profile.name, staged, profiles.pack(profile, manifest, f"{staged}/"))
    except (Damaged, OSError) as error:
        raise UserError(
            app.say("import.changed", folder=profile.folder, detail=error), app.say("import.changed_fix")
        ) from error
    click.echo(app.say("import.done", client=profile.name, phone=taken["phone"], files=taken["files"]))
