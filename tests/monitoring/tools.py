"""Prometheus' own programs, and where the monitoring's files lie."""

from __future__ import annotations

import shutil
import subprocess
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
