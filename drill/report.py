"""What people and programs are told of a campaign, and whether it was passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.text import Catalogue
from drill import table
from drill.faults import Fault, Need
from drill.judge import Verdict

LOCALES = Path(__file__).parent / "locales"


@dataclass(frozen=True)
class Report:
    """`missing`: faults that were wanted and that this machine or subject cannot do. `limit` in seconds."""

    say: Catalogue
    seed: int
    subject: str
    limit: float
    keep: Path
    missing: dict[Fault, Need] = field(default_factory=dict)

    def of_round(self, verdict: Verdict) -> list[str]:
        round_ = verdict.round
        values: dict[str, Any] = {
            "subject": verdict.subject,
            "number": round_.number,
            "fault": round_.fault.value,
            "seconds": verdict.seconds,
            "note": verdict.note,
            "count": verdict.unexplained,
            "limit": self.limit,
        }
        lines = [self.say(f"campaign.{_kind(verdict)}", **values).rstrip()]
        if verdict.befell and not verdict.passed:
            folder = self.keep / post_mortem(verdict)
            lines.append(
                self.say("campaign.reproduce", seed=round_.seed, number=round_.number, folder=folder)
            )
        return lines

    def of_all(self, verdicts: Sequence[Verdict]) -> list[str]:
        heads = [self.say(f"column.{name}") for name in table.COLUMNS]
        found = table.rows(verdicts, self.say("column.all"))
        total = found[-1]
        lines = ["", *table.text(heads, found), ""]
        if total.idle:
            lines.append(self.say("campaign.sum_idle", count=total.idle))
        for fault, need in self.missing.items():
            lines.append(self.say("campaign.not_here", fault=fault.value, why=self.say(f"need.{need.value}")))
        if self.missing:
            lines.append(
                self.say("campaign.partial", faults=", ".join(fault.value for fault in self.missing))
            )
        key = "sum_ok" if passed(verdicts) else "sum_bad"
        counts = {"rounds": total.rounds, "unexplained": total.unexplained, "hangs": total.hangs}
        return [*lines, self.say(f"campaign.{key}", **counts)]

    def as_json(self, verdicts: Sequence[Verdict]) -> dict[str, object]:
        return {
            "ok": passed(verdicts),
            "seed": self.seed,
            "subject": self.subject,
            "limit": self.limit,
            "not_possible": {fault.value: need.value for fault, need in self.missing.items()},
            "table": [row.as_json() for row in table.rows(verdicts, "all")],
            "rounds": [verdict.as_json() for verdict in verdicts],
        }


def passed(verdicts: Sequence[Verdict]) -> bool:
    """A round whose fault did not come about is no failure, but a campaign of nothing else proves nothing."""
    real = [each for each in verdicts if each.befell]
    return bool(real) and all(each.passed for each in real)


def post_mortem(verdict: Verdict) -> str:
    """The name of the folder that keeps what is left of a round that went wrong."""
    round_ = verdict.round
    return f"{round_.seed}-{round_.number}-{round_.fault.value}-{verdict.subject}"


def _kind(verdict: Verdict) -> str:
    if not verdict.befell:
        return "idle"
    if verdict.unexplained:
        return "lost"
    if verdict.hang:
        return "hang"
    return "explained" if verdict.explained else "round"
