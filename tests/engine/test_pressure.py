"""What starts cost is seen on a real machine and a real engine: from the control group, and from the engine alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import docker
import pytest

from manager.admission import Hold
from manager.engine import Engine
from manager.pressure import Gate, cpu_seconds_of, meter_of

pytestmark = pytest.mark.engine


@pytest.fixture
def busy(sdk: docker.APIClient, trivial_image: str) -> Iterator[str]:
    """A container that keeps a CPU at work until it gets SIGUSR1, and sleeps from then on."""
    script = "trap 'exec sleep 1000' USR1; while :; do :; done"
    container = sdk.create_container(trivial_image, ["sh", "-c", script], host_config={"NetworkMode": "none"})
    sdk.start(container)
    yield str(container["Id"])
    sdk.remove_container(container, force=True)


def test_a_bot_in_its_start_holds_the_next_one_until_it_is_quiet(
    engine: Engine, sdk: docker.APIClient, busy: str
) -> None:
    gate = Gate(engine, 1000)
    count = 0
    while count < gate.window:
        assert gate.enter(f"b{count}", threading.Event(), lambda hold: None)
        gate.started(f"b{count}", busy)
        count += 1
    holds: list[Hold] = []
    held, entered = threading.Event(), threading.Event()

    def telling(hold: Hold) -> None:
        holds.append(hold)
        held.set()

    def enter() -> None:
        if gate.enter("next", threading.Event(), telling):
            entered.set()

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    assert held.wait(10)
    assert holds == [Hold.OTHERS]
    sdk.kill(busy, "USR1")
    assert entered.wait(20)
    thread.join(10)


def test_both_ways_of_seeing_its_cpu_time_agree(engine: Engine, sdk: docker.APIClient, busy: str) -> None:
    meter = meter_of(engine)
    assert meter is not None
    found = sdk.inspect_container(busy)
    while True:
        before = cpu_seconds_of(found["State"]["Pid"], busy)
        told = engine.cpu_seconds(busy)
        after = cpu_seconds_of(found["State"]["Pid"], busy)
        assert before is not None
        assert told is not None
        assert after is not None
        if told > 0.3:
            break
    # The engine's own figure may be a second old.
    assert before - 2 <= told <= after
    sdk.kill(busy)
    assert engine.cpu_seconds(busy) is None
