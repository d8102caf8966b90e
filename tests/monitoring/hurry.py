"""The very configuration of the stack, in quick motion: scraped every 2 s, its rules' times shortened alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.monitoring.tools import COMPOSE, RULES

FACTOR = 24
# What is slow in quick motion too: Prometheus takes over found targets every 5 s, and a bot starts in some seconds. So
# a new one, and one that was just taken out, is a silent target for longer than a 24th of two minutes.
_LEAST_DOWN = 15
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Times in PromQL stand in brackets or after `offset`.
_TIME = re.compile(r"(?<=\[)(\d+)([smhd])(?=])|(?<=offset )(\d+)([smhd])\b")


def shorter(time: str) -> str:
    """`5m` in quick motion; never less than two scrapes."""
    return f"{max(4, int(time[:-1]) * _SECONDS[time[-1]] // FACTOR)}s"


def expression(text: str) -> str:
    return _TIME.sub(lambda found: shorter(found[0]), text)


def write(folder: Path, targets: dict[str, str], manager: str) -> Path:
    """prometheus.yml and its rules, for processes. `targets`: client_id -> address."""
    config = _config(folder)
    del config["alerting"]
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    del jobs["oturum-bots"]["http_sd_configs"]
    jobs["oturum-bots"]["static_configs"] = [
        {"targets": [address], "labels": {"client_id": client_id}} for client_id, address in targets.items()
    ]
    jobs["oturum-manager"]["static_configs"] = [{"targets": [manager]}]
    config["scrape_configs"] = [jobs["oturum-bots"], jobs["oturum-manager"]]
    return _write(folder, config)


def write_for_the_stack(folder: Path) -> None:
    """The folder for the container: it finds bots, manager and Alertmanager as ever."""
    config = _config(folder)
    for job in config["scrape_configs"]:
        for found in job.get("http_sd_configs", ()):
            found["refresh_interval"] = "2s"
    _write(folder, config)


def _config(folder: Path) -> dict[str, Any]:
    rules = folder / "rules"
    rules.mkdir()
    for path in RULES:
        content = yaml.safe_load(path.read_text())
        for group in content["groups"]:
            group["interval"] = "1s"
            for rule in group["rules"]:
                rule["expr"] = expression(rule["expr"])
                if "for" in rule:
                    least = _LEAST_DOWN if "up{" in rule["expr"] else 0
                    rule["for"] = f"{max(least, int(shorter(rule['for'])[:-1]))}s"
        (rules / path.name).write_text(yaml.safe_dump(content))
    config: dict[str, Any] = yaml.safe_load((COMPOSE / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"}
    return config


def _write(folder: Path, config: dict[str, Any]) -> Path:
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file
