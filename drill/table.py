"""PURE: verdicts -> one row a fault, and a last one of all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from drill.faults import Fault
from drill.judge import Verdict

COLUMNS = ("fault", "rounds", "unexplained", "explained", "hangs", "exits", "p50", "p95")


@dataclass(frozen=True, slots=True)
class Row:
    """`p50`, `p95`: of the seconds to READY in the rounds that reached it; None where none did."""

    fault: str
    rounds: int
    unexplained: int
    explained: int
    hangs: int
    exits: int
    p50: float | None
    p95: float | None
    idle: int = 0

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    def cells(self) -> list[str]:
        times = [f"{value:.1f}" if value is not None else "-" for value in (self.p50, self.p95)]
        counts = (self.rounds, self.unexplained, self.explained, self.hangs, self.exits)
        return [self.fault, *(str(count) for count in counts), *times]


def rows(verdicts: Sequence[Verdict], total: str) -> list[Row]:
    """Rounds in which the fault did not come about count as `idle` and nowhere else. `total`: the last row's name."""
    by_fault = [[each for each in verdicts if each.round.fault is fault] for fault in Fault]
    return [_row(each[0].round.fault.value, each) for each in by_fault if each] + [_row(total, verdicts)]


def percentile(values: Iterable[float], part: float) -> float | None:
    """Nearest rank: a value that was really measured. `part` in (0, 1]."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else None


def _row(name: str, verdicts: Sequence[Verdict]) -> Row:
    real = [each for each in verdicts if each.befell]
    times = [each.seconds for each in real if each.seconds is not None]
    return Row(
        fault=name,
        rounds=len(real),
        unexplained=sum(each.unexplained for each in real),
        explained=sum(each.explained for each in real),
        hangs=sum(each.hang for each in real),
        exits=sum(each.exits for each in real),
        p50=percentile(times, 0.50),
        p95=percentile(times, 0.95),
        idle=len(verdicts) - len(real),
    )


def text(heads: Sequence[str], found: Sequence[Row]) -> list[str]:
    """Lines in columns: the first to the left, numbers to the right."""
    table = [list(heads), *(row.cells() for row in found)]
    widths = [max(len(line[at]) for line in table) for at in range(len(heads))]

    def laid_out(line: Sequence[str]) -> str:
        first, *others = line
        return "  ".join(
            [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
        )

    return [laid_out(line) for line in table]
