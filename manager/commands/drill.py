"""`drill`: the survival drill, on bots and phones of its own, or gently on real ones."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bot.text import Catalogue
from manager import spec as specs
from manager.app import App, UserError
from manager.clickwords import PATH, app_of, clients, command, flag, json_flag, option
from manager.engine import Engine
from manager.exits import Exit
from manager.problems import EngineError
from manager.talk import Refusal, ask

if TYPE_CHECKING:
    from drill.faults import Fault
    from drill.judge import Verdict
    from drill.report import Report

SUBJECTS = ("process", "container", "peer")
_ROUNDS, _GENTLE_ROUNDS = 60, 3
_LIMIT, _GENTLE_LIMIT = 90.0, 300.0
_GENTLE_HOLD = 30.0
_CTL_SECONDS = 20


def _number(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 10**9):
        raise click.BadParameter(app_of(ctx).say("usage.not_a_number", text=value, least=1), ctx, param)
    return int(value)


def _faults(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[Fault, ...]:
    from drill.faults import Fault  # noqa: PLC0415  only this command pays for the drill

    if value is None:
        return tuple(Fault)
    known = {each.value: each for each in Fault}
    words = [word.strip() for word in value.split(",") if word.strip()]
    for word in words:
        if word not in known:
            say = app_of(ctx).say
            raise click.BadParameter(
                say("drill.no_such_fault", text=word, known=", ".join(known)), ctx, param
            )
    return tuple(known[word] for word in words) or tuple(Fault)


def _subject(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if value not in SUBJECTS:
        say = app_of(ctx).say
        raise click.BadParameter(
            say("drill.no_such_subject", text=value, known=", ".join(SUBJECTS)), ctx, param
        )
    return value


@command("drill")
@clients
@option("--rounds", metavar="N", callback=_number, help="drill_rounds")
@option("--seed", metavar="S", callback=_number, help="drill_seed")
@option("--faults", metavar="A,B", callback=_faults, help="drill_faults")
@option("--subject", metavar="WHAT", default="process", callback=_subject, help="drill_subject")
@option("--parallel", metavar="N", callback=_number, help="drill_parallel")
@option("--limit", metavar="N", callback=_number, help="drill_limit")
@option("--keep", metavar="FOLDER", type=PATH, help="drill_keep")
@flag("--full", help="drill_full")
@flag("--gentle", help="drill_gentle")
@json_flag
def drill(app: App, clients: tuple[str, ...], as_json: bool, **given: Any) -> Exit:
    from drill.report import LOCALES, Report  # noqa: PLC0415

    if bool(clients) != given["gentle"]:
        raise click.UsageError(app.say("drill.gentle_only"))
    seed = given["seed"] or int(time.time()) % 10**6
    keep = given["keep"] or Path(tempfile.gettempdir()) / "oturum-drill"
    limit = float(given["limit"] or (_GENTLE_LIMIT if given["gentle"] else _LIMIT))
    subject = "gentle" if given["gentle"] else given["subject"]
    report = Report(Catalogue(LOCALES, app.say.language), seed, subject, limit, keep)
    if given["gentle"]:
        return _told(
            _gently(app, report, clients, given["rounds"] or _GENTLE_ROUNDS, as_json), report, as_json
        )
    return _campaign(report, given, as_json)


def _campaign(report: Report, given: dict[str, Any], as_json: bool) -> Exit:
    from drill import run  # noqa: PLC0415
    from drill.faults import Fault  # noqa: PLC0415
    from drill.subject import Impossible  # noqa: PLC0415

    wanted = run.Wanted(
        subject=given["subject"],
        rounds=given["rounds"] or _ROUNDS,
        seed=report.seed,
        faults=given["faults"],
        parallel=given["parallel"] or max(2, (os.cpu_count() or 1)),
        limit=report.limit,
        keep=report.keep,
        full=given["full"],
    )
    faults, missing, abilities = run.faults_here(wanted)
    if Fault.ENGINE_RESTART in faults:
        wanted = replace(wanted, parallel=1)  # an engine that ends takes every bot with it
    report = replace(report, missing=missing)
    values = {"rounds": wanted.rounds, "seed": wanted.seed, "subject": wanted.subject, "limit": wanted.limit}
    _tell([report.say("campaign.begins", parallel=wanted.parallel, **values)], as_json)
    verdicts: list[Verdict] = []
    try:
        if faults:
            verdicts = run.run(wanted, faults, abilities, lambda each: _tell(report.of_round(each), as_json))
    except run.NoPeer as error:
        raise UserError(report.say("campaign.no_peer", why=error)) from None
    except Impossible as error:
        raise UserError(report.say("campaign.broken", why=error)) from None
    return _told(verdicts, report, as_json)


def _told(verdicts: list[Verdict], report: Report, as_json: bool) -> Exit:
    from drill.report import passed  # noqa: PLC0415

    if as_json:
        click.echo(json.dumps(report.as_json(verdicts), ensure_ascii=False, indent=2))
    else:
        _tell(report.of_all(verdicts), as_json)
    return Exit.OK if passed(verdicts) else Exit.FAILED


def _tell(lines: list[str], as_json: bool) -> None:
    """What is said on the way is for people; with --json it goes where it does not disturb."""
    for line in lines:
        click.echo(line, err=as_json)


# ---- gently, on real bots


def _gently(app: App, report: Report, clients: tuple[str, ...], rounds: int, as_json: bool) -> list[Verdict]:
    from drill import gentle  # noqa: PLC0415
    from drill.campaign import Pace, campaign  # noqa: PLC0415
    from drill.faults import Fault  # noqa: PLC0415
    from manager.progress import Silent  # noqa: PLC0415
    from manager.reconcile import project_turn  # noqa: PLC0415
    from manager.sessionwork import ended_as_by_hand  # noqa: PLC0415

    fleet, engine = app.fleet(), app.engine()
    app.chosen(clients, fleet.client_ids)
    bots = [_RealBot(engine, fleet.project, client, app.say.language) for client in clients]
    for bot in bots:
        bot.check(report.say)
    verdicts: list[Verdict] = []
    plan = campaign(report.seed, rounds, (Fault.CUT,), Pace(hold=_GENTLE_HOLD))
    for bot in bots:
        # A bot that is off its network is what `up` and `watch` mend at once: they wait for their turn.
        with ended_as_by_hand(), project_turn(fleet, engine, Silent()):
            found = gentle.drill(
                bot,
                plan,
                report.limit,
                lambda each, bot=bot: _tell(  # type: ignore[misc]
                    [report.say("gentle.cut", client=bot.client_id, seconds=each.hold)], as_json
                ),
                time.sleep,
            )
        verdicts += found
    return verdicts


class _RealBot:
    def __init__(self, engine: Engine, project: str, client_id: str, language: str) -> None:
        self.client_id = client_id
        self._engine = engine
        self._container = specs.container_name(project, client_id)
        self._network = specs.network_name(project)
        self._language = language

    def check(self, say: Catalogue) -> None:
        """Raises UserError when it is not READY: then there is nothing to be learned from a cut."""
        with suppress(EngineError):
            self.put_back()  # a drill that was killed may have left it off its network
        status = self.status()
        if status is None:
            raise UserError(say("gentle.absent", client=self.client_id))
        if status["state"] != "READY":
            raise UserError(say("gentle.foreign", client=self.client_id, state=status["state"]))

    def status(self) -> dict[str, Any] | None:
        try:
            return ask(self._engine, self._container, ["status"], _CTL_SECONDS, self._language)
        except (Refusal, EngineError):
            return None

    def take_off(self) -> None:
        self._engine.leave_network(self._network, self._container)

    def put_back(self) -> None:
        # Whoever reads its metrics knows it by its host name, which the engine forgets with the network.
        self._engine.join_network(self._network, self._container, [specs.hostname(self.client_id)])
