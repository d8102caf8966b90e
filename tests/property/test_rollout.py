"""Roll-outs of random changes on random fleets: never more bots at stake than agreed, and all of them in the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.contract import State
from manager.observed import ContainerState
from manager.rollout import PATIENCE_SECONDS, Reading, Rollout
from tests.fleets import fleet_of
from tests.rolling import NEW_IMAGE, World, reading

BEFORE = (
    reading(State.READY),
    reading(State.READY),
    reading(State.WAITING_FOR_QR_SCAN, session=False),
    reading(State.RECONNECTING),
    reading(State.FAILED),
    Reading(ContainerState.RUNNING),
)
AFTER = (
    reading(State.STARTING),
    reading(State.RECONNECTING),
    reading(State.WAITING_FOR_QR_SCAN),
    reading(State.READY),
    reading(State.FAILED),
    Reading(ContainerState.RUNNING),
    Reading(ContainerState.RESTARTING),
)
SIZES = st.one_of(st.none(), st.integers(1, 4))
CLIENTS = [f"b{number}" for number in range(9)]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    clients = CLIENTS[: draw(st.integers(1, len(CLIENTS)))]
    world = World(fleet_of(*clients), {client: draw(st.sampled_from(BEFORE)) for client in clients})
    world.image = NEW_IMAGE
    return world


@given(worlds(), SIZES, st.data())
def test_never_more_at_stake_than_agreed(world: World, batch: int | None, data: st.DataObject) -> None:
    """Whatever the changed bots read from look to look: who is not as well as before is one of the last group."""
    rollout, now = Rollout(batch=batch), 0.0
    readings: dict[str, Reading] = {}
    world.becomes = lambda found: readings.get(found.client_id, AFTER[0])
    groups = 0
    for _look in range(data.draw(st.integers(1, 12))):
        before = world.changed()
        at_stake = set(rollout.trials)
        for client in before:
            readings[client] = data.draw(st.sampled_from(AFTER))
        world.step(rollout, now)
        fresh = world.changed() - before
        if fresh:
            groups += 1
            assert rollout.halt is None
            assert len(fresh) <= (1 if groups == 1 else batch or len(CLIENTS))
            assert set(rollout.trials) == fresh
            assert not at_stake & set(rollout.trials)
        now += data.draw(st.sampled_from([1.0, 30.0, PATIENCE_SECONDS]))


@given(worlds(), SIZES)
def test_a_good_change_reaches_every_bot(world: World, batch: int | None) -> None:
    rollout = Rollout(batch=batch)
    for look in range(2 * len(CLIENTS) + 2):
        world.step(rollout, look * PATIENCE_SECONDS)
    assert world.changed() == world.fleet.client_ids
    assert not rollout.under_way
    assert world.plan().empty


@given(worlds(), SIZES, st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_bad_change_costs_one_bot_however_often_the_manager_is_started_anew(
    world: World, batch: int | None, anew: list[bool]
) -> None:
    world.becomes = lambda found: reading(State.OUTDATED)
    rollout = Rollout(batch=batch)
    for now, again in enumerate(anew):
        world.step(rollout, now)
        rollout = Rollout(batch=batch) if again else rollout
    assert len(world.changed()) == 1


@given(worlds(), SIZES, st.sets(st.sampled_from(CLIENTS)))
def test_who_is_broken_by_the_change_stops_it_and_the_others_stay_as_they_are(
    world: World, batch: int | None, bad: set[str]
) -> None:
    world.becomes = lambda found: (
        reading(State.PROXY_BLOCKED) if found.client_id in bad else world.before[found.client_id]
    )
    rollout = Rollout(batch=batch)
    for look in range(3 * len(CLIENTS)):
        world.step(rollout, look * PATIENCE_SECONDS)
    if bad & world.fleet.client_ids:
        assert rollout.halt is not None
        assert rollout.halt.client_id in bad
        assert world.changed() | set(rollout.halt.left) == world.fleet.client_ids
    else:
        assert world.changed() == world.fleet.client_ids
