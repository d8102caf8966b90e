"""How a plan was carried out, told to people line by line or to programs as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import click

from bot.text import Catalogue
from manager import plan as planning
from manager.app import App, engine_exit
from manager.execute import Step, StepState
from manager.exits import Exit
from manager.fleet import Fleet
from manager.plan import Action, ActionKind, Plan
from manager.problems import EngineError
from manager.progress import Lively, Plain, Reporter, Silent, target_name
from manager.reconcile import Outcome
from manager.rollout import Halt


def carry_out(app: App, fleet: Fleet, act: Callable[[Reporter], Outcome]) -> tuple[Outcome, Exit]:
    """`act` with its progress shown as it goes, then how it ended."""
    reporter: Reporter = Silent() if app.json else (Lively if app.terminal else Plain)(app.say, fleet.project)
    began = time.monotonic()
    with reporter.shown():
        outcome = act(reporter)
    code = _exit(outcome)
    if app.json:
        click.echo(json.dumps(as_json(outcome, fleet, code, app.say), ensure_ascii=False, indent=2))
    else:
        _tell(app, outcome, time.monotonic() - began)
    return outcome, code


def confirmed(app: App, plan: Plan) -> bool:
    """Asks before something that runs is interrupted. Raises click.Abort on Ctrl-C."""
    stopped = [lane[0].client_id for lane in plan.lanes if any(step.kind is ActionKind.STOP for step in lane)]
    if not stopped:
        return True
    for line in planning.render(replace(plan, notes=()), app.say):
        click.echo(line)
    named = ", ".join(client for client in stopped if client)
    return app.ask(app.say("cli.ask_interrupt", count=len(stopped), clients=named))


def as_json(outcome: Outcome, fleet: Fleet, code: Exit, say: Catalogue) -> dict[str, Any]:
    """Kinds, verbs, states and problems are words of the program, the same in every language."""
    image = outcome.image
    return {
        "ok": code is Exit.OK,
        "exit": int(code),
        "dry_run": outcome.dry_run,
        "confirmed": outcome.confirmed,
        "project": fleet.project,
        "image": image and {"tag": image.tag, "id": image.id, "built": image.built, "exists": image.exists},
        "plan": [_lane(lane, fleet.project, say) for lane in _lanes(outcome.plan)],
        "halt": outcome.halt and _halt(outcome.halt, say),
        "steps": [_step(step, fleet.project, say) for step in outcome.steps],
        "notes": [
            {"client_id": note.client_id, "key": note.key, "text": note.say(say), "blocking": note.blocking}
            for note in outcome.notes
        ],
    }


def _lanes(plan: Plan) -> Iterable[planning.Lane]:
    return [*((action,) for action in plan.shared), *plan.lanes]


def _lane(lane: planning.Lane, project: str, say: Catalogue) -> dict[str, Any]:
    return {
        "client_id": lane[0].client_id,
        "verb": planning.verb(lane),
        "cause": planning.leading_cause(lane).say(say),
        "actions": [_action(action, project) for action in lane],
    }


def _action(action: Action, project: str) -> dict[str, Any]:
    return {"kind": action.kind.value, "target": target_name(action, project)}


def _step(step: Step, project: str, say: Catalogue) -> dict[str, Any]:
    told: dict[str, Any] = {
        "client_id": step.action.client_id,
        **_action(step.action, project),
        "cause": step.action.cause.say(say),
        "state": step.state.value,
        "seconds": round(step.seconds, 3),
    }
    if step.error is not None:
        said = step.error.say(say)
        told["error"] = {"problem": step.error.problem.value, "message": said.message, "fix": said.fix}
    return told


def _halt(halt: Halt, say: Catalogue) -> dict[str, Any]:
    trial = halt.trial
    return {
        "client_id": halt.client_id,
        "fate": trial.fate.value,
        "state": trial.now.state,
        "before": None if trial.before.assumed else trial.before.state,
        "unchanged": list(halt.left),
        "message": halt.say(say),
        "fix": halt.fix(say),
    }


def _exit(outcome: Outcome) -> Exit:
    if outcome.errors:
        return _worst(outcome.errors)
    if outcome.halt:
        return Exit.ROLLOUT
    return Exit.OK if outcome.ok and outcome.confirmed else Exit.FAILED


def _worst(errors: Iterable[EngineError]) -> Exit:
    codes = {engine_exit(error) for error in errors}
    return Exit.ENGINE if Exit.ENGINE in codes else Exit.FAILED


def _tell(app: App, outcome: Outcome, seconds: float) -> None:
    say = app.say
    if outcome.dry_run:
        for line in planning.render(replace(outcome.plan, notes=()), say):
            click.echo(line)
        if outcome.image and not outcome.image.exists:
            click.echo(say("image.to_build", tag=outcome.image.tag))
        elif outcome.image and outcome.image.rebuild:
            click.echo(say("image.to_rebuild", tag=outcome.image.tag))
    if outcome.image and outcome.image.built:
        click.echo(say("image.built", tag=outcome.image.tag))
    for note in outcome.notes:
        click.secho(note.say(say), fg="red" if note.blocking else "yellow", err=note.blocking)
    _sum_up(say, outcome, seconds)
    if any(step.state is StepState.DONE and step.action.begins_a_bot for step in outcome.steps):
        click.echo(say("cli.next_status"))


def _sum_up(say: Catalogue, outcome: Outcome, seconds: float) -> None:
    bad = sum(step.state is not StepState.DONE for step in outcome.steps)
    if not outcome.confirmed:
        click.echo(say("cli.cancelled"))
    elif bad:
        click.secho(say("cli.some_failed", failed=bad, count=len(outcome.steps)), fg="red", err=True)
    elif outcome.nothing_to_do:
        if outcome.ok:
            click.echo(say("cli.nothing_to_do"))
    elif outcome.dry_run:
        click.echo(say("cli.dry_run"))
    elif outcome.steps:
        click.echo(say("cli.done_in", count=len(outcome.steps), seconds=f"{seconds:.1f}"))
