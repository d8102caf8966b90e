"""The watchdog: what an engine leaves to others. Seconds are made up; nothing here waits."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from bot.contract import State
from manager.observed import ContainerState, ObservedContainer
from manager.text import catalogue
from manager.watchdog import Decision, Kind, Policy, Reason, Seen, Watchdog, needs_person

POLICY = Policy()
WELL = Seen("a", "c1", health="healthy", restart_count=0, started_at="t0", state="READY", needs_person=False)
ILL = Seen("a", "c1", health="unhealthy", restart_count=0, started_at="t0")
STARTING = replace(ILL, health="starting")


def only(decisions: list[Decision]) -> Decision:
    (decision,) = decisions
    return decision


def give_up(dog: Watchdog, now: float = 0) -> tuple[float, Seen]:
    """Whatever is done, the bot stays unhealthy. When it was given up, and how it was seen last."""
    seen, starts = ILL, 0
    while (decision := only(dog.look([seen], now))).kind is not Kind.GAVE_UP:
        if decision.kind is Kind.RESTART:
            starts += 1
            seen = replace(ILL, started_at=f"t{starts}")
        now += 5
    assert starts == POLICY.attempts
    return now, seen


def status(state: State) -> dict[str, object]:
    return {
        "state": state.value,
        "permanent": state.permanent,
        "user_action": state.user_action.value,
    }


def test_a_healthy_bot_is_no_business_of_ours() -> None:
    assert Watchdog().look([WELL], 0) == []


def test_an_unhealthy_bot_gets_a_moment_and_then_a_restart() -> None:
    dog = Watchdog()
    first = only(dog.look([ILL], 100))
    assert (first.kind, first.until) == (Kind.WAIT, 100 + POLICY.patience)
    decision = only(dog.look([ILL], 100 + POLICY.patience))
    assert (decision.kind, decision.reason, decision.attempt) == (Kind.RESTART, Reason.UNHEALTHY, 1)
    assert (decision.client_id, decision.container) == ("a", "c1")


def test_what_mends_itself_in_time_is_left_alone() -> None:
    dog = Watchdog()
    dog.look([ILL], 0)
    assert dog.look([WELL], 10) == []
    assert only(dog.look([ILL], POLICY.patience + 5)).kind is Kind.WAIT


def test_restarts_come_at_longer_and_longer_intervals_and_then_no_more() -> None:
    dog, times = Watchdog(), []
    for now in range(0, 7200, 5):
        seen = replace(ILL, started_at=f"t{len(times)}")
        if only(dog.look([seen], now)).kind is Kind.RESTART:
            times.append(now)
    assert len(times) == POLICY.attempts
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [60, 180, 540]
    last = only(dog.look([replace(ILL, started_at=f"t{len(times)}")], 7200))
    assert (last.kind, last.new) == (Kind.GAVE_UP, False)
    assert dog.gave_up == {"a"}


@pytest.mark.parametrize("state", [each for each in State if needs_person(status(each))])
def test_what_waits_for_a_person_is_not_restarted(state: State) -> None:
    container = ObservedContainer("c1", "p-bot-a", "a", ContainerState.RUNNING, "", "", None, "unhealthy")
    dog, seen = Watchdog(), Seen.of(container, status=status(state))
    for now in range(0, 7200, 60):
        decision = only(dog.look([seen], now))
        assert (decision.kind, decision.values["state"]) == (Kind.LEAVE, state.value)


def test_the_states_that_wait_for_a_person() -> None:
    assert {state.value for state in State if needs_person(status(state))} == {
        "WAITING_FOR_QR_SCAN", "CONFLICT", "BANNED", "OUTDATED", "PROXY_BLOCKED", "FAILED",
    }  # fmt: skip


def test_a_state_of_a_later_version_is_judged_by_what_it_says() -> None:
    assert needs_person({"state": "NEW", "permanent": False, "user_action": "ring_somebody"})
    assert needs_person({"state": "NEW", "permanent": True, "user_action": "wait"})
    assert not needs_person({"state": "NEW", "permanent": False, "user_action": "wait"})


def test_a_bot_that_fell_silent_while_banned_is_banned_still() -> None:
    dog = Watchdog()
    dog.look([replace(WELL, state="BANNED", needs_person=True, permanent=True)], 0)
    assert {only(dog.look([ILL], now)).kind for now in range(5, 3600, 5)} == {Kind.LEAVE}


def test_a_bot_that_fell_silent_while_it_showed_a_qr_is_restarted_for_the_person_s_sake() -> None:
    dog = Watchdog()
    dog.look([replace(WELL, state="WAITING_FOR_QR_SCAN", needs_person=True, permanent=False)], 0)
    assert Kind.RESTART in {only(dog.look([ILL], now)).kind for now in (5, 25)}


def test_a_restart_by_somebody_ends_the_giving_up() -> None:
    dog = Watchdog()
    now, seen = give_up(dog)
    anew = replace(seen, started_at="by hand", health="starting")
    assert dog.look([anew], now + 5) == []
    assert dog.gave_up == frozenset()
    ill = replace(anew, health="unhealthy")
    dog.look([ill], now + 10)
    decision = only(dog.look([ill], now + 10 + POLICY.patience))
    assert (decision.kind, decision.attempt) == (Kind.RESTART, 1)


def test_a_changed_bot_has_no_past() -> None:
    dog = Watchdog()
    now, seen = give_up(dog)
    assert only(dog.look([replace(seen, container="c2")], now)).kind is Kind.WAIT
    assert dog.gave_up == frozenset()


def test_health_ends_the_giving_up_soon_and_is_forgiven_late() -> None:
    dog = Watchdog()
    now, seen = give_up(dog)
    well = replace(seen, health="healthy")
    assert only(dog.look([well], now)).kind is Kind.GAVE_UP
    assert dog.look([well], now + POLICY.mended) == []
    assert only(dog.look([seen], now + POLICY.mended + 5)).kind is Kind.GAVE_UP
    now += 1000
    dog.look([well], now)
    dog.look([well], now + POLICY.calm)
    dog.look([seen], now + POLICY.calm + 5)
    decision = only(dog.look([seen], now + POLICY.calm + 5 + POLICY.patience))
    assert (decision.kind, decision.attempt) == (Kind.RESTART, 1)


def test_out_of_memory_is_told_apart_with_what_mends_it() -> None:
    dog = Watchdog()
    dog.look([WELL], 0)
    note = only(dog.look([replace(WELL, oom_kills=1)], 5))
    assert (note.kind, note.reason) == (Kind.NOTE, Reason.OOM)
    dog.look([replace(ILL, oom_kills=1)], 10)
    decision = only(dog.look([replace(ILL, oom_kills=1)], 10 + POLICY.patience))
    assert (decision.kind, decision.reason) == (Kind.RESTART, Reason.OOM)
    for language in ("en", "tr"):
        said = decision.say(catalogue(language))
        assert "`memory`" in said
        assert "python -m manager up a" in said


def test_what_was_counted_before_we_came_is_nobody_s_fault() -> None:
    assert Watchdog().look([replace(WELL, oom_kills=7, restart_count=30)], 0) == []


@pytest.mark.parametrize(("killed", "reason"), [(0, Reason.EXITS), (1, Reason.OOM)])
def test_a_bot_that_the_engine_starts_again_and_again_is_given_up(killed: int, reason: Reason) -> None:
    dog = Watchdog()
    dog.look([WELL], 0)
    for count in range(1, POLICY.attempts + 1):
        seen = replace(STARTING, restart_count=count, started_at=f"t{count}", oom_kills=killed * count)
        found = dog.look([replace(seen, exit_code=12)], 10.0 * count)
    decision = only(found)
    assert (decision.kind, decision.reason) == (Kind.GAVE_UP, reason)
    assert decision.say(catalogue("en"))


def test_four_ends_in_a_moment_are_no_reason_to_give_it_up_but_half_a_minute_of_them_is() -> None:
    """So fast an engine starts it anew at first."""
    dog = Watchdog()
    dog.look([WELL], 0)
    looping = [replace(STARTING, restart_count=count, started_at=f"t{count}") for count in range(1, 8)]
    assert not any(dog.look([replace(seen, exit_code=10)], 1 + at / 2) for at, seen in enumerate(looping[:6]))
    decision = only(dog.look([looping[6]], 1 + POLICY.looping))
    assert decision.kind is Kind.GAVE_UP
    assert "exit code 10" in decision.say(catalogue("en")), "it runs just now, and its last end is known"


def test_it_is_given_up_too_where_the_engine_takes_its_time_between_its_end_and_its_start() -> None:
    """It counts the end at once, and tells of the start when that has come."""
    dog = Watchdog()
    dog.look([replace(WELL, restart_count=0, started_at="t0")], 0)
    for count in range(1, POLICY.attempts + 3):
        ended = replace(ILL, place=ContainerState.RESTARTING, restart_count=count, started_at=f"t{count - 1}")
        begun = replace(STARTING, restart_count=count, started_at=f"t{count}")
        found = [*dog.look([ended], 10.0 * count), *dog.look([begun], 10.0 * count + 5)]
    assert {one.kind for one in found} == {Kind.GAVE_UP}
    by_hand = replace(STARTING, restart_count=0, started_at="by hand")
    assert dog.look([by_hand], 1000) == []
    assert not dog.gave_up


def test_a_whole_fleet_is_not_restarted_at_once() -> None:
    fleet = [replace(ILL, client_id=f"bot-{number:02}", container=f"c{number}") for number in range(30)]
    dog = Watchdog()
    dog.look(fleet, 0)
    found = dog.look(fleet, POLICY.patience)
    restarted = [one.client_id for one in found if one.kind is Kind.RESTART]
    assert restarted == ["bot-00", "bot-01", "bot-02"]
    assert {one.key for one in found if one.kind is Kind.WAIT} == {"others"}
    assert not [one for one in dog.look(fleet, POLICY.patience + 5) if one.kind is Kind.RESTART]
    later = dog.look(fleet, POLICY.patience + POLICY.settle)
    assert [one.client_id for one in later if one.kind is Kind.RESTART] == ["bot-03", "bot-04", "bot-05"]


def test_a_busy_machine_puts_it_off_but_not_for_ever() -> None:
    dog = Watchdog()
    kinds = [only(dog.look([ILL], now, busy=True)).kind for now in range(0, int(POLICY.busy) + 1, 60)]
    assert set(kinds[:-1]) == {Kind.WAIT}
    assert kinds[-1] is Kind.RESTART


def test_each_decision_is_news_once() -> None:
    dog = Watchdog()
    assert [only(dog.look([ILL], now)).new for now in (0, 1, 2)] == [True, False, False]
    assert dog.look([WELL], 3) == []
    assert only(dog.look([ILL], 4)).new


def test_a_wait_that_changes_its_reason_back_and_forth_is_no_news() -> None:
    """A machine that is busy now and then has a whole fleet waiting, for that and for each other."""
    dog = Watchdog()
    others = [replace(ILL, client_id=f"b{number}", container=f"b{number}") for number in range(3)]
    told = []
    for now in range(0, 60, 5):
        found = dog.look([ILL, *others], now, busy=now % 10 == 0 and now >= POLICY.patience)
        told += [(one.kind, one.key) for one in found if one.client_id == "b2" and one.new]
    assert told == [(Kind.WAIT, "patience"), (Kind.WAIT, "others"), (Kind.WAIT, "busy")]


def test_an_inspection_says_when_it_started_and_how_often() -> None:
    container = ObservedContainer("c1", "p-bot-a", "a", ContainerState.RUNNING, "", "", None, "healthy")
    seen = Seen.of(container, {"State": {"StartedAt": "2026-01-01T00:00:00Z"}, "RestartCount": 3})
    assert (seen.started_at, seen.restart_count, seen.state) == ("2026-01-01T00:00:00Z", 3, None)
