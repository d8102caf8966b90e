"""`doctor` tells of the bots what `status` tells, as findings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from manager.doctor import bots
from manager.doctor.finding import Finding
from manager.overview import Advice, Place, Row, Weight
from manager.text import catalogue

SAY = catalogue("en")
NOW = datetime(2026, 5, 4, tzinfo=UTC)
READY = Row("well", Place.ANSWERS, state="READY", since=NOW - timedelta(hours=1), weight=Weight.GOOD)
ABSENT = Row("new", Place.ABSENT, weight=Weight.ACT, advice=Advice("start", "python -m manager up new"))
OFF = Row("off", Place.DISABLED, enabled=False, weight=Weight.OFF)


def found(*rows: Row) -> list[Finding]:
    return list(bots.judge(rows, SAY))


def needy(place: Place = Place.ANSWERS, state: str | None = None, **more: object) -> Row:
    advice = Advice("look_in_log", "python -m manager logs a")
    return Row("a", place, state=state, weight=Weight.ACT, advice=advice, **more)  # type: ignore[arg-type]


def test_all_is_well() -> None:
    (only,) = found(READY, OFF)
    assert (only.check, only.level, only.fix) == ("bots", "ok", None)
    assert only.message == "2 bot(s), 1 of them READY; none needs you."


def test_a_fleet_that_was_never_started_is_no_fault_and_one_bot_less_is() -> None:
    (only,) = found(ABSENT, OFF)
    assert (only.level, only.fix) == ("ok", None)
    (lacking,) = found(ABSENT, READY)
    assert (lacking.level, "new" in lacking.message) == ("warning", True)
    assert "`python -m manager up`" in (lacking.fix or "")


@pytest.mark.parametrize(
    ("row", "level", "said"),
    [
        (
            needy(Place.RESTARTING, exit_code=12, reason="no browser", fix="mend it"),
            "error",
            "crash loop (12); no browser",
        ),
        (needy(Place.EXITED, exit_code=137), "error", "stopped (137); exit code 137: it was killed"),
        (needy(Place.SILENT), "error", "no answer"),
        (needy(Place.PAUSED), "error", "paused"),
        (needy(state="BANNED"), "error", "BANNED"),
        (needy(state="CONFLICT"), "error", "CONFLICT"),
        (needy(state="FAILED", reason="no room"), "error", "FAILED; no room"),
        (needy(state="RECONNECTING", reason="CONNECTION_ERROR"), "warning", "RECONNECTING; CONNECTION_ERROR"),
        (needy(state="WAITING_FOR_QR_SCAN"), "warning", "WAITING_FOR_QR_SCAN"),
    ],
)
def test_a_bot_that_needs_somebody(row: Row, level: str, said: str) -> None:
    (only,) = found(READY, row)
    assert only.level == level
    assert only.message.startswith(f"a: {said}")
    assert (only.fix or "").endswith("cannot go on; see why: `python -m manager logs a`")
    assert (only.fix or "").startswith(row.fix or "cannot")
