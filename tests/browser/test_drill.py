"""The drill itself: short, over every fault this machine can bring about; and that it notices a loss."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot import processes
from drill import house
from drill.campaign import campaign
from drill.faults import Fault, Need
from drill.judge import Verdict
from drill.machine import abilities
from drill.processhome import ProcessHome
from drill.report import passed, post_mortem
from drill.robot import Robot

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
ROUNDS, SEED, PARALLEL = 60, 20, 4


def drill(*words: str, keep: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "manager", "drill", "--json", "--keep", str(keep), *words],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"OTURUM_LANG": "en"},
    )  # fmt: skip
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, answer


def test_sixty_rounds_and_no_qr_that_no_phone_caused(tmp_path: Path) -> None:
    code, answer = drill(
        "--seed", str(SEED), "--rounds", str(ROUNDS), "--parallel", str(PARALLEL), keep=tmp_path
    )
    wrong = [each for each in answer["rounds"] if each["unexplained"] or each["hang"]]
    assert wrong == []
    assert (code, answer["ok"]) == (0, True)
    assert len(answer["rounds"]) == ROUNDS
    # What is not here stands in the answer; on a machine of root's there is little of it.
    drilled = {each["round"]["fault"] for each in answer["rounds"]}
    assert drilled | set(answer["not_possible"]) == {fault.value for fault in Fault}
    if os.geteuid() == 0:
        assert len(drilled) >= 17


class Forgetful(Robot):
    """Loses its session at every start: its volume is empty."""

    async def start(self) -> None:
        for each in self.volume.path.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        await super().start()


async def test_a_lost_session_is_caught(tmp_path: Path) -> None:
    told: list[Verdict] = []
    plan = house.Plan(
        rounds=campaign(3, 3, (Fault.STOP, Fault.CUT, Fault.KILL_ALL)),
        home=ProcessHome(Forgetful, tmp_path / "work"), keep=tmp_path / "kept", parallel=1, limit=60.0,
    )  # fmt: skip
    verdicts = await house.run(plan, told.append)
    assert told == verdicts
    by_fault = {each.round.fault: each for each in verdicts}
    assert by_fault[Fault.STOP].unexplained == by_fault[Fault.KILL_ALL].unexplained == 1
    assert by_fault[Fault.CUT].passed
    assert not passed(verdicts)
    kept = tmp_path / "kept" / post_mortem(by_fault[Fault.STOP])
    assert '"unexplained": true' in (kept / "log.jsonl").read_text()
    assert "profile" in (kept / "volume.txt").read_text()
    assert list((tmp_path / "work" / "bot1").glob("session")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_drill_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "manager", "drill", "--faults", "freeze", "--rounds", "40", "--keep", str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    next(line for line in process.stdout if "freeze" in line)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert [
        pid for pid in processes.all_pids() if str(tmp_path) in " ".join(processes.command_line(pid))
    ] == []
    assert list(tmp_path.glob("oturum-drill-*")) == []


def test_a_power_cut_after_paired_was_reported_keeps_the_session(tmp_path: Path) -> None:
    code, answer = drill("--seed", "4", "--rounds", "8", "--faults", "power-cut", keep=tmp_path)
    if Need.LOOP not in abilities():
        # Said, and no success: a campaign of nothing proves nothing.
        assert (code, answer["not_possible"], answer["rounds"]) == (1, {"power-cut": "loop"}, [])
        return
    assert code == 0, [each["note"] for each in answer["rounds"] if not each["passed"]]
    assert any(each["round"]["fresh"] for each in answer["rounds"])
