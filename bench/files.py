"""What a bots.yaml costs: hostile ones, and a very long one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure, clock
from manager.engine import Engine
from manager.plan import make_plan
from setup.host import ROOT
from tests.fleets import read, specs_of
from tests.hostile import HOSTILE
from tests.model_engine import ModelEngine, carry_out

_BOTS = 500


def hostile(engine: Engine, rounds: int) -> list[Figure]:
    del engine, rounds
    slowest, worst = "", 0.0
    with TemporaryDirectory() as folder:
        file = Path(folder) / "bots.yaml"
        for name, text in HOSTILE.items():
            file.write_text(text)
            samples: list[float] = []
            with clock(samples):
                done = subprocess.run(
                    [sys.executable, "-m", "manager", "--file", str(file), "validate"],
                    cwd=ROOT,
                    env=os.environ,
                    capture_output=True,
                    check=False,
                )
            if done.returncode == 0 or b"Traceback" in done.stderr:
                raise RuntimeError(f"{name}: not refused as it should be")
            if samples[0] > worst:
                slowest, worst = name, samples[0]
    note = f"the slowest of {len(HOSTILE)}: {slowest}"
    return [Figure("a hostile bots.yaml refused, whole process", "s", [worst], 1.0, note=note)]


def planning(engine: Engine, rounds: int) -> list[Figure]:
    del engine
    text = "project: p\nbots:\n" + "".join(
        f"  - clientId: bot-{number}\n    memory: 512m\n    env: {{A: b}}\n" for number in range(_BOTS)
    )
    model = ModelEngine()
    carry_out(model, make_plan(specs_of(read(text)), model.observe()))
    samples: list[float] = []
    for _ in range(rounds):
        with clock(samples):
            plan = make_plan(specs_of(read(text)), model.observe())
        if not plan.empty:
            raise RuntimeError("the plan should have been empty")
    return [Figure(f"bots.yaml of {_BOTS} read and planned, nothing to do", "s", samples)]
