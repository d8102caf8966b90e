"""Roll-outs: one bot first, the others when it is as well as before. No engine, no clock."""

from __future__ import annotations

import pytest

from bot.contract import Level, State
from manager.fleet import Fleet
from manager.observed import ContainerState, ObservedContainer
from manager.plan import Plan
from manager.rollout import PATIENCE_SECONDS, Fate, Reading, Rollout, judge
from manager.text import catalogue
from tests.fleets import fleet_of, read
from tests.rolling import NEW_IMAGE, World, reading, ready_world

READY = reading(State.READY)
WAITING = reading(State.WAITING_FOR_QR_SCAN, session=False)
FAILED = reading(State.FAILED)
SILENT = Reading(ContainerState.RUNNING)


@pytest.mark.parametrize(
    ("before", "now", "fate"),
    [
        (READY, READY, Fate.REACHED),
        (READY, reading(State.STARTING), Fate.WAITS),
        (READY, reading(State.SYNCING), Fate.WAITS),
        (READY, reading(State.RECONNECTING), Fate.WAITS),
        (READY, SILENT, Fate.WAITS),
        (READY, Reading(), Fate.WAITS),
        (READY, reading(State.FAILED), Fate.STUCK),
        (READY, reading(State.BANNED), Fate.STUCK),
        (READY, reading(State.WAITING_FOR_QR_SCAN), Fate.LOST),
        (READY, Reading(ContainerState.RESTARTING), Fate.ENDED),
        (READY, Reading(ContainerState.EXITED), Fate.ENDED),
        (WAITING, WAITING, Fate.REACHED),
        (WAITING, READY, Fate.REACHED),
        (WAITING, reading(State.STARTING, session=False), Fate.WAITS),
        (WAITING, FAILED, Fate.STUCK),
        (reading(State.RECONNECTING), reading(State.RECONNECTING), Fate.REACHED),
        (reading(State.RECONNECTING), WAITING, Fate.LOST),
        (FAILED, FAILED, Fate.REACHED),
        (FAILED, READY, Fate.REACHED),
        (FAILED, reading(State.OUTDATED), Fate.STUCK),
        (SILENT, reading(State.STARTING), Fate.WAITS),
        (SILENT, WAITING, Fate.REACHED),
        (SILENT, SILENT, Fate.WAITS),
        (SILENT, FAILED, Fate.STUCK),
        (Reading(ContainerState.RESTARTING), Reading(ContainerState.RESTARTING), Fate.WAITS),
    ],
)
def test_what_becomes_of_a_changed_bot(before: Reading, now: Reading, fate: Fate) -> None:
    assert judge(before, now, 1) is fate
    in_the_end = fate
    if fate is Fate.WAITS:  # what was down before is no worse now
        in_the_end = Fate.LATE if before.level else Fate.REACHED
    assert judge(before, now, PATIENCE_SECONDS) is in_the_end


def test_one_bot_goes_first_and_the_rest_in_batches() -> None:
    world, rollout = ready_world("a", "b", "c", "d", "e", "f"), Rollout(batch=2)
    world.image = NEW_IMAGE
    told = []
    for now in range(8):
        told.append([news.key for news in world.step(rollout, now)[1]])
    assert told == [
        ["first"], ["reached", "batch"], ["reached", "reached", "batch"], ["reached", "reached", "last"],
        ["reached", "done"], [], [], [],
    ]  # fmt: skip
    assert world.changed() == {"a", "b", "c", "d", "e", "f"}


def test_without_a_batch_all_the_others_follow_at_once() -> None:
    world, rollout = ready_world("a", "b", "c", "d"), Rollout()
    world.image = NEW_IMAGE
    world.step(rollout, 0)
    assert world.changed() == {"a"}
    world.step(rollout, 1)
    assert world.changed() == {"a", "b", "c", "d"}


def test_nobody_follows_before_the_first_is_as_well_as_it_was() -> None:
    world, rollout = ready_world("a", "b", "c"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: reading(State.STARTING)
    for now in range(0, 170, 10):
        assert world.step(rollout, now)[0].lanes == () or now == 0
    assert world.changed() == {"a"}
    assert rollout.halt is None
    world.becomes = lambda found: READY
    world.step(rollout, 175)
    assert world.changed() == {"a", "b", "c"}


def test_a_bot_that_is_ready_goes_first_and_one_that_fails_anyway_last() -> None:
    states = {"a": FAILED, "b": WAITING, "c": READY, "d": READY}
    world, rollout = World(fleet_of(*states), states), Rollout(batch=1)
    world.image = NEW_IMAGE
    order = []
    for now in range(4):
        admitted, _ = world.step(rollout, now)
        order += [lane[0].client_id for lane in admitted.lanes]
    assert order == ["c", "d", "b", "a"]


@pytest.mark.parametrize(
    ("becomes", "fate"),
    [
        (FAILED, Fate.STUCK),
        (Reading(ContainerState.RESTARTING), Fate.ENDED),
        (reading(State.WAITING_FOR_QR_SCAN), Fate.LOST),
    ],
)
def test_a_failure_stops_it_and_says_who_what_and_what_to_type(becomes: Reading, fate: Fate) -> None:
    world, rollout = ready_world("a", "b", "c"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: becomes
    world.step(rollout, 0)
    _, (news,) = world.step(rollout, 1)
    assert (news.level, news.client_id) == (Level.ERROR, "a")
    halt = rollout.halt
    assert halt is not None
    assert (halt.client_id, halt.left, halt.trial.fate) == ("a", ("b", "c"), fate)
    for language in ("en", "tr"):
        said = news.say(catalogue(language))
        assert "python -m manager logs a" in said
        assert "b, c" in said
        assert becomes.word in said
    for now in range(2, 1000, 50):
        assert world.step(rollout, now) == (Plan(), [])
    assert world.changed() == {"a"}


def test_it_is_late_only_when_its_time_is_over() -> None:
    world, rollout = ready_world("a", "b"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: SILENT
    world.step(rollout, 0)
    assert world.step(rollout, PATIENCE_SECONDS - 1)[1] == []
    (news,) = world.step(rollout, PATIENCE_SECONDS)[1]
    assert news.halt is not None
    assert news.halt.trial.fate is Fate.LATE


def test_a_bot_that_ends_again_and_again_is_not_well_in_between() -> None:
    world, rollout = ready_world("a", "b"), Rollout()
    world.image = NEW_IMAGE
    world.step(rollout, 0)
    for now, seen in enumerate((Reading(ContainerState.RESTARTING), SILENT, reading(State.STARTING)), 1):
        world.becomes = lambda found, seen=seen: seen
        told = [news.key for news in world.step(rollout, now)[1]]
        assert told == (["halt"] if now == 1 else [])
        assert rollout.halt is not None


def test_it_goes_on_when_the_first_is_well_after_all() -> None:
    world, rollout = ready_world("a", "b", "c"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: FAILED
    world.step(rollout, 0)
    world.step(rollout, 1)
    world.becomes = lambda found: READY
    _, news = world.step(rollout, 2)
    assert [each.key for each in news] == ["reached", "goes_on", "last"]
    assert rollout.halt is None
    assert world.changed() == {"a", "b", "c"}


def test_another_change_begins_anew_and_what_was_broken_must_be_what_it_was_at_first() -> None:
    world, rollout = ready_world("a", "b", "c"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: FAILED
    world.step(rollout, 0)
    world.step(rollout, 1)
    world.image = "sha256:" + "c" * 64
    _, news = world.step(rollout, 2)
    assert [(each.key, each.client_id) for each in news] == [("first", "a")]
    assert rollout.trials["a"].before == READY
    world.step(rollout, 3)
    assert rollout.halt is not None
    assert world.changed() == {"a"}


def test_a_change_taken_back_ends_it() -> None:
    world, rollout = ready_world("a", "b"), Rollout()
    old, world.image = world.image, NEW_IMAGE
    world.becomes = lambda found: FAILED
    world.step(rollout, 0)
    world.step(rollout, 1)
    world.image = old
    world.becomes = lambda found: READY
    assert [news.key for news in world.step(rollout, 2)[1]] == ["last"]
    assert [news.key for news in world.step(rollout, 3)[1]] == ["reached", "done"]
    assert not rollout.under_way


def test_a_bot_that_was_changed_there_and_back_counts_once() -> None:
    world, rollout = ready_world("a", "b", "c"), Rollout(batch=1)
    old, world.image = world.image, NEW_IMAGE
    world.step(rollout, 0)
    assert [news.key for news in world.step(rollout, 1)[1]] == ["reached", "batch"]
    world.image = old
    told = [news for now in range(2, 8) for news in world.step(rollout, now)[1]]
    assert sum(news.key == "reached" for news in told) >= 2
    assert (told[-1].key, told[-1].values["count"]) == ("done", 2)


def test_what_is_no_change_waits_for_nobody() -> None:
    world, rollout = ready_world("a", "b"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: SILENT
    world.step(rollout, 0)
    world.fleet = fleet_of("a", "b", "new")
    admitted, _ = world.step(rollout, 1)
    assert [lane[0].client_id for lane in admitted.lanes] == ["new"]
    world.fleet = fleet_of("a", "b")
    admitted, _ = world.step(rollout, 2)
    assert [lane[0].client_id for lane in admitted.lanes] == ["new"]


def test_a_manager_started_anew_does_not_sacrifice_another_bot() -> None:
    world = ready_world("a", "b", "c")
    world.image = NEW_IMAGE
    world.becomes = lambda found: FAILED
    first = Rollout()
    world.step(first, 0)
    world.step(first, 1)
    second = Rollout()
    admitted, (news,) = world.step(second, 2)
    assert admitted.lanes == ()
    assert (news.key, news.client_id) == ("halt", "a")
    assert "(before: ?)" in news.say(catalogue("en")), "this one has not seen it"
    assert world.changed() == {"a"}
    world.becomes = lambda found: READY
    world.step(second, 3)
    assert world.changed() == {"a", "b"}
    world.step(second, 4)
    assert world.changed() == {"a", "b", "c"}


@pytest.mark.parametrize("between", [SILENT, reading(State.STARTING)])
def test_a_manager_started_anew_waits_for_a_bot_that_is_not_well_with_the_change(between: Reading) -> None:
    """Between two of its ends it is seen running, mute or on its way."""
    world = ready_world("a", "b")
    world.image = NEW_IMAGE
    world.becomes = lambda found: between
    world.step(Rollout(), 0)
    second = Rollout()
    assert world.step(second, 1) == (Plan(), [])
    assert (set(second.trials), second.halt) == ({"a"}, None)
    world.becomes = lambda found: Reading(ContainerState.RESTARTING)
    world.step(second, 2)
    assert second.halt is not None
    assert world.changed() == {"a"}


def test_a_bot_that_fails_for_reasons_of_its_own_stops_nobody() -> None:
    """Another bot of the new image is READY: it is not the image's fault. Nor is a ban."""
    world = ready_world("a", "b", "c", "d")
    world.image = NEW_IMAGE
    world.becomes = lambda found: FAILED if found.client_id == "a" else READY
    whole = Rollout(canary=False, batch=2)
    world.step(whole, 0)
    world.step(whole, 1)
    assert world.changed() == {"a", "b"}
    world.step(Rollout(), 2)
    assert world.changed() == {"a", "b", "c"}
    banned = ready_world("a", "b")
    banned.image = NEW_IMAGE
    banned.becomes = lambda found: reading(State.BANNED)
    banned.step(Rollout(), 0)
    banned.step(Rollout(), 1)
    assert banned.changed() == {"a", "b"}


def test_a_bot_that_is_taken_out_holds_up_nobody() -> None:
    world, rollout = ready_world("a", "b", "c"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: FAILED if found.client_id == "a" else READY
    world.step(rollout, 0)
    world.step(rollout, 1)
    world.fleet = fleet_of("b", "c")
    world.step(rollout, 2)
    assert rollout.halt is None
    assert world.changed() >= {"b"}


def memories(**sizes: str) -> Fleet:
    bots = "".join(f"\n  - {{clientId: {client}, memory: {size}}}" for client, size in sizes.items())
    return read(f"project: p\nbots:{bots}\n")


def test_a_bot_that_went_out_with_the_change_is_no_witness_against_it() -> None:
    world = ready_world("a", "b", "c")
    world.image = NEW_IMAGE
    world.becomes = lambda found: FAILED if found.client_id == "a" else READY
    world.step(Rollout(), 0)
    world.fleet = fleet_of("b", "c")
    _, (news,) = world.step(Rollout(), 1)
    assert (news.key, news.client_id) == ("first", "b")


def test_a_bot_that_fails_without_the_change_is_no_witness_against_it() -> None:
    world = World(memories(a="1g", b="512m", c="512m"), {"a": FAILED, "b": READY, "c": READY})
    world.fleet = memories(a="1g", b="2g", c="2g")
    _, (news,) = world.step(Rollout(), 0)
    assert (news.key, news.client_id) == ("first", "b")


def test_a_bot_that_one_change_broke_does_not_hold_up_another() -> None:
    world, rollout = World(memories(a="1g", b="1g"), {"a": READY, "b": READY}), Rollout()
    world.becomes = lambda found: FAILED if found.client_id == "a" else READY
    world.fleet = memories(a="2g", b="1g")
    world.step(rollout, 0)
    world.step(rollout, 1)
    assert rollout.halt is not None
    world.fleet = memories(a="2g", b="3g")
    world.step(rollout, 2)
    assert rollout.halt is None
    assert world.changed() == {"a", "b"}


def test_a_bot_that_is_changed_again_before_it_is_back_gets_its_time_anew() -> None:
    world, rollout = ready_world("a", "b"), Rollout()
    world.image = NEW_IMAGE
    world.becomes = lambda found: SILENT
    world.step(rollout, 0)
    world.image = "sha256:" + "c" * 64
    world.step(rollout, PATIENCE_SECONDS - 1)
    world.step(rollout, PATIENCE_SECONDS + 1)
    assert rollout.halt is None
    assert set(rollout.trials) == {"a"}


def test_a_change_that_does_not_get_through_is_late_whatever_the_old_bot_says() -> None:
    world, rollout = ready_world("a", "b"), Rollout()
    world.image = NEW_IMAGE
    plan, observed, specs = world.plan(), world.observed(), world.specs()
    rollout.admit(plan, observed, specs, world.readings("ab"), 0)
    for now in (10, 100):
        admitted, news = rollout.admit(plan, observed, specs, world.readings("a"), now)
        assert [lane[0].client_id for lane in admitted.lanes] == ["a"]
        assert news == []
    _, (news_at_last,) = rollout.admit(plan, observed, specs, world.readings("a"), PATIENCE_SECONDS)
    assert news_at_last.halt is not None


def test_the_last_error_a_bot_told_of_is_part_of_the_sentence() -> None:
    container = ObservedContainer("c1", "p-bot-a", "a", ContainerState.RUNNING, "", "", None)
    events = [
        {"level": "error", "message": "the browser /no/such is missing."},
        {"level": "info", "message": "anything"},
    ]
    status = {"state": "FAILED", "permanent": True, "session_present": True, "last_events": events}
    found = Reading.of(container, status)
    assert (found.word, found.said, found.is_broken) == ("FAILED", "the browser /no/such is missing", True)
    assert Reading.of(container).word == "running"
    assert Reading.of(None).word == "-"


def test_a_plan_without_a_change_needs_no_readings() -> None:
    world, rollout = ready_world("a", "b"), Rollout()
    assert rollout.asks(world.plan(), world.observed(), world.specs()) == frozenset()
    assert world.step(rollout, 0) == (world.plan(), [])
