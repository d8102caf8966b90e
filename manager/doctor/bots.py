"""PURE: the rows of `status` as findings: the bots that need somebody, with the advice that `status` gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.contract import State
from bot.text import Catalogue
from manager.doctor.finding import Finding, Level
from manager.overview import Place, Row, Weight
from manager.overviewtext import state_words

CHECK = "bots"
_DOWN = frozenset({Place.SILENT, Place.PAUSED, Place.RESTARTING, Place.EXITED, Place.OOM, Place.REMOVING})
_NOT_BEGUN = frozenset({Place.ABSENT, Place.CREATED})
_PERMANENT = frozenset(state.value for state in State if state.permanent)


def judge(rows: Sequence[Row], say: Catalogue) -> Iterator[Finding]:
    """One for each bot that needs somebody; one for all that were never started; one when all is well."""
    needy = [row for row in rows if row.weight is Weight.ACT and row.place not in _NOT_BEGUN]
    absent = [row.client_id for row in rows if row.weight is Weight.ACT and row.place in _NOT_BEGUN]
    for row in needy:
        yield _of(row, say)
    if absent and len(absent) == sum(row.weight is not Weight.OFF for row in rows):
        yield Finding(CHECK, "ok", say("doctor.bots_none"), None)
    elif absent:
        message = say("doctor.bots_absent", count=len(absent), clients=", ".join(absent))
        yield Finding(CHECK, "warning", message, say("doctor.bots_absent_fix"))
    elif not needy:
        ready = sum(row.weight is Weight.GOOD for row in rows)
        yield Finding(CHECK, "ok", say("doctor.bots", count=len(rows), ready=ready), None)


def _of(row: Row, say: Catalogue) -> Finding:
    down = row.place in _DOWN or row.state in _PERMANENT
    level: Level = "error" if down else "warning"
    parts = [f"{row.client_id}: {state_words(row, say)}", row.why(say)]
    advice = row.advice
    fixes = [row.fix, advice.say(say, quoted=True) if advice else None]
    return Finding(
        CHECK, level, "; ".join(each for each in parts if each), "\n".join(each for each in fixes if each)
    )
