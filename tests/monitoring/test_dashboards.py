"""The committed dashboards: written by the code, complete, and fit for one bot and for a hundred."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.__main__ import FOLDER, pages
from tests.monitoring.tools import COMPOSE, alerts, recorded

NAMES = sorted(pages())
GRAFANA = COMPOSE / "grafana"


def page(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return found


def panels(name: str) -> Iterator[dict[str, Any]]:
    return (panel for panel in page(name)["panels"] if panel["type"] != "row")


PANELS = [pytest.param(panel, id=f"{name}: {panel['title']}") for name in NAMES for panel in panels(name)]


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run: python -m monitoring"


def test_no_other_file_lies_there() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == NAMES


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert len(panel["title"]) > 3
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    steps = defaults["thresholds"]["steps"]
    assert steps[0]["value"] is None
    assert [step["value"] for step in steps[1:]] == sorted(step["value"] for step in steps[1:])
    assert panel["targets"]
    if panel["type"] in ("timeseries", "statetimeline"):
        assert panel["options"]["legend"]["showLegend"]
    for target in panel["targets"]:
        assert target["datasource"] == {"type": "prometheus", "uid": "oturum-prometheus"}
        assert target["legendFormat"] or panel["type"] == "table"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_room_and_few_enough_things_to_show(panel: dict[str, Any]) -> None:
    place = panel["gridPos"]
    assert place["x"] >= 0
    assert place["x"] + place["w"] <= 24
    for target in panel["targets"]:
        expr = target["expr"]
        one_bot = "$clientId" in expr
        one_series_a_bot = "client_id" in target["legendFormat"] and not one_bot
        if one_series_a_bot and panel["type"] == "bargauge":
            assert re.search(r"(top|bottom)k\(12,", expr), "a hundred bars are nobody's"
        if one_series_a_bot and panel["type"] == "timeseries":
            assert expr.endswith("> 0"), "a hundred lines are nobody's: only what happened"


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in page(name)["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in page(name)["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_fleet_leads_to_each_bot() -> None:
    links = re.findall(r"/d/([a-z-]+)\?var-(\w+)=", (FOLDER / "fleet.json").read_text())
    bot = page("bot.json")
    assert links
    assert [each["name"] for each in bot["templating"]["list"]] == ["clientId"]
    assert set(links) == {(bot["uid"], "clientId")}
    assert set(re.findall(r"\$([a-z]\w+)", (FOLDER / "bot.json").read_text())) == {"clientId"}


def test_every_recorded_series_is_used() -> None:
    shown = "".join((FOLDER / name).read_text() for name in NAMES)
    asked = "".join(rule["expr"] for rule in alerts().values())
    assert [name for name in recorded() if name not in shown + asked] == []


def test_grafana_is_told_of_its_sources_and_pages() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/oturum.yaml").read_text())
    by_uid = {source["uid"]: source for source in sources["datasources"]}
    assert by_uid["oturum-prometheus"]["url"] == "http://prometheus:9090"
    assert by_uid["oturum-prometheus"]["jsonData"]["alertmanagerUid"] in by_uid
    config = yaml.safe_load((COMPOSE / "prometheus/prometheus.yml").read_text())
    assert by_uid["oturum-prometheus"]["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]
    providers = yaml.safe_load((GRAFANA / "provisioning/dashboards/oturum.yaml").read_text())
    assert providers["providers"][0]["options"]["path"] == "/etc/oturum/dashboards"


@pytest.mark.parametrize("name", NAMES)
def test_grafanas_own_schema_knows_every_field(name: str) -> None:
    """Read by the models that Grafana's schemas are made into and written again: what they do not know is lost."""
    register_default_plugins()
    read = Dashboard.from_json(page(name))
    again: dict[str, Any] = json.loads(json.dumps(read, cls=JSONEncoder))
    assert lost(page(name), again) == {
        # A data source's own: of Prometheus' annotations.
        f"annotations.list.{key}"
        for key in ("step", "textFormat", "titleFormat", "useValueForTime")
        if page(name)["annotations"]
    }
    assert lost({"panels": [{"colour": 1}]}, {"panels": [{}]}) == {"panels.colour"}


def lost(before: Any, after: Any, at: str = "") -> set[str]:
    """Where a field of `before` is absent from `after`, or another."""
    if isinstance(before, dict):
        return {
            each
            for key, value in before.items()
            for each in lost(value, after.get(key), f"{at}.{key}".lstrip("."))
        }
    if isinstance(before, list):
        return {
            each
            for one, other in zip(before, after or [None] * len(before), strict=True)
            for each in lost(one, other, at)
        }
    return set() if before == after else {at}
