"""Who is told of which alert, and which alerts are held back: asked of Alertmanager's own programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.running import alertmanager, until
from tests.monitoring.tools import COMPOSE, alerts, run

CONFIG = COMPOSE / "alertmanager" / "alertmanager.yml"
TOLD = {"critical": "page", "warning": "team", "info": "nobody"}


def labels(alert: str, client_id: str = "") -> dict[str, str]:
    about = {"client_id": client_id} if client_id else {}
    return {"alertname": alert, "severity": alerts()[alert]["labels"]["severity"]} | about


def test_the_file_is_right() -> None:
    assert "SUCCESS" in run("amtool", "check-config", CONFIG)


@pytest.mark.parametrize("alert", sorted(alerts()))
def test_a_severity_has_its_receiver(alert: str) -> None:
    found = labels(alert, "shop")
    wanted = "team" if alert == "OturumPhoneNotSeen" else TOLD[found["severity"]]
    said = run(
        "amtool", "config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={wanted}",
        *(f"{key}={value}" for key, value in found.items()),
    )  # fmt: skip
    assert wanted in said


def test_amtool_would_have_objected() -> None:
    with pytest.raises(AssertionError, match="WARNING"):
        run(
            "amtool", "config", "routes", "test", f"--config.file={CONFIG}", "--verify.receivers=nobody",
            "severity=critical",
        )  # fmt: skip


async def test_what_is_held_back_and_how_it_is_grouped(tmp_path: Path) -> None:
    fired = [
        labels("OturumEngineDown"),
        labels("OturumManagerNotReconciling"),
        labels("OturumBotDown", "shop"),
        labels("OturumBotDown", "sales"),
        labels("OturumSessionLost", "shop"),
        labels("OturumQrWaiting", "shop"),
        labels("OturumRestoreFailed", "shop"),
        labels("OturumConfigInvalid"),
    ]
    config = yaml.safe_load(CONFIG.read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route["group_wait"] = "0s"  # a group's alerts are judged when it is sent
    quick = tmp_path / "alertmanager.yml"
    quick.write_text(yaml.safe_dump(config))
    async with alertmanager(tmp_path, quick) as api:
        await api.post("/api/v2/alerts", [{"labels": each} for each in fired])

        async def all_there() -> list[dict[str, Any]] | None:
            found: list[dict[str, Any]] = await api.get("/api/v2/alerts")
            pending = len(found) < len(fired) or any(
                each["status"]["state"] == "unprocessed" for each in found
            )
            return None if pending else found

        found = await until(all_there, "all alerts are judged")
        groups = await api.get("/api/v2/alerts/groups")
    held = {
        (each["labels"]["alertname"], each["labels"].get("client_id"))
        for each in found
        if each["status"]["inhibitedBy"]
    }
    assert held == {
        ("OturumManagerNotReconciling", None),
        ("OturumBotDown", "shop"),
        ("OturumBotDown", "sales"),
        ("OturumQrWaiting", "shop"),
        ("OturumRestoreFailed", "shop"),
    }
    assert {(group["receiver"]["name"], group["labels"].get("client_id")) for group in groups} == {
        ("page", None), ("team", None), ("page", "shop"), ("page", "sales"), ("team", "shop"),
    }  # fmt: skip
