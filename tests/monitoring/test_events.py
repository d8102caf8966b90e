"""What happened is in the pages' bars once, and marked: windows and steps as Grafana works them out, by promtool."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from monitoring.__main__ import FOLDER
from tests.monitoring.tools import Question, promtool

_SCRAPE = 15
# Scrapes and steps are never at the same moments: of three moments 5 s apart a scrape is the second, or the third.
_PHASES = ("_ {} _", "_ _ {}")
MARKS = {mark["name"]: mark for mark in json.loads((FOLDER / "bot.json").read_text())["annotations"]["list"]}


def filled(expr: str, step: int, scrape: int = _SCRAPE) -> str:
    """`scrape`: what Grafana takes for it, a query's own least step if it has one."""
    window = max(step + scrape, 4 * scrape)
    expr = expr.replace("$__interval_ms", str(step * 1000)).replace("$__rate_interval", f"{window}s")
    return expr.replace("$clientId", "shop")


def scraped(values: list[int], phase: str) -> str:
    return " ".join(phase.format(value) for value in values)


@pytest.mark.parametrize("name", sorted(MARKS))
@pytest.mark.parametrize("step", [15, 60, 600])
def test_whenever_something_happens_there_is_a_mark(name: str, step: int, tmp_path: Path) -> None:
    mark = MARKS[name]
    least = int(mark["step"].removesuffix("s"))
    step = max(step, least)
    expr = filled(mark["expr"], step, least)
    series = re.sub(r"\[.*", "", expr[expr.index("(") + 1 :])
    asked = {}
    for phase in _PHASES:
        for at in range(120, 160, 3):
            values = scraped([3] * at + [4] * (360 - at), phase)
            there = Question(f"count(max_over_time(({expr})[80m:{step}s]))", 5100, {"{}": 1})
            asked[f"{at} {phase}"] = ("5s", {series: values}, [there])
    assert "FAILED" not in (said := promtool(tmp_path, asked, ())), said
