"""`doctor`: every finding as it is made, with what mends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from manager.app import App
from manager.clickwords import command, json_flag
from manager.config import ConfigErrors
from manager.doctor import Finding, bots, examine
from manager.exits import Exit
from manager.fleet import Fleet
from manager.problems import EngineError
from manager.survey import Survey

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


@command("doctor")
@json_flag
def doctor(app: App, as_json: bool) -> Exit:
    findings: list[Finding] = []
    for finding in _findings(app):
        findings.append(finding)
        if not as_json:
            _tell(finding)
    errors, warnings = (sum(each.level == level for each in findings) for level in ("error", "warning"))
    code = Exit.DOCTOR if errors else Exit.OK
    if as_json:
        told = {"ok": not errors, "exit": int(code), "findings": [asdict(each) for each in findings]}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        passed = len(findings) - errors - warnings
        click.echo(
            app.say("doctor.sum", count=len(findings), passed=passed, errors=errors, warnings=warnings)
        )
    return code


def _findings(app: App) -> Iterator[Finding]:
    fleet: Fleet | None = None
    try:
        fleet = app.fleet()
        values = {"file": app.file, "project": fleet.project, "count": len(fleet.bots)}
        yield Finding("config", "ok", app.say("botsfile.valid", **values), None)
    except ConfigErrors as errors:
        fix = app.say("doctor.config_fix", file=app.file)
        yield Finding("config", "error", "\n".join(errors.lines(app.say)), fix)
    answers = False
    for found in examine(fleet, app.environ, app.say):
        answers = answers or (found.check, found.level) == ("engine", "ok")
        yield found
    if fleet is not None and answers:
        yield from _bots(app, fleet)


def _bots(app: App, fleet: Fleet) -> Iterator[Finding]:
    try:
        survey = Survey(app.engine(), fleet, app.say.language)
        rows = survey.rows(survey.observe())
    except EngineError as error:
        said = error.say(app.say)
        yield Finding(bots.CHECK, "error", said.message, said.fix)
        return
    yield from bots.judge(rows, app.say)


def _tell(finding: Finding) -> None:
    mark, colour = _MARKS[finding.level]
    first, *more = finding.message.splitlines()
    click.echo(f"{click.style(mark, fg=colour)} {first}")
    for line in [*more, *(finding.fix or "").splitlines()]:
        click.echo(f"  {line}")
