"""The stack's file, as Docker Compose v2 itself understands it: what is open, what is confined, what it may do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from setup import compose_tool
from tests.monitoring.tools import COMPOSE, ROOT

SERVICES = ["alertmanager", "grafana", "manager", "prometheus"]


def read(**environment: str) -> dict[str, Any]:
    """What `docker compose config` makes of it, without this machine's own compose/.env."""
    command = [*compose_tool.command(), "--env-file", "/dev/null", "-f", str(COMPOSE / "compose.yaml")]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OTURUM_")}
    done = subprocess.run(
        [*command, "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        env=clean | environment,
    )
    assert done.returncode == 0, done.stderr
    assert "level=warning" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    return read()


def test_the_four_are_there_each_with_a_pinned_image(stack: dict[str, Any]) -> None:
    assert sorted(stack["services"]) == SERVICES
    for name, service in stack["services"].items():
        repository, _, tag = service["image"].rpartition(":")
        assert repository
        assert tag == "local" if name == "manager" else re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


def test_nothing_is_open_but_grafana_and_that_on_this_machine_only(stack: dict[str, Any]) -> None:
    ports = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in service["ports"]]
        for name, service in stack["services"].items()
        if service.get("ports")
    }
    assert ports == {"grafana": [("127.0.0.1", "3000", 3000)]}
    assert stack["networks"]["inner"]["internal"] is True
    outside = {name for name, service in stack["services"].items() if "outer" in service["networks"]}
    assert outside == {"alertmanager", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined_watched_and_limited(name: str, stack: dict[str, Any]) -> None:
    service = stack["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.get("privileged")
    assert not service.get("cap_add")
    assert int(service["mem_limit"]) <= 2**30
    assert service["pids_limit"] == 256
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["logging"]["options"] == {"max-file": "3", "max-size": "10m"}
    writable = [
        mount["target"]
        for mount in service["volumes"]
        if mount["type"] == "bind" and not mount.get("read_only") and "docker.sock" not in mount["source"]
    ]
    assert not writable


def test_only_the_manager_has_the_socket(stack: dict[str, Any]) -> None:
    holders = {
        name
        for name, service in stack["services"].items()
        if any("docker.sock" in mount["source"] for mount in service["volumes"])
    }
    assert holders == {"manager"}


def test_secrets_are_files(stack: dict[str, Any]) -> None:
    assert set(stack["secrets"]) == {"grafana_password"}
    for service in stack["services"].values():
        for key, value in (service.get("environment") or {}).items():
            assert "PASSWORD" not in key or key.endswith("__FILE"), (key, value)
    ignored = (COMPOSE / "secrets" / ".gitignore").read_text().splitlines()
    assert "*" in ignored


def test_what_is_mounted_is_there(stack: dict[str, Any]) -> None:
    for service in stack["services"].values():
        for mount in service["volumes"]:
            if mount["type"] == "bind" and mount["source"].startswith(str(ROOT)):
                assert Path(mount["source"]).is_dir()


def test_images_and_ports_can_be_others() -> None:
    found = read(
        OTURUM_MANAGER_IMAGE="a:1",
        OTURUM_PROMETHEUS_IMAGE="b:2",
        OTURUM_ALERTMANAGER_IMAGE="c:3",
        OTURUM_GRAFANA_IMAGE="d:4",
        OTURUM_GRAFANA_ADDRESS="127.0.0.1:3999",
        OTURUM_STACK="another",
    )
    images = {name: service["image"] for name, service in found["services"].items()}
    assert images == {"manager": "a:1", "prometheus": "b:2", "alertmanager": "c:3", "grafana": "d:4"}
    assert found["services"]["grafana"]["ports"][0]["published"] == "3999"
    assert found["name"] == "another"
    scraped = found["services"]["prometheus"]["labels"]["io.oturum.scrapes"]
    assert scraped == "another"
    assert f"io.oturum.scrapes={scraped}" in found["services"]["manager"]["command"]


def test_prometheus_asks_the_names_that_the_stack_has(stack: dict[str, Any]) -> None:
    asked = re.findall(
        r"\b([a-z]+):(\d+)", (COMPOSE / "prometheus" / "prometheus.yml").read_text().partition("global")[2]
    )
    hosts = {host for host, _ in asked if host not in ("localhost", "http")}
    assert hosts == {"manager", "alertmanager"}
    assert hosts < set(stack["services"])
