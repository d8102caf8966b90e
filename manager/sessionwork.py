"""What the commands about sessions have in common: their turn, their image, their checks."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import Any

import click

from bot.contract import BotExit
from bot.text import Catalogue
from manager import image, talk, tools
from manager.app import App, UserError
from manager.exits import Exit
from manager.image import BotImage
from manager.overviewtext import span
from manager.problems import EngineError, EngineProblem
from manager.progress import Plain, Reporter, Silent
from manager.reconcile import project_turn
from manager.spec import volume_name
from manager.volumes import Volumes

_COPY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a session cannot come onto a volume: `obstacle.<key>` and `obstacle.<key>_fix` of the catalogue."""

    key: str
    values: Mapping[str, object]

    def say(self, say: Catalogue) -> str:
        return (
            f"{say(f'obstacle.{self.key}', **self.values)} {say(f'obstacle.{self.key}_fix', **self.values)}"
        )


@contextmanager
def at_work(app: App, *, alone: bool = True, project: str | None = None) -> Iterator[Volumes]:
    """The fleet's volumes, with the bot image built where it was missing. `alone`: no other manager meanwhile.

    `project`: the one that somebody was asked about. Raises UserError when bots.yaml names another by now.
    """
    fleet, engine = app.fleet(), app.engine()
    if project not in (None, fleet.project):
        values = {"file": app.file, "asked": project, "now": fleet.project}
        raise UserError(
            app.say("sessions.other_project", **values), app.say("sessions.other_project_fix", **values)
        )
    reporter: Reporter = Silent() if app.json else Plain(app.say, fleet.project)
    with ended_as_by_hand(), project_turn(fleet, engine, reporter) if alone else nullcontext():
        found = image.ensure(engine, fleet.image, app.environ, reporter)
        volumes = Volumes(engine, fleet, found.id, app.say)
        tools.sweep(engine, fleet.project, alone=alone)
        yield volumes


@contextmanager
def ended_as_by_hand() -> Iterator[None]:
    """Inside, a SIGTERM or the end of the terminal is what Ctrl-C is: a bot that was stopped is started again, and
    nothing is left half written.
    """
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] is signal.SIG_DFL:  # whoever is started with nohup goes on
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def only_looking(app: App) -> tuple[Volumes, BotImage]:
    """For a dry run: nothing is built, and nobody is kept waiting."""
    fleet, engine = app.fleet(), app.engine()
    found = image.find(engine, fleet.image)
    return Volumes(engine, fleet, found.id, app.say), found


def copy_live(engine: talk.Executes, container: str, say: Catalogue) -> str | None:
    """Has a running bot copy its session as it is now; what it said when it could not, and its older copies remain."""
    try:
        talk.ask(engine, container, ["generation"], _COPY_SECONDS, say.language)
    except talk.Refusal as refusal:
        if refusal.bot_exit == BotExit.NOT_RUNNING:
            return say("sessions.unheard")
        return refusal.message.rstrip(".")
    except EngineError as error:
        return error.say(say).message.rstrip(".")
    return None


def existing(volumes: Volumes, clients: Iterable[str]) -> frozenset[str]:
    """Those of `clients` that have a volume. Raises FOREIGN_VOLUME for one that is not this project's."""
    project = volumes.fleet.project
    observed = volumes.observe(clients)
    names = {volume.name for volume in observed.volumes}
    for client in clients:
        name = volume_name(project, client)
        if name in observed.foreign_volumes:
            raise EngineError(EngineProblem.FOREIGN_VOLUME, name=name, owner="-", project=project)
    return frozenset(client for client in clients if volume_name(project, client) in names)


def obstacles(
    volumes: Volumes, coming: Mapping[str, str | None], image_there: bool = True
) -> dict[str, Obstacle]:
    """`coming`: client -> version of the browser that wrote its session. What stands in the way, by client.

    A container is needed to look: without the image only names are compared.
    """
    found: dict[str, Obstacle] = {}
    bots = {bot.client_id.lower(): bot.client_id for bot in volumes.fleet.bots}
    for client in coming:
        other = bots.get(client.lower(), client)
        if other != client:
            found[client] = Obstacle("exists_case", {"client": client, "other": other})
    there = existing(volumes, tuple(coming))
    if not image_there:
        return found
    ours = volumes.browser_version()
    for client, written_by in coming.items():
        if client in found:
            continue
        if 0 < major(ours) < major(written_by):
            found[client] = Obstacle("newer_browser", {"version": written_by, "ours": ours})
        elif client in there and (look := volumes.look(client))["present"]:
            found[client] = Obstacle("has_session", {"client": client, "phone": look["phone"] or "?"})
    return found


def confirm(app: App, question: str, *, yes: bool, command: str) -> bool:
    """Raises UserError (USAGE) where nobody can be asked."""
    need_leave(app, yes=yes, command=command)
    if yes or app.ask(question):
        return True
    click.echo(app.say("cli.cancelled"))
    return False


def need_leave(app: App, *, yes: bool, command: str) -> None:
    """Raises UserError (USAGE) where nobody can be asked and nobody has said yes before."""
    if not yes and not app.can_ask:
        raise UserError(
            app.say("sessions.cannot_ask"), app.say("sessions.cannot_ask_fix", command=command), Exit.USAGE
        )


def tell_step(app: App, client: str) -> Any:
    """For `Volumes.stopped`: says that the bot is stopped and started, because it is felt."""

    def tell(key: str) -> None:
        click.echo(app.say(f"sessions.{key}", client=client))

    return tell


def tell_next(app: App, volumes: Volumes, client: str) -> None:
    """What to type so that the bot goes on with the session that is now in its place."""
    bot = next((each for each in volumes.fleet.bots if each.client_id == client), None)
    if bot is None:
        click.echo(app.say("sessions.next_add", client=client, file=app.file))
    elif not bot.enabled:
        click.echo(app.say("sessions.next_resume", client=client))
    elif not any(
        each.client_id == client and each.state.may_write for each in volumes.observe([client]).containers
    ):
        click.echo(app.say("sessions.next_up", client=client))


def age(when: datetime, say: Catalogue) -> str:
    return span((datetime.now(UTC) - when).total_seconds(), say)


def major(version: str | None) -> int:
    head = (version or "").split(".")[0]
    return int(head) if head.isdigit() else 0
