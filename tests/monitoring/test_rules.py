"""Every rule, by promtool on made-up series: it fires when it should, not before, not else, and it resolves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.contract import State
from monitoring import states
from tests.monitoring.cases import CASES, UP, Case, state
from tests.monitoring.tools import COMPOSE, RULES, RUNBOOKS, Question, alerts, promtool, recorded, run


def questions(case: Case) -> list[Question]:
    severity = alerts()[case.alert]["labels"]["severity"]
    labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity} | case.labels
    sample = "ALERTS{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}"
    firing = f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}'
    return [
        Question(firing, step, {sample: 1} if step in case.firing else {})
        for step in sorted((*case.firing, *case.quiet))
    ]


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> str:
    asked = {str(case): (case.step, case.series, questions(case)) for case in CASES}
    assert len(asked) == len(CASES)
    return promtool(tmp_path_factory.mktemp("promtool"), asked)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_alert_fires_when_it_should_and_else_not(case: Case, verdicts: str) -> None:
    told = [block for block in verdicts.split("  FAILED:")[1:] if f'# {case}"' in block]
    assert not told, "\n".join(told)


def test_promtool_would_have_said_so(tmp_path: Path) -> None:
    wrong = Question("ALERTS", 1, {'ALERTS{alertname="Never"}': 1})
    assert '# wrong"' in promtool(tmp_path, {"wrong": ("1m", {UP: "1x4"}, [wrong])})


def test_every_alert_is_seen_to_fire_and_to_resolve() -> None:
    resolving = {case.alert for case in CASES if case.firing and max(case.quiet) > max(case.firing)}
    starting = {case.alert for case in CASES if case.firing and min(case.quiet) < min(case.firing)}
    assert resolving & starting == set(alerts())


@pytest.mark.parametrize("name", sorted(alerts()))
def test_an_alert_tells_people_what_to_do(name: str) -> None:
    rule = alerts()[name]
    told = rule["annotations"]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(told) == {"summary", "description", "runbook_url"}
    assert told["description"].endswith(".")
    runbook = RUNBOOKS / Path(told["runbook_url"]).name
    assert told["runbook_url"] == f"docs/runbooks/{runbook.name}"
    text = runbook.read_text()
    assert text.startswith(f"# {runbook.stem}\n")
    for heading in ("## What it means", "## What to look at", "## What to type"):
        assert heading in text
    # A label that the alert does not carry would be told as nothing.
    used = set(re.findall(r"\$labels\.(\w+)", told["summary"] + told["description"]))
    for case in CASES:
        if case.alert == name and case.firing:
            assert used <= set(case.labels)


def test_no_runbook_is_left_over() -> None:
    wanted = {Path(rule["annotations"]["runbook_url"]).name for rule in alerts().values()}
    assert {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"} == wanted


def test_prometheus_takes_the_configuration() -> None:
    said = run("promtool", "check", "config", COMPOSE / "prometheus" / "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said
    assert run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES).count("SUCCESS") == len(
        RULES
    )


_READY = "client_id:oturum_ready:bool"
_QR = "client_id:oturum_qr_wanted:timestamp_seconds"
_CODE = "client_id:oturum_state:code"
_COUNT = "state:oturum_bots:count"
RECORDED: dict[str, tuple[str, dict[str, str], dict[int, float | None]]] = {
    "ready or not": (_READY, {state("READY"): "1x4 0x4", UP: "1x8"}, {2: 1, 6: 0}),
    "a bot that is gone": (_READY, {state("READY"): "1x4 stale", UP: "1x4 0x20"}, {2: 1, 12: 0}),
    **{
        f"as a number: {name.value}": (
            _CODE,
            {state(other.value): f"{int(other is name)}x4" for other in State} | {UP: "1x4"},
            {2: code},
        )
        for name, code in states.CODES.items()
    },
    "as a number: gone": (_CODE, {UP: "1x4 0x20", state("READY"): "1x4 stale"}, {2: 5, 6: 0}),
    "the last scan that was wanted": (
        _QR,
        {state("WAITING_FOR_QR_SCAN"): "0x4 1x5 0x90", UP: "1x100"},
        {3: None, 6: 360, 10: 600, 90: 600},
    ),
    "the last scan of a bot that is down": (
        _QR,
        {state("WAITING_FOR_QR_SCAN"): "0x4 1x5 stale", UP: "1x10 0x90"},
        {10: 600, 12: 600, 90: 600},
    ),
    "the last scan of a bot that was taken out": (
        _QR,
        {state("WAITING_FOR_QR_SCAN"): "0x4 1x5 0x5 stale", UP: "1x16 stale"},
        {15: 600, 18: None, 90: None},
    ),
    "bots by state": (
        _COUNT,
        {
            f'whatsapp_bot_state{{client_id="{name}",state="READY"}}': values
            for name, values in (("a", "1x4"), ("b", "0 1x4"), ("c", "0x4"))
        },
        {0: 1, 3: 2},
    ),
}


def test_what_is_recorded(tmp_path: Path) -> None:
    asked = {}
    for what, (name, series, expected) in RECORDED.items():
        labels = '{state="READY"}' if name == _COUNT else '{client_id="shop"}'
        asked[what] = (
            "1m",
            series,
            [
                Question(name, step, {} if value is None else {name + labels: value})
                for step, value in expected.items()
            ],
        )
    assert "FAILED" not in (said := promtool(tmp_path, asked)), said


def test_the_timelines_numbers_are_those_of_the_rule() -> None:
    assert recorded()[_CODE]["expr"].strip() == states.expression()
    assert set(states.legend()) == {states.DOWN, *states.CODES.values()}


def test_everything_recorded_is_tested() -> None:
    assert {name for name, _, _ in RECORDED.values()} == set(recorded())
