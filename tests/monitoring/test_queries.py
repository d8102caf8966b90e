"""Every query of every panel and rule has an answer on a real Prometheus that looked at real bots in trouble."""

from __future__ import annotations

import asyncio

import pytest

from tests.monitoring.drill import Findings, expressions, managed, play

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.timeout(300)]

_NO_LIMIT = "the bots here are processes without a memory limit"
# What this drill can't bring about, and why. Each rule of these is seen to fire on made-up series in test_rules.py.
WITHOUT = {
    "rule/OturumMemoryNearLimit": _NO_LIMIT,
    "fleet/Nearest to their memory limit/A": _NO_LIMIT,
    "bot/Memory/A": _NO_LIMIT,
    "bot/Memory/B": _NO_LIMIT,
    "rule/OturumOutOfMemory": _NO_LIMIT,
    "bot/Restarted by the manager/B": _NO_LIMIT,
    "rule/OturumBotGaveUp": "four restarts with growing waits take minutes",
    "rule/OturumRolloutHalted": "a bot gets three minutes to become READY",
    "rule/OturumEngineDown": "the engine is not the tests' own",
    "rule/OturumSessionDiskFilling": "this machine's disk has room",
    "rule/OturumPhoneNotSeen": "no phone has been away for 12 days",
}
# True for a moment, or not, as it happens: a page that loads, a scrape that comes late. It counts only where it lasts.
# And the trivial image has no health to show: its containers are restarted if the drill takes two minutes.
EITHER = {
    "rule/OturumPageChanged",
    "rule/OturumManagerNotReconciling",
    "bot/Restarted by the manager/A",
    "fleet/Bots it restarted/A",
}
FIRED = {
    *((alert, "one") for alert in ("OturumFlapping", "OturumConflict", "OturumBotDown")),
    ("OturumReconnectingTooLong", "one"),
    *((alert, "two") for alert in ("OturumSessionLost", "OturumRestoreFailed", "OturumQrWaiting")),
    *((alert, "two") for alert in ("OturumBotStuck", "OturumBanned")),
    ("OturumConfigInvalid", ""),
}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("drill")
    with managed(folder) as watched:
        return asyncio.run(play(folder, watched))


@pytest.mark.parametrize("place", sorted(expressions()))
def test_a_query_is_answered(place: str, findings: Findings) -> None:
    if place in WITHOUT:
        assert not findings.answered[place], "it is answered: take it off the list"
    elif place not in EITHER:
        assert findings.answered[place], expressions()[place]


def test_the_lists_name_queries_that_are_there() -> None:
    assert {*WITHOUT, *EITHER} <= set(expressions())


def test_exactly_the_expected_alerts_fired_and_resolved(findings: Findings) -> None:
    assert findings.fired == FIRED
    # The account stays banned, and the lost session and its restore are told for a while.
    lasting = {("OturumBanned", "two"), ("OturumSessionLost", "two"), ("OturumRestoreFailed", "two")}
    assert findings.still_firing - {("OturumFlapping", "one")} <= lasting


def test_what_people_are_told_is_complete(findings: Findings) -> None:
    assert len({told["summary"] for told in findings.told}) >= len(FIRED) - 1
    for told in findings.told:
        for text in told.values():
            assert "<no value>" not in text
            assert "<error" not in text
