"""Admission in random stories: never more in their start than agreed, and everybody starts in the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manager.admission import MEMORY_PATIENCE, MIB, START_SECONDS, Admission, Pressure

PRESSURES = st.builds(
    Pressure,
    cpu=st.one_of(st.none(), st.floats(0, 1)),
    memory=st.one_of(st.none(), st.floats(0, 0.3)),
    available=st.one_of(st.none(), st.integers(0, 4096).map(lambda count: count * MIB)),
    total=st.one_of(st.none(), st.just(4096 * MIB)),
    since=st.floats(0, 500),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "started", "left", "pressed", "measured"]),
        st.integers(0, 9),
        st.sampled_from([0.0, 0.1, 0.5, 5.0, 40.0]),
        PRESSURES,
    ),
    max_size=80,
)


@given(STEPS, st.integers(1, 4))
def test_never_more_than_agreed_and_none_while_memory_is_short(
    story: list[tuple[str, int, float, Pressure]], cores: int
) -> None:
    admission, now, last_short = Admission(cores), 0.0, -MEMORY_PATIENCE
    room = 0
    for what, number, seconds, pressure in story:
        now += seconds
        key = f"b{number}"
        match what:
            case "ask":
                short = admission.pressure.short_of_memory(1)
                if admission.ask(key, now) is None and short:
                    assert admission.starting == 1
                    assert now - last_short >= MEMORY_PATIENCE
                    last_short = now
            case "started":
                admission.started(key, now)
            case "left":
                admission.left(key)
            case "pressed":
                admission.pressed(pressure)
            case "measured":
                admission.measured(dict.fromkeys(admission.watched, number / 10), now)
        # What is under way is not called back when the window shrinks.
        assert admission.starting <= max(room, admission.window)
        room = admission.starting


@given(st.integers(1, 40), st.integers(1, 4), PRESSURES, st.floats(0, 1))
def test_everybody_starts_in_bounded_time_whatever_the_machine_says(
    bots: int, cores: int, pressure: Pressure, cores_each: float
) -> None:
    admission, now = Admission(cores), 0.0
    waiting = [f"b{number}" for number in range(bots)]
    while waiting:
        admission.pressed(pressure)
        admission.measured(dict.fromkeys(admission.watched, cores_each * now), now)
        if admission.ask(waiting[0], now) is None:
            admission.started(waiting.pop(0), now)
        else:
            now += 1
        assert now <= bots * (START_SECONDS + MEMORY_PATIENCE)
