"""What the kernel's files say, of files as kernels write them, and of this machine; and the gate that acts on it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from manager.admission import AT_FIRST, Hold
from manager.pressure import FREE_STARTS, Gate, Meter, cpu_seconds_of
from manager.problems import EngineError, EngineProblem

CONTAINER = "c0ffee" * 10 + "beef"
MEMINFO = "MemTotal:       16384 kB\nMemFree:         1024 kB\nMemAvailable:    8192 kB\n"


def stall(proc: Path, **micros: int) -> None:
    (proc / "pressure").mkdir(exist_ok=True)
    for name, total in micros.items():
        some = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total}\n"
        (proc / "pressure" / name).write_text(f"{some}full avg10=9.00 avg60=9.00 avg300=9.00 total=9\n")


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text(MEMINFO)
    return tmp_path


def test_shares_are_of_the_time_between_two_readings(proc: Path, clock: list[float]) -> None:
    meter = Meter(proc, lambda: clock[0])
    stall(proc, cpu=1_000_000, memory=5)
    first = meter.read()
    assert (first.cpu, first.memory, first.available, first.total) == (None, None, 8 * 1024**2, 16 * 1024**2)
    clock[0] += 2
    stall(proc, cpu=2_500_000, memory=1_000_005)
    second = meter.read()
    assert (second.cpu, second.memory, second.since) == (0.75, 0.5, 100.0)
    stall(proc, cpu=9_000_000, memory=1_000_005)
    assert meter.read() == second  # a moment later is no time to measure
    clock[0] += 1
    assert meter.read().cpu == 1.0


def test_without_pressure_figures_the_cpus_own_work_counts(proc: Path, clock: list[float]) -> None:
    meter = Meter(proc, lambda: clock[0])
    ticks, cores = os.sysconf("SC_CLK_TCK"), os.cpu_count() or 1
    (proc / "stat").write_text("cpu  0 0 0 1000 0 0 0 0 0 0\ncpu0 1 1 1 1\n")
    meter.read()
    clock[0] += 4
    (proc / "stat").write_text(f"cpu  {ticks * cores} 0 {ticks * cores} 1000 7 0 0 0 0 0\n")
    found = meter.read()
    assert (found.cpu, found.memory) == (0.5, None)


def test_a_machine_that_says_nothing(tmp_path: Path, clock: list[float]) -> None:
    meter = Meter(tmp_path, lambda: clock[0])
    meter.read()
    clock[0] += 1
    found = meter.read()
    assert (found.cpu, found.memory, found.available, found.total) == (None, None, None, None)
    assert not found.is_busy


def test_this_machine() -> None:
    found = Meter().read()
    assert found.total is not None
    assert found.available is not None
    assert 0 < found.available <= found.total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("line", "file", "text", "seconds"),
    [
        ("0::/s.slice/docker-{}.scope", "s.slice/docker-{}.scope/cpu.stat", "usage_usec 2500000\nuser_usec 1\n", 2.5),
        ("4:cpuacct,cpu:/docker/{}", "cpuacct/docker/{}/cpuacct.usage", "1500000000\n", 1.5),
        ("4:memory:/docker/{}", "memory/docker/{}/cpuacct.usage", "1500000000\n", None),
        ("0::/docker/{}", "docker/{}/cpu.stat", "nr_periods 0\n", None),
        ("0::/docker/{}", "nothing", "", None),
    ],
)  # fmt: skip
def test_the_cpu_time_of_a_container(
    tmp_path: Path, line: str, file: str, text: str, seconds: float | None
) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(f"12:devices:/x\n{line.format(CONTAINER)}\n")
    path = tmp_path / "groups" / file.format(CONTAINER)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert cpu_seconds_of(7, CONTAINER, tmp_path, tmp_path / "groups") == seconds
    assert cpu_seconds_of(7, "another", tmp_path, tmp_path / "groups") is None
    assert cpu_seconds_of(8, CONTAINER, tmp_path, tmp_path / "groups") is None


class Elsewhere:
    """An engine on another machine, with one core, where each start takes CPU until it is `over`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over: set[str] = set()
        self._seconds = 0.0

    def info(self) -> dict[str, Any]:
        self.asked.append("info")
        return {"NCPU": 1, "MemTotal": 1, "KernelVersion": "other"}

    def inspect(self, container: str) -> dict[str, Any]:
        raise AssertionError("its processes are not here")

    def cpu_seconds(self, container: str) -> float | None:
        self.asked.append(container)
        self._seconds += 1
        return 1.0 if container in self.over else self._seconds


def ignore(hold: Hold) -> None:
    pass


def test_a_few_starts_cost_no_question() -> None:
    engine = Elsewhere()
    gate = Gate(engine, FREE_STARTS)
    for number in range(FREE_STARTS):
        assert gate.enter(f"b{number}", threading.Event(), ignore)
        gate.started(f"b{number}", f"c{number}")
    assert engine.asked == []


def full_gate(engine: Elsewhere) -> Gate:
    gate = Gate(engine, AT_FIRST + 1)
    for number in range(AT_FIRST):
        assert gate.enter(f"b{number}", threading.Event(), ignore)
        gate.started(f"b{number}", f"c{number}")
    assert engine.asked == ["info"]
    return gate


def test_an_engine_elsewhere_is_asked_for_its_containers_and_a_quiet_one_opens_the_gate() -> None:
    engine, held = Elsewhere(), threading.Event()
    gate = full_gate(engine)
    told: list[Hold] = []

    def telling(hold: Hold) -> None:
        told.append(hold)
        held.set()

    entered = threading.Event()

    def enter() -> None:
        if gate.enter("next", threading.Event(), telling):
            entered.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    assert held.wait(10)
    assert not entered.is_set()
    engine.over.add("c3")
    assert entered.wait(10)
    thread.join(10)
    assert told == [Hold.OTHERS]
    assert set(engine.asked[1:]) == {f"c{number}" for number in range(AT_FIRST)}


def test_a_start_that_failed_opens_the_gate() -> None:
    gate, held, entered = full_gate(Elsewhere()), threading.Event(), threading.Event()

    def enter() -> None:
        if gate.enter("next", threading.Event(), lambda hold: held.set()):
            entered.set()

    threading.Thread(target=enter, daemon=True).start()
    assert held.wait(10)
    gate.left("b5")
    assert entered.wait(10)


def test_a_stop_ends_the_wait() -> None:
    stopping = threading.Event()
    gate = full_gate(Elsewhere())
    assert not gate.enter("next", stopping, lambda hold: stopping.set())


def test_an_engine_that_does_not_answer_opens_the_gate_in_the_end_only() -> None:
    """It holds nobody for lack of an answer about itself, and believes nobody to be quiet for lack of one."""

    class Silent(Elsewhere):
        def info(self) -> dict[str, Any]:
            raise EngineError(EngineProblem.TIMEOUT, "")

        def cpu_seconds(self, container: str) -> float | None:
            raise EngineError(EngineProblem.TIMEOUT, "")

    stopping, holds = threading.Event(), []
    gate = Gate(Silent(), 1000)
    for number in range(max(AT_FIRST, 2 * (os.cpu_count() or 1))):
        assert gate.enter(f"b{number}", stopping, ignore)
        gate.started(f"b{number}", f"c{number}")
    assert not gate.enter("next", stopping, lambda hold: (holds.append(hold), stopping.set()))
    assert holds == [Hold.OTHERS]
