"""The drill's dice and its judge, on any campaign and any history."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from drill.campaign import EARLY_KILL_SECONDS, FULL, QUICK, Pace, campaign, share
from drill.faults import Fault, Need, possible
from drill.judge import Ledger, What

SEEDS = st.integers(0, 2**32)
FAULTS = st.lists(st.sampled_from(Fault), min_size=1, unique=True).map(tuple)
HISTORY = st.lists(st.sampled_from(What), max_size=60)


@given(SEEDS, st.integers(0, 80), FAULTS)
def test_a_seed_is_its_rounds(seed: int, rounds: int, faults: tuple[Fault, ...]) -> None:
    found = campaign(seed, rounds, faults)
    assert found == campaign(seed, rounds, tuple(reversed(faults)))
    assert found == campaign(seed, rounds + 7, faults)[:rounds]
    assert [each.number for each in found] == list(range(1, rounds + 1))


@given(SEEDS, st.integers(1, 200), FAULTS)
def test_every_fault_comes_before_any_comes_again(seed: int, rounds: int, faults: tuple[Fault, ...]) -> None:
    counts = Counter(each.fault for each in campaign(seed, rounds, faults))
    assert set(counts) <= set(faults)
    assert max(counts.values()) - min(counts[fault] for fault in faults) <= 1


@given(SEEDS, st.sampled_from([QUICK, FULL]))
def test_times_stay_within_the_pace(seed: int, limits: Pace) -> None:
    for each in campaign(seed, 2 * len(Fault), tuple(Fault), limits):
        assert 0 <= each.moment <= limits.moment
        assert 0 <= each.hold <= limits.hold
        assert 0 <= each.target < 1
        if each.fault is Fault.EARLY_KILL:
            assert each.fresh
            assert 0 <= each.delay <= EARLY_KILL_SECONDS
        if each.fault is Fault.LATE_SCAN:
            assert limits.late[0] <= each.scan <= limits.late[1]


@given(SEEDS, st.integers(1, 60), st.integers(1, 9))
def test_every_round_is_played_by_one_subject(seed: int, rounds: int, subjects: int) -> None:
    parts = share(campaign(seed, rounds, tuple(Fault)), subjects)
    assert sorted(each.number for part in parts for each in part) == list(range(1, rounds + 1))


@given(st.frozensets(st.sampled_from(Need)), FAULTS)
def test_a_fault_is_either_drilled_or_said_to_be_missing(
    given_: frozenset[Need], faults: tuple[Fault, ...]
) -> None:
    here, missing = possible(faults, given_)
    assert sorted([*here, *missing]) == sorted(faults)
    assert not set(missing.values()) & given_


@given(HISTORY)
def test_the_phone_explains_no_more_qrs_than_it_did_things(history: list[What]) -> None:
    ledger = Ledger()
    for what in history:
        ledger.hear(what)
    deeds = sum(what in (What.UNLINKED, What.PAIRING_FAILED) for what in history)
    assert ledger.explained <= 1 + deeds
    assert ledger.explained + ledger.unexplained <= history.count(What.QR)


@given(HISTORY)
def test_a_qr_on_a_linked_device_is_never_explained(history: list[What]) -> None:
    ledger = Ledger()
    for what in [*(each for each in history if each is not What.PAIRING_FAILED), What.LINKED]:
        ledger.hear(what)
    assert ledger.hear(What.QR)


@given(HISTORY, st.integers(1, 5))
def test_restarts_do_not_make_one_request_two(history: list[What], restarts: int) -> None:
    ledger = Ledger()
    for what in [*history, What.QR]:
        ledger.hear(what)
    before = ledger.explained + ledger.unexplained
    for _ in range(restarts):
        for what in (What.ENDED, What.STARTED, What.QR, What.QR):
            ledger.hear(what)
    assert ledger.explained + ledger.unexplained == before
