"""What was measured, against what it has to reach; as a table and as JSON."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One promise. `samples` in `unit`; `limit` None: shown for comparison only.

    `beside`: what was measured in the same rounds, by name. `note`: how it was measured.
    """

    name: str
    unit: str
    samples: Sequence[float]
    limit: float | None = None
    beside: Mapping[str, Sequence[float]] = field(default_factory=dict)
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def reached(self) -> bool | None:
        return None if self.limit is None else self.median <= self.limit

    def data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "limit": self.limit,
            "reached": self.reached,
            "samples": list(self.samples),
            "beside": {name: list(samples) for name, samples in self.beside.items()},
            "note": self.note,
        }


@contextmanager
def clock(samples: list[float]) -> Iterator[None]:
    """Appends the seconds that its block took."""
    began = time.perf_counter()
    yield
    samples.append(time.perf_counter() - began)


def yardstick() -> float:
    """Seconds that one core takes for always the same: what a shared machine gives changes by half within the hour."""
    samples: list[float] = []
    with clock(samples):
        sum(number * number for number in range(5_000_000))
    return samples[0]


def interleaved(rounds: int, runs: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Every run once a round, each round beginning with another one: what the machine does meets them all."""
    names = list(runs)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(runs[name]())
    return samples


def table(figures: Sequence[Figure]) -> list[str]:
    rows = [("", "median", "min - max", "limit", "")]
    for figure in figures:
        verdict = {None: "", True: "reached", False: "MISSED"}[figure.reached]
        limit = "" if figure.limit is None else f"{_number(figure.limit)} {figure.unit}"
        rows.append((figure.name, *_spread(figure.samples, figure.unit), limit, verdict))
        rows += [(f"  beside: {name}", *_spread(each, "s"), "", "") for name, each in figure.beside.items()]
        if figure.note:
            rows.append((f"  {figure.note}", "", "", "", ""))
    widths = [max(len(row[at]) for row in rows if at > 0 or row[1]) for at in range(5)]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]:>{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    ]


def _spread(samples: Sequence[float], unit: str) -> tuple[str, str]:
    middle = f"{_number(statistics.median(samples))} {unit}"
    return middle, f"{_number(min(samples))} - {_number(max(samples))}" if len(samples) > 1 else ""


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
