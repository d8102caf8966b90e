"""`python -m bench [PART…]`: measures, prints a table, and says what is reached and what is missed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable

from bench import bots, diagnostics, earlykill, files, syncs, trivial
from bench.figures import Figure, table, yardstick
from manager.engine import Engine

PARTS: dict[str, Callable[[Engine, int], list[Figure]]] = {
    "cold": trivial.cold,
    "resting": trivial.resting,
    "hostile": files.hostile,
    "planning": files.planning,
    "size": bots.size,
    "bots": bots.bots,
    "syncs": syncs.syncs,
    "early": earlykill.early,
    "diagnostics": diagnostics.summary,
}


def main() -> int:
    """0 also when a figure is missed: the table says so, and a slow machine breaks nothing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", choices=[*PARTS, []], help=f"{', '.join(PARTS)}; all when none is named"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="paired rounds of what is compared (default: 5)"
    )
    parser.add_argument("--json", action="store_true", help="JSON on standard output instead of the table")
    chosen = parser.parse_args()
    engine = Engine.connect(os.environ)
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    figures: list[Figure] = []
    speed = [yardstick()]
    for name in chosen.parts or PARTS:
        print(f"bench: {name} …", file=sys.stderr, flush=True)
        figures += PARTS[name](engine, chosen.rounds)
        speed.append(yardstick())
    note = "before and after each part; seconds of two runs compare where these do"
    figures.append(Figure("this machine: a fixed piece of work", "s", speed, note=note))
    if chosen.json:
        print(json.dumps([figure.data() for figure in figures], indent=2))
    else:
        print("\n".join(table(figures)))
        if load > cores:
            print(
                f"\nbusy machine: load {load:.0f} on {cores} cores when it began; seconds say little, ratios more"
            )
        missed = [figure.name for figure in figures if figure.reached is False]
        print(f"\nmissed: {', '.join(missed)}" if missed else "\nevery figure is reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())
