"""`backup` and `restore`: sessions as a file that nobody but its owner can read."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from bot import archive
from bot.archive import Damaged, Manifest
from bot.contract import is_client_id
from manager import backupfile, overview
from manager.app import App, UserError
from manager.backupfile import BackupError, Key, Kind
from manager.clickwords import PATH, clients, command, flag, option
from manager.commands.fleet import known
from manager.exits import Exit
from manager.observed import ContainerState
from manager.overviewtext import amount
from manager.sessionwork import (
    age,
    at_work,
    confirm,
    copy_live,
    existing,
    obstacles,
    tell_next,
    tell_step,
)
from manager.volumes import Refused, Volumes, staging
from manager.wholefile import is_taken

PASSPHRASE_VARIABLE = "OTURUM_PASSPHRASE"  # noqa: S105  a variable's name


@command("backup")
@clients
@option("-o", "--output", metavar="FILE", required=True, type=PATH, help="output")
@option("--recipient", "-r", "recipients", metavar="KEY", multiple=True, help="recipient")
@option("--passphrase-file", metavar="FILE", type=PATH, help="passphrase_file")
@flag("--plain", help="plain")
@flag("--force", help="force")
def backup(  # noqa: PLR0913, PLR0917  the command's own options
    app: App,
    clients: tuple[str, ...],
    output: Path,
    recipients: tuple[str, ...],
    passphrase_file: Path | None,
    plain: bool,
    force: bool,
) -> Exit:
    try:
        if is_taken(output) and not force:
            raise BackupError("exists", file=output)
        key = _locking_key(app, recipients, passphrase_file, plain=plain)
        with at_work(app) as volumes:
            app.chosen(clients, known(volumes.fleet, volumes.engine, clients))
            wanted = list(dict.fromkeys(clients)) or sorted(volumes.fleet.client_ids)
            missing = _Missing()
            pieces = _sessions(app, volumes, wanted, missing)
            size = backupfile.write(output, pieces, key, force=force)
    except BackupError as error:
        raise _for_people(app, error) from error
    except Damaged as error:
        raise UserError(app.say("backup.moved", detail=error), app.say("backup.moved_fix")) from error
    click.echo(app.say("backup.written", file=output, size=amount(size)))
    click.secho(app.say("backup.plain_warning" if plain else "backup.warning"), fg="yellow")
    # Of all the bots those that were never paired are no loss; whoever is named, or cannot be read, is.
    failed = [*missing.refused, *(missing.unpaired if clients else ())]
    if failed:
        raise UserError(app.say("backup.incomplete", file=output, clients=", ".join(failed)))
    return Exit.OK


@dataclass(slots=True)
class _Missing:
    """The bots whose session is not in the file: those that have none, and those whose volume refused."""

    unpaired: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def _sessions(app: App, volumes: Volumes, clients: Sequence[str], missing: _Missing) -> Iterator[bytes]:
    """The archive, without the bots that are `missing`, each of which is told. Raises UserError, Damaged."""
    count = 0
    there = existing(volumes, clients)
    running = {
        name: each
        for name, each in overview.current(volumes.observe(clients).containers).items()
        if each.state is ContainerState.RUNNING
    }
    for client in clients:
        if client not in there:
            missing.unpaired.append(client)
            click.secho(app.say("backup.no_session", client=client), fg="yellow", err=True)
            continue
        if client in running and (why := copy_live(volumes.engine, running[client].name, app.say)):
            click.secho(app.say("backup.not_fresh", client=client, why=why), fg="yellow", err=True)
        told: Manifest | None = None
        try:
            for manifest, piece in volumes.export(client):
                told = manifest
                yield piece
        except Refused as error:
            if told is not None:
                raise
            if error.problem == "no_session":
                missing.unpaired.append(client)
                click.secho(app.say("backup.no_session", client=client), fg="yellow", err=True)
            else:
                missing.refused.append(client)
                why = f"{error.message} {error.fix}".strip()
                click.secho(app.say("backup.left_out", why=why), fg="red", err=True)
            continue
        assert told is not None
        count += 1
        source = "profile" if told.source == "profile" else "generation"
        values = {"age": age(told.taken_at, app.say), "size": amount(told.size)}
        click.echo(app.say(f"backup.{source}", client=client, **values))
    if count == 0:
        raise UserError(app.say("backup.none_readable" if missing.refused else "backup.nothing"))
    yield archive.END


@command("restore")
@click.argument("source", metavar="FILE", type=PATH)
@click.argument("clients", nargs=-1, metavar="[CLIENT]...")
@option("--as", "name", metavar="CLIENT", help="restore_as")
@option("--identity", "-i", metavar="FILE", type=PATH, help="identity")
@option("--passphrase-file", metavar="FILE", type=PATH, help="passphrase_file")
@flag("--yes", "-y", help="yes")
def restore(  # noqa: PLR0913, PLR0917  the command's own options
    app: App,
    source: Path,
    clients: tuple[str, ...],
    name: str | None,
    identity: Path | None,
    passphrase_file: Path | None,
    yes: bool,
) -> Exit:
    if name is not None and not is_client_id(name):
        raise UserError(app.say("edit.not_a_client_id", client=name), code=Exit.USAGE)
    try:
        key = _opening_key(app, source, identity, passphrase_file)
        looked_at = _state_of(source)
        found = _contents(source, key)
        targets = _targets(app, source, found, clients, name)
        coming = {
            targets[each.client_id]: each.browser_version for each in found if each.client_id in targets
        }
        unnamed = () if clients or name else tuple(targets)
        project = None
        if not yes:
            with at_work(app, alone=False) as volumes:  # others need not wait until somebody has answered
                project = volumes.fleet.project
                _refuse_obstacles(app, volumes, coming, unnamed)
                click.secho(app.say("restore.warning"), fg="yellow")
                question = app.say("restore.ask", count=len(targets), clients=", ".join(targets.values()))
                if not confirm(app, question, yes=yes, command=shlex.join(app.words)):
                    return Exit.FAILED
        with at_work(app, project=project) as volumes:
            if _state_of(source) != looked_at:
                raise UserError(app.say("restore.another", file=source), app.say("restore.another_fix"))
            _refuse_obstacles(app, volumes, coming, unnamed)
            if yes:
                click.secho(app.say("restore.warning"), fg="yellow")
            return put_in_place(app, volumes, source, key, targets)
    except BackupError as error:
        raise _for_people(app, error) from error
    except Damaged as error:
        raise UserError(
            app.say("restore.damaged", file=source, detail=error), app.say("restore.damaged_fix")
        ) from error


def _state_of(file: Path) -> tuple[int, int]:
    """Another one where the file was written anew or replaced. Raises BackupError.

    Without its inode, which some file systems make up anew at each look.
    """
    try:
        found = file.stat()
    except OSError as error:
        raise BackupError("unreadable", file=file, reason=error.strerror) from None
    return found.st_size, found.st_mtime_ns


def _contents(file: Path, key: Key) -> list[Manifest]:
    """All of the file read and compared with its checksums, before anything is written anywhere. Raises Damaged."""
    found: list[Manifest] = []
    with backupfile.opened(file, key) as stream:
        for manifest, _ in archive.repack(stream):
            if not found or found[-1] is not manifest:
                found.append(manifest)
    return found


def _targets(
    app: App, file: Path, found: Sequence[Manifest], clients: Sequence[str], name: str | None
) -> dict[str, str]:
    """Session's name in the file -> the bot it shall be. Raises UserError (USAGE, UNKNOWN_CLIENT)."""
    by_client = {each.client_id: each for each in found}
    listed = ", ".join(by_client)
    for client in clients:
        if client not in by_client:
            message = app.say("restore.not_in_it", client=client, file=file, found=listed)
            raise UserError(message, code=Exit.UNKNOWN_CLIENT)
    chosen = [by_client[client] for client in dict.fromkeys(clients)] or list(found)
    if name is not None and len(chosen) > 1:
        raise UserError(app.say("restore.as_one", found=listed), code=Exit.USAGE)
    for each in chosen:
        values = {
            "age": age(each.taken_at, app.say),
            "size": amount(each.size),
            "phone": each.phone_masked or "?",
        }
        click.echo(app.say("restore.found", session=each.client_id, client=name or each.client_id, **values))
    return {each.client_id: name or each.client_id for each in chosen}


def _refuse_obstacles(
    app: App, volumes: Volumes, coming: dict[str, str | None], unnamed: Sequence[str]
) -> None:
    """`unnamed`: all there is in the file, where nobody said whose session is wanted. Raises UserError."""
    found = obstacles(volumes, coming)
    if not found:
        return
    lines = [f"{client}: {obstacle.say(app.say)}" for client, obstacle in found.items()]
    fixes = [app.say("restore.nothing_written")]
    if free := [client for client in unnamed if client not in found]:
        fixes.append(app.say("restore.others", command=shlex.join([*app.words, *free])))
    raise UserError("\n".join(lines), "\n".join(fixes))


def put_in_place(app: App, volumes: Volumes, file: Path, key: Key, targets: dict[str, str]) -> Exit:
    """`targets`: session's name in the file -> the bot it becomes. FAILED where one of them is not in it after all.

    Raises UserError, BackupError, EngineError.
    """
    staged = staging()
    left = list(targets.values())
    try:
        with backupfile.opened(file, key) as stream:
            passing = itertools.groupby(archive.repack(stream, f"{staged}/"), key=lambda piece: id(piece[0]))
            for _, pieces in passing:
                first = next(pieces)
                client = targets.get(first[0].client_id)
                if client is None:
                    continue
                with volumes.stopped(client, tell_step(app, client)):
                    volumes.take(client, staged, (piece for _, piece in itertools.chain([first], pieces)))
                left.remove(client)
                click.echo(app.say("restore.done", client=client))
                tell_next(app, volumes, client)
    except Damaged as error:
        raise UserError(
            app.say("restore.changed", file=file, detail=error), app.say("backup.moved_fix")
        ) from error
    finally:
        if left:
            click.secho(app.say("restore.not_restored", clients=", ".join(left)), fg="red", err=True)
    return Exit.FAILED if left else Exit.OK


# ---- keys


def _locking_key(app: App, recipients: Sequence[str], passphrase_file: Path | None, *, plain: bool) -> Key:
    """Raises BackupError, UserError (USAGE)."""
    given = {
        "--plain": plain,
        "--recipient": bool(recipients),
        "--passphrase-file": passphrase_file is not None,
    }
    chosen = [name for name, is_given in given.items() if is_given]
    if len(chosen) > 1:
        raise UserError(app.say("usage.not_together", first=chosen[0], second=chosen[1]), code=Exit.USAGE)
    if plain:
        return Key(Kind.PLAIN)
    if recipients:
        return Key(Kind.RECIPIENTS, keys=tuple(backupfile.recipient(each) for each in recipients))
    return Key(Kind.PASSPHRASE, _passphrase(app, passphrase_file, twice=True))


def _opening_key(app: App, file: Path, identity: Path | None, passphrase_file: Path | None) -> Key:
    kind = backupfile.kind_of(file)
    if kind is Kind.RECIPIENTS:
        if identity is None:
            raise BackupError("identity_needed", file=file)
        return Key(kind, keys=backupfile.identities(identity))
    if kind is Kind.PASSPHRASE:
        return Key(kind, _passphrase(app, passphrase_file, twice=False))
    return Key(kind)


def _passphrase(app: App, file: Path | None, *, twice: bool) -> str:
    """From the file, the environment, or whoever sits there; never from the command line, which others can read."""
    if file is not None:
        try:
            given = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
            text = given.split("\n", 1)[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise BackupError("unreadable", file=file, reason=getattr(error, "strerror", error)) from None
    elif PASSPHRASE_VARIABLE in app.environ:
        text = app.environ[PASSPHRASE_VARIABLE]
    elif app.can_ask:
        text = _typed(app, "backup.type")
        if twice and text != _typed(app, "backup.type_again"):
            raise BackupError("not_the_same")
    else:
        raise BackupError("no_key" if twice else "passphrase_needed", variable=PASSPHRASE_VARIABLE)
    if not text:
        raise BackupError("empty_passphrase")
    return text


def _typed(app: App, key: str) -> str:
    text: str = click.prompt(app.say(key), hide_input=True, default="", show_default=False, prompt_suffix=" ")
    return text


def _for_people(app: App, error: BackupError) -> UserError:
    message, fix = error.say(app.say)
    usage = error.key in (
        "no_key",
        "passphrase_needed",
        "identity_needed",
        "bad_recipient",
        "private_recipient",
    )
    return UserError(message, fix, Exit.USAGE if usage else Exit.FAILED)
