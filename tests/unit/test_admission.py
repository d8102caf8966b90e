"""When the next bot may start. No machine, no clock."""

from __future__ import annotations

import pytest

from manager.admission import MEMORY_PATIENCE, MIB, START_SECONDS, Admission, Hold, Pressure

GIB = 1024 * MIB
IDLE = Pressure(0.0, 0.0, 8 * GIB, 16 * GIB)


def full(cores: int = 2) -> Admission:
    """Its window is full of bots that started at 0 and were measured then."""
    admission = Admission(cores)
    for number in range(admission.window):
        assert admission.ask(f"b{number}", 0) is None
        admission.started(f"b{number}", 0)
    assert admission.ask("next", 0) is Hold.OTHERS
    admission.measured(dict.fromkeys(admission.watched, 0.1), 0)
    return admission


@pytest.mark.parametrize(("cores", "window"), [(1, 4), (2, 4), (6, 12), (8, 16), (64, 128)])
def test_starts_that_keep_the_machine_at_work_are_fewer_at_a_time(cores: int, window: int) -> None:
    admission, now = Admission(cores), 0.0
    assert admission.window == max(16, window)
    for _ in range(100):
        for number in range(admission.window):
            if admission.ask(f"{now} {number}", now) is None:
                admission.started(f"{now} {number}", now)
        for later in (1.6, 2.0):
            admission.measured(dict.fromkeys(admission.watched, now + later), now + later)
        now += START_SECONDS
    assert admission.window == window


def test_cheap_starts_change_nothing() -> None:
    admission = full()
    for later in (2.0, 3.0):
        admission.measured(dict.fromkeys(admission.watched, 0.1), later)
    assert (admission.window, admission.starting) == (16, 0)


def test_what_a_start_costs_is_learnt_once_from_each() -> None:
    admission = full()
    for later in (2.0, 3.0, 4.0, 5.0):
        admission.measured({"b0": later}, later)
    assert admission.window == 15


def test_who_was_admitted_counts_before_its_container_runs() -> None:
    admission = Admission(2)
    for number in range(16):
        assert admission.ask(f"b{number}", 0) is None
    assert admission.ask("next", 1000) is Hold.OTHERS
    assert admission.watched == ()


def test_a_quiet_container_makes_room() -> None:
    admission = full()
    admission.measured({**dict.fromkeys(admission.watched, 0.3), "b0": 0.101}, 0.5)
    assert admission.ask("next", 0.5) is None
    assert admission.ask("another", 0.5) is Hold.OTHERS


def test_two_measurements_need_some_time_between_them() -> None:
    admission = full()
    admission.measured(dict.fromkeys(admission.watched, 0.1), 0.05)
    assert admission.ask("next", 0.05) is Hold.OTHERS


def test_a_start_is_none_any_more_after_half_a_minute() -> None:
    admission = full()
    assert admission.ask("next", START_SECONDS - 1) is Hold.OTHERS
    assert admission.ask("next", START_SECONDS) is None


def test_a_start_that_failed_makes_room() -> None:
    admission = full()
    admission.left("b2")
    assert admission.ask("next", 1) is None


def test_cpu_to_spare_ends_the_starts_that_it_was_measured_after() -> None:
    admission = full()
    admission.pressed(Pressure(cpu=0.1, since=0.5))
    assert admission.ask("next", 1) is Hold.OTHERS
    admission.pressed(Pressure(cpu=0.6, since=2))
    assert admission.ask("next", 3) is Hold.OTHERS
    admission.pressed(Pressure(cpu=0.1, since=2))
    assert [admission.ask(f"n{number}", 3) for number in range(17)] == [None] * 16 + [Hold.OTHERS]


def test_no_start_while_memory_is_short_and_those_under_way_are_counted_in() -> None:
    admission = Admission(8)
    admission.pressed(Pressure(0.0, 0.0, 1700 * MIB, 16 * GIB))
    asked = [admission.ask(f"b{number}", 0) for number in range(6)]
    assert asked == [None] * 4 + [Hold.MEMORY] * 2  # 819 MiB are kept back, and 200 for each


def test_what_stalls_for_memory_holds_starts_whatever_is_available() -> None:
    admission = Admission(8)
    admission.pressed(Pressure(0.0, 0.2, 8 * GIB, 16 * GIB))
    assert admission.ask("a", 0) is Hold.MEMORY


def test_short_of_memory_one_starts_each_minute_all_the_same() -> None:
    admission = Admission(8)
    admission.pressed(Pressure(available=10 * MIB, total=GIB))
    assert admission.ask("a", 0) is Hold.MEMORY
    assert admission.ask("a", MEMORY_PATIENCE) is None
    admission.started("a", MEMORY_PATIENCE)
    assert admission.ask("b", MEMORY_PATIENCE + START_SECONDS) is Hold.MEMORY
    assert admission.ask("b", 2 * MEMORY_PATIENCE) is None


def test_a_machine_that_says_nothing_is_not_short_of_anything() -> None:
    assert not Pressure().is_busy
    assert Admission(8).ask("a", 0) is None


@pytest.mark.parametrize(
    ("pressure", "busy"),
    [
        (IDLE, False),
        (Pressure(0.95, 0.0, 8 * GIB, 16 * GIB), True),
        (Pressure(0.5, 0.15, 8 * GIB, 16 * GIB), True),
        (Pressure(0.5, 0.0, 200 * MIB, 16 * GIB), True),
    ],
)
def test_a_busy_machine(pressure: Pressure, busy: bool) -> None:
    assert pressure.is_busy is busy
