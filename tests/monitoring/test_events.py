"""What happened is in the pages' bars once, and marked: windows and steps as Grafana works them out, by promtool."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitoring import parts
from monitoring.__main__ import FOLDER, pages
from tests.monitoring.cases import BOT
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


def scraped(values: Sequence[object], phase: str) -> str:
    return " ".join(phase.format(value) for value in values)


@pytest.mark.parametrize("name", sorted(MARKS.keys() - {"start"}))
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


@pytest.mark.parametrize("away", [0, 1, 40])
@pytest.mark.parametrize("step", [15, 60, 600])
def test_a_start_is_marked_however_long_the_bot_was_away(step: int, away: int, tmp_path: Path) -> None:
    """`away`: in scrapes that found nothing. The new process is read for the first time 14 s after its start.

    Of marks at steps that follow each other Grafana makes one.
    """
    expr = filled(MARKS["start"]["expr"], step)
    asked = {}
    for at in range(160, 200, 3):
        began = at * _SCRAPE + 5 - 14
        values = [*["-9999"] * (at - away), *["_"] * away, *[str(began)] * (360 - at)]
        marked = f"count_over_time(({expr})[80m:{step}s])"
        there = Question(f"count({marked} <= {30 // step + 2})", 5100, {"{}": 1})
        series = f"whatsapp_bot_started_timestamp_seconds{{{BOT}}}"
        asked[str(at)] = ("5s", {series: scraped(values, "_ {} _")}, [there])
    assert "FAILED" not in (said := promtool(tmp_path, asked, ())), said


# How often it was counted up, at which scrape: long ago, twice in two scrapes, by two at once, by a new process.
_COUNTED = [9] * 400 + [
    10,
    11,
    *[11] * 50,
    13,
    *[13] * 33,
    14,
    *[14] * 57,
    0,
    0,
    0,
    2,
    *[2] * 44,
    3,
    *[3] * 400,
]
_TIMES = 8


@pytest.mark.parametrize("step", [120, 300, 3600])
@pytest.mark.parametrize("phase", _PHASES)
def test_bars_sum_up_to_how_often_it_happened(step: int, phase: str, tmp_path: Path) -> None:
    series = f"whatsapp_bot_qr_codes_total{{{BOT}}}"
    expr = filled(parts.happened(series), step)
    right = Question(f"sum(sum_over_time(({expr})[4h:{step}s]))", 14400, {"{}": _TIMES})
    asked = {"sum": ("5s", {series: scraped(_COUNTED, phase)}, [right])}
    assert "FAILED" not in (said := promtool(tmp_path, asked, ())), said


@pytest.mark.parametrize("page", sorted(pages()))
def test_what_has_a_sum_is_of_such_bars(page: str) -> None:
    summed = [
        panel
        for panel in json.loads((FOLDER / page).read_text())["panels"]
        if "sum" in panel.get("options", {}).get("legend", {}).get("calcs", ())
    ]
    assert summed
    for panel in summed:
        assert panel["interval"] == "2m"
        for target in panel["targets"]:
            assert re.search(
                r"round\(rate\(.*\[\$__rate_interval]\) \* \$__interval_ms / 1000\)", target["expr"]
            )
