"""The network, the page or the browser goes away, on the pure machine: what is told, and what brings it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from bot import stimuli as s
from bot.contract import DisconnectReason, EventName, State
from bot.signals import Belief
from tests import living
from tests.living import (
    AUTHENTICATED,
    BANNED,
    CONNECTED,
    CONNECTING,
    DISCONNECT,
    FAILED_FOR_GOOD,
    FAILED_ONCE,
    INCOMPLETE,
    NEEDS_QR,
    OFF,
    OFFLINE,
    RECONNECT,
    UNKNOWN,
    UNLINKED,
    Life,
    counted,
    entered,
    kinds,
    lines,
    paired,
    told,
)

# --- CONNECTION_ERROR ------------------------------------------------------------------------------------


def test_a_flicker_is_no_disconnect() -> None:
    bot = paired()
    assert told(bot.wait(2, CONNECTING, every=0.5) + bot.see(CONNECTED)) == []


def test_internet_cut_the_page_comes_back_by_itself() -> None:
    bot = paired()
    away = bot.wait(6, CONNECTING)
    (lost,) = lines(away, DISCONNECT)
    assert (lost["reason"], lost["session"], lost["sessionWasAvailable"]) == (
        "CONNECTION_ERROR",
        "present",
        True,
    )
    assert [line["how"] for line in lines(away, RECONNECT)] == ["page"]
    back = bot.see(CONNECTED)
    assert counted(back, s.Tally.RECONNECTS) == ["page"]
    assert kinds(away + back) == ["MarkReady"]
    (seconds,) = [each.seconds for each in back if isinstance(each, s.Observe)]
    assert 4 <= seconds <= 6


def test_an_offline_browser_is_believed_at_once() -> None:
    bot = Life()
    bot.see(AUTHENTICATED)
    assert "WHATSAPP_DISCONNECT" in told(bot.wait(5, OFFLINE))


def test_the_page_gets_network_wait_before_the_bot_reloads() -> None:
    bot = paired()
    bot.see(CONNECTING)
    assert "CheckNetwork" not in kinds(bot.wait(19.9, CONNECTING))
    after = bot.wait(0.2, CONNECTING)
    assert kinds(after) == ["CheckNetwork", "Reload"]
    assert [line["how"] for line in lines(after, RECONNECT)] == ["reload"]
    assert counted(bot.see(CONNECTED), s.Tally.RECONNECTS) == ["reload"]


def test_nothing_is_reloaded_while_the_site_does_not_answer() -> None:
    bot = paired()
    bot.network = False
    away = bot.wait(290, OFFLINE)
    assert set(kinds(away)) == {"CheckNetwork"}
    bot.network = True
    back = bot.wait(20, CONNECTING)
    assert "Reload" in kinds(back), "the page did not come back although the network did"
    assert counted(bot.see(CONNECTED), s.Tally.RECONNECTS) == ["reload"]


def test_an_outage_without_end_relaunches_with_growing_waits_and_never_stops() -> None:
    bot = paired()
    away = bot.wait(24 * 3600, CONNECTING)
    hows = [line["how"] for line in lines(away, RECONNECT)]
    assert hows[:3] == ["page", "reload", "relaunch"]
    assert set(hows[2:]) == {"relaunch"}
    assert len(hows) > 24 * 3600 / 400, "it gave up"
    assert len(hows) < 24 * 3600 / 200, "it does not wait"
    assert len(lines(away, DISCONNECT)) == 1
    assert counted(bot.see(CONNECTED), s.Tally.RECONNECTS) == ["relaunch"]


def test_a_network_that_stays_away_asks_the_browser_anew_now_and_then() -> None:
    bot = paired()
    bot.network = False
    away = bot.wait(3 * 3600, OFFLINE)
    assert 3 * 3600 / 400 < kinds(away).count("Launch") + kinds(away).count("Reload") < 3 * 3600 / 250
    assert "WHATSAPP_QR" not in told(away)


@pytest.mark.parametrize("random", [0.0, 0.999])
def test_a_fleet_does_not_come_back_in_one_instant(random: float) -> None:
    waits = [Life(random=random).heart.waits.repair(attempts) for attempts in range(2, 9)]
    middle = [Life(random=0.5).heart.waits.repair(attempts) for attempts in range(2, 9)]
    assert waits != middle
    assert all(0 < wait <= 300 for wait in waits)
    assert all(earlier <= later for earlier, later in pairwise(waits))


def test_a_ready_page_that_says_nothing_any_more_is_reloaded() -> None:
    """The page may reload itself while the network is away: the browser's error page has nothing to say."""
    bot = paired()
    assert told(bot.wait(15, UNKNOWN)) == []
    away = bot.wait(10, UNKNOWN)
    assert [line["reason"] for line in lines(away, DISCONNECT)] == ["CONNECTION_ERROR"]
    assert "Reload" in kinds(away)


def test_a_ready_page_that_syncs_anew_without_end_is_not_ready() -> None:
    bot = paired()
    stuck = bot.wait(30, AUTHENTICATED)
    assert [line["how"] for line in lines(stuck, RECONNECT)] == ["page", "reload"]
    assert bot.state is State.SYNCING
    assert [line["how"] for line in lines(bot.wait(190, AUTHENTICATED), RECONNECT)] == ["relaunch"]


def test_each_reason_is_told_once_an_outage() -> None:
    bot = paired()
    for _ in range(3):
        bot.wait(10, CONNECTING)
        bot.tell(s.BrowserGone())
        bot.fetch = OFF
        bot.wait(30)
        bot.fetch = s.Navigated()
        bot.wait(60)
    assert [line["reason"] for line in lines(bot.effects, DISCONNECT)] == ["CONNECTION_ERROR", "BROWSER_LOST"]


def test_an_outage_knows_the_browsers_newest_word_for_it() -> None:
    """Also where WHATSAPP_DISCONNECT told the reason before there was such a word."""
    bot = paired()
    bot.wait(10, CONNECTING)
    outage = bot.heart.outage
    assert outage is not None
    assert (outage.reason, outage.detail) == (DisconnectReason.CONNECTION_ERROR, None)
    bot.fetch = OFF
    bot.wait(60, CONNECTING)
    assert bot.heart.outage is not None
    assert bot.heart.outage.detail == OFF.code


def test_a_network_that_was_away_long_ago_makes_nobody_impatient() -> None:
    bot = Life(session=False, fetch=OFF)
    bot.fetch = s.Navigated()
    bot.wait(30)
    bot.see(NEEDS_QR)
    bot.wait(3600, NEEDS_QR, every=60)
    bot.fetch = OFF
    bot.tell(s.ReloadRequested())
    assert kinds(bot.wait(60)).count("Launch") == 0


def test_the_line_says_what_is_waited_for() -> None:
    """A bot that was restarted and then lost the network waits for the page, not for a restart."""
    bot = Life()
    bot.wait(30, CONNECTING)
    assert [(line["key"], line["how"]) for line in lines(bot.effects, RECONNECT)][:2] == [
        ("reconnect_restart", "restart"),
        ("reconnect_page", "page"),
    ]


def test_a_slow_page_after_a_relaunch_is_no_lost_connection() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    bot.see(AUTHENTICATED)
    assert kinds(bot.wait(181, AUTHENTICATED, every=7)) == ["Reload"]
    bot.wait(10, CONNECTING)
    assert lines(bot.effects, DISCONNECT) == []


# --- page and browser ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "reason"),
    [(s.PageCrashed(), "PAGE_CRASHED"), (s.BrowserGone("the browser ended"), "BROWSER_LOST")],
)
def test_page_crash_and_browser_gone_relaunch_at_once(event: s.Event, reason: str) -> None:
    bot = paired()
    after = bot.tell(event)
    assert [line["reason"] for line in lines(after, DISCONNECT)] == [reason]
    assert kinds(after) == ["CloseBrowser", "Launch", "Navigate"]
    assert counted(after, s.Tally.BROWSER_RESTARTS) == [reason.lower()]
    assert [line["how"] for line in lines(after, RECONNECT)] == ["relaunch"]
    assert counted(bot.see(CONNECTED), s.Tally.RECONNECTS) == ["relaunch"]


def test_a_browser_that_dies_again_and_again_is_given_longer_and_longer() -> None:
    bot = paired()
    gaps = []
    for _ in range(12):
        before = bot.now
        bot.tell(s.BrowserGone())
        while bot.heart.page.name != "OPEN":
            bot.wait(1)
        gaps.append(bot.now - before)
    assert gaps[0] == 0
    assert gaps[1] > 0
    assert gaps[-1] > 200
    assert "WHATSAPP_QR" not in told(bot.effects)


def test_a_page_that_is_silent_once_is_not_hung() -> None:
    bot = paired()
    bot.wait(60)
    assert told(bot.tell(s.ProbeFailed())) == []
    bot.see(CONNECTED)
    bot.wait(60)
    assert told(bot.tell(s.ProbeFailed())) == []


def test_a_page_that_is_silent_twice_is_hung() -> None:
    bot = paired()
    bot.wait(60)
    bot.tell(s.ProbeFailed())
    bot.wait(60)
    after = bot.tell(s.ProbeFailed())
    assert told(after)[:2] == ["PAGE_HUNG", "WHATSAPP_DISCONNECT"]
    assert counted(after, s.Tally.BROWSER_RESTARTS) == ["page_hung"]
    assert kinds(after) == ["CloseBrowser", "Launch", "Navigate"]


def test_silence_is_measured_in_time_not_in_tries() -> None:
    bot = paired()
    for _ in range(5):
        assert told(bot.tell(s.ProbeFailed())) == []


def test_a_browser_that_cannot_start_is_tried_again() -> None:
    bot = Life(launch=FAILED_ONCE)
    bot.wait(3600)
    failures = lines(bot.effects, EventName.BOT_INIT)
    assert len(failures) > 10
    assert all(line["retryInSeconds"] > 0 for line in failures)
    bot.launch = s.Launched("150", True)
    bot.wait(301)
    assert told(bot.see(CONNECTED)) == ["WHATSAPP_READY"]


def test_a_browser_that_can_never_start_ends_the_bot_with_the_fix() -> None:
    bot = Life(launch=FAILED_FOR_GOOD)
    assert bot.state is State.FAILED
    assert lines(bot.effects, EventName.BOT_INIT)[0]["fix"] == "apt-get install it"
    assert kinds(bot.effects)[-1] == "Exit"


def test_a_browser_that_is_taken_away_later_leaves_the_bot_to_be_asked() -> None:
    bot = paired()
    bot.launch = FAILED_FOR_GOOD
    bot.tell(s.BrowserGone())
    assert bot.state is State.FAILED
    assert "Exit" not in kinds(bot.effects)
    assert kinds(bot.wait(3600)) == []
    bot.launch = s.Launched("150", True)
    bot.tell(s.ReloadRequested())
    assert entered(bot.see(CONNECTED)) == [State.READY]


def test_authenticated_but_never_ready() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    bot.see(AUTHENTICATED)
    stuck = bot.wait(600, AUTHENTICATED)
    assert [line["how"] for line in lines(stuck, RECONNECT)] == ["reload", "relaunch", "relaunch"]
    assert counted(stuck, s.Tally.QR_CODES) == []
    assert told(bot.see(CONNECTED)) == ["WHATSAPP_READY"]


def test_a_page_that_never_says_anything_is_loaded_anew() -> None:
    bot = Life()
    assert kinds(bot.wait(400, UNKNOWN)) == ["Reload", "CloseBrowser", "Launch", "Navigate"]


def test_a_page_that_lost_a_script_is_loaded_anew_after_network_wait() -> None:
    bot = Life()
    assert kinds(bot.wait(19, INCOMPLETE)) == []
    assert kinds(bot.wait(4, INCOMPLETE)) == ["Reload"]
    assert [line["how"] for line in lines(bot.wait(100, INCOMPLETE), RECONNECT)] == ["relaunch", "relaunch"]
    assert told(bot.see(CONNECTED)) == ["WHATSAPP_READY"]


@pytest.mark.parametrize("spoken", [CONNECTING, NEEDS_QR, AUTHENTICATED])
def test_a_page_that_lost_a_script_and_speaks_is_left_alone(spoken: Belief) -> None:
    bot = Life(session=spoken is not NEEDS_QR)
    bot.wait(15, INCOMPLETE)
    bot.wait(15, replace(spoken, incomplete=True))
    assert "Reload" not in kinds(bot.effects)


def test_a_vanished_signal_is_told_once_when_it_has_settled() -> None:
    bot = paired()
    gone = Belief(living.Kind.CONNECTED, session_keys=True, missing=("WAWebConnModel",))
    assert told(bot.see(gone)) == []
    bot.wait(60, gone)
    assert [line["missing"] for line in lines(bot.effects, EventName.SIGNAL_MISSING)] == [["WAWebConnModel"]]


def test_crashes_of_long_ago_cost_a_bot_that_waits_for_a_scan_nothing() -> None:
    bot = Life(session=False)
    for _ in range(8):
        bot.see(NEEDS_QR)
        bot.wait(3600, NEEDS_QR, every=60)
        assert "Launch" in kinds(bot.tell(s.PageCrashed()))


@pytest.mark.parametrize(
    ("happen", "reasons"),
    [
        (lambda bot: bot.see(UNLINKED), ["logout"]),
        (lambda bot: bot.wait(6, NEEDS_QR), ["session_lost"]),
        (lambda bot: [bot.see(BANNED), bot.tell(s.ReloadRequested())], ["control"]),
        (lambda bot: bot.wait(70, CONNECTING), ["reconnect"]),
    ],
)
def test_every_new_browser_is_counted_with_its_reason(
    happen: Callable[[Life], object], reasons: list[str]
) -> None:
    bot = paired()
    happen(bot)
    assert counted(bot.effects, s.Tally.BROWSER_RESTARTS) == reasons
