"""Prometheus' own programs, and where the monitoring's files lie."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".cache" / "tools"
COMPOSE = ROOT / "compose"
RULES = sorted((COMPOSE / "prometheus" / "rules").glob("*.yml"))
RUNBOOKS = ROOT / "docs" / "runbooks"


def program(name: str) -> str:
    """The one that set-up fetched, else the machine's."""
    fetched = TOOLS / name
    found = str(fetched) if fetched.exists() else shutil.which(name)
    assert found, f"{name} is not here: python3 -m setup test-tools"
    return found


def run(name: str, *arguments: str | Path) -> str:
    """What it printed. Fails with that when it did not end with 0."""
    done = subprocess.run(
        [program(name), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Question:
    """A PromQL expression at a step, and the samples that are the answer: labels -> value."""

    expression: str
    step: int
    answer: dict[str, float]


def promtool(
    folder: Path,
    asked: dict[str, tuple[str, dict[str, str], list[Question]]],
    files: Iterable[Path] = RULES,
) -> str:
    """What promtool says of name -> (step, series, questions); one run for each step there is. `files`: the rules."""
    said = ""
    for step in sorted({step for step, _, _ in asked.values()}):
        groups = [
            {
                "interval": step,
                "input_series": [{"series": one, "values": values} for one, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f"{question.expression} # {name}",
                        "eval_time": f"{question.step}{step[-1]}",
                        "exp_samples": [
                            {"labels": labels, "value": value} for labels, value in question.answer.items()
                        ],
                    }
                    for question in questions
                ],
            }
            for name, (its, series, questions) in asked.items()
            if its == step
        ]
        file = folder / f"{step}.yml"
        whole = {"rule_files": [str(path) for path in files], "evaluation_interval": step, "tests": groups}
        file.write_text(yaml.safe_dump(whole, sort_keys=False))
        done = subprocess.run(
            [program("promtool"), "test", "rules", file], capture_output=True, text=True, check=False
        )
        said += done.stdout + done.stderr
        assert done.returncode in (0, 1), said
        assert (done.returncode == 0) == ("FAILED" not in said)
    return said


def rules() -> list[dict[str, Any]]:
    """Every rule of every file, as it is written."""
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> dict[str, dict[str, Any]]:
    return {rule["record"]: rule for rule in rules() if "record" in rule}
