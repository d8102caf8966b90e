"""PURE: a seed becomes rounds. The same seed, number and faults give the same rounds, on every machine and subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random

from drill.faults import Fault


@dataclass(frozen=True, slots=True)
class Pace:
    """Upper bounds in seconds. `late` is how long a person takes to scan, `after` from the scan to the kill."""

    moment: float = 3.0
    hold: float = 6.0
    late: tuple[float, float] = (0.5, 3.0)
    after: float = 3.0


QUICK = Pace()
# The times at which whatsapp-web.js was measured to lose sessions.
FULL = Pace(moment=20.0, hold=40.0, late=(10.0, 55.0), after=60.0)
EARLY_KILL_SECONDS = 0.08
POWER_CUT_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Round:
    """One fault. Times in seconds.

    `moment`: from READY to the fault. `hold`: how long what can last lasts. `scan`: from the QR to its scan. `delay`:
    from the scan (or from the report of the pairing) to the kill. `fresh`: a new pairing comes before the fault.
    `hard`: the rougher of two ways. `target`: which file, as a part of all there are. `way`: which kind of damage.
    """

    seed: int
    number: int
    fault: Fault
    moment: float
    hold: float
    scan: float
    delay: float
    fresh: bool
    hard: bool
    target: float
    way: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def campaign(seed: int, rounds: int, faults: tuple[Fault, ...], pace: Pace = QUICK) -> list[Round]:
    """Every fault comes once before any comes again. Raises ValueError for no fault at all."""
    if not faults:
        raise ValueError("a campaign needs a fault")
    deal = _deal(seed, sorted(set(faults), key=list(Fault).index))
    return [_round(seed, number, next(deal), pace) for number in range(1, rounds + 1)]


def share(rounds: list[Round], subjects: int) -> list[list[Round]]:
    """Who plays what: fixed, so that one subject's history is the same in every run of the campaign."""
    return [rounds[at::subjects] for at in range(subjects)]


def _deal(seed: int, faults: list[Fault]) -> Iterator[Fault]:
    random = Random(f"{seed} deck")  # noqa: S311  a game's dice, no secret
    while True:
        deck = list(faults)
        random.shuffle(deck)
        yield from deck


def _round(seed: int, number: int, fault: Fault, pace: Pace) -> Round:
    random = Random(f"{seed} {number}")  # noqa: S311
    moment, hold = random.uniform(0, pace.moment), random.uniform(0.2, pace.hold)
    scan, after = random.uniform(*pace.late), random.uniform(0, pace.after)
    early, cut = random.uniform(0, EARLY_KILL_SECONDS), random.uniform(0, POWER_CUT_SECONDS)
    delay = {Fault.EARLY_KILL: early, Fault.POWER_CUT: cut}.get(fault, after)
    return Round(
        seed=seed,
        number=number,
        fault=fault,
        moment=round(moment, 3),
        hold=round(hold, 3),
        scan=round(scan if fault is Fault.LATE_SCAN else 0.0, 3),
        delay=round(delay, 4),
        fresh=fault in (Fault.LATE_SCAN, Fault.EARLY_KILL)
        or (fault is Fault.POWER_CUT and random.random() < 0.5),
        hard=random.random() < 0.5,
        target=random.random(),
        way=random.randrange(3),
    )
