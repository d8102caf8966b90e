"""Each situation of a session's life, by name, on the pure machine: no browser, no clock."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from bot import stimuli as s
from bot.contract import DisconnectReason, EventName, QrCause, ReconnectHow, State
from bot.lifecycle import TRANSITIONS
from bot.signals import Belief
from tests import living
from tests.living import (
    AUTHENTICATED,
    BANNED,
    CONFLICT,
    CONNECTED,
    CONNECTING,
    DOUBTFUL,
    FAILED_FOR_GOOD,
    FAILED_ONCE,
    KEYLESS,
    LOCKED,
    NEEDS_QR,
    OFF,
    OFFLINE,
    OUTDATED,
    PROXY,
    STORAGE,
    SYNC,
    UNKNOWN,
    UNLINKED,
    UNREADABLE,
    USED_UP,
    Life,
    counted,
    entered,
    kinds,
    lines,
    qr,
    told,
)

DISCONNECT, RECONNECT = EventName.WHATSAPP_DISCONNECT, EventName.BOT_RECONNECT
PERSON = [
    (BANNED, State.BANNED),
    (LOCKED, State.BANNED),
    (OUTDATED, State.OUTDATED),
    (PROXY, State.PROXY_BLOCKED),
]


def paired() -> Life:
    return Life().ready()


# --- start and pairing -----------------------------------------------------------------------------------


def test_clean_start() -> None:
    bot = Life(session=False, created=True)
    assert told(bot.effects) == ["SESSION_CREATE", "BOT_INIT"]
    bot.wait(3, KEYLESS)
    shown = bot.see(NEEDS_QR)
    assert entered(shown) == [State.WAITING_FOR_QR_SCAN]
    assert lines(shown, EventName.WHATSAPP_QR) == [
        {"key": "qr", "cause": "first_pairing", "number": 1, "session": "absent"}
    ]
    done = bot.see(CONNECTING) + bot.see(AUTHENTICATED) + bot.see(CONNECTED)
    assert entered(done) == [State.PAIRING, State.SYNCING, State.READY]
    assert kinds(done) == ["ShowQr", "MarkPaired", "CloseEpisode", "MarkReady"]
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["first_pairing"]
    assert counted(bot.effects, s.Tally.DISCONNECTS) == counted(bot.effects, s.Tally.RECONNECTS) == []
    assert [each.what for each in done if isinstance(each, s.Observe)] == [s.Clocked.READY]


def test_a_store_without_a_session_says_so() -> None:
    bot = Life(session=False)
    assert lines(bot.effects, EventName.BOT_SESSION) == [{"key": "session_none", "session": "absent"}]


def test_restart_goes_on_from_the_session() -> None:
    bot = Life()
    assert told(bot.effects) == ["BOT_SESSION", "BOT_RECONNECT", "BOT_INIT"]
    (again,) = lines(bot.effects, RECONNECT)
    assert (again["how"], again["session"], again["sessionWasAvailable"]) == ("restart", "present", True)
    done = bot.see(CONNECTED)
    assert counted(done, s.Tally.RECONNECTS) == ["restart"]
    assert "WHATSAPP_QR" not in told(bot.effects)


def test_ready_although_it_was_synced_before_anybody_looked() -> None:
    """whatsapp-web.js misses `ready` for ever when hasSynced was true already."""
    assert entered(Life().see(CONNECTED)) == [State.READY]


def test_a_doubtful_ready_waits_a_moment() -> None:
    bot = Life()
    assert entered(bot.see(DOUBTFUL)) == []
    assert entered(bot.wait(5, DOUBTFUL)) == [State.READY]


def test_a_doubt_that_passes_makes_nothing_ready() -> None:
    bot = Life()
    bot.see(DOUBTFUL)
    bot.see(UNKNOWN)
    assert entered(bot.wait(10, UNKNOWN)) == []


def test_an_unset_hassynced_is_no_second_ready() -> None:
    bot = paired()
    assert told(bot.see(AUTHENTICATED)) == []
    assert told(bot.see(CONNECTED)) == []


def test_network_away_at_start_without_a_session() -> None:
    bot = Life(session=False, created=True, fetch=OFF)
    (lost,) = lines(bot.effects, DISCONNECT)
    assert (lost["reason"], lost["session"], lost["sessionWasAvailable"]) == (
        "CONNECTION_ERROR",
        "absent",
        False,
    )
    bot.wait(3600)
    bot.fetch = s.Navigated()
    bot.wait(60)
    assert told(bot.see(NEEDS_QR)) == ["WHATSAPP_QR"]
    assert len(lines(bot.effects, DISCONNECT)) == 1


def test_network_away_at_start_keeps_the_session_and_asks_for_nothing() -> None:
    bot = Life(fetch=OFF)
    assert bot.state is State.RECONNECTING
    bot.wait(24 * 3600)
    bot.fetch = s.Navigated()
    bot.wait(320)
    assert told(bot.see(CONNECTED)) == ["WHATSAPP_READY"]
    assert "WHATSAPP_QR" not in told(bot.effects)
    assert len(lines(bot.effects, DISCONNECT)) == 1


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


# --- live copies -----------------------------------------------------------------------------------------


def live_copies(effects: list[s.Effect]) -> int:
    return effects.count(s.TakeGeneration(live=True))


def test_a_session_is_copied_once_it_is_quiet_and_then_every_few_hours() -> None:
    bot = paired()
    waits = bot.heart.waits
    assert live_copies(bot.wait(waits.calm - 3, CONNECTED)) == 0
    assert live_copies(bot.wait(6, CONNECTED)) == 1
    assert live_copies(bot.wait(waits.generation - 60, CONNECTED, every=60)) == 0
    assert live_copies(bot.wait(120, CONNECTED, every=60)) == 1


def test_a_connection_that_comes_and_goes_is_not_copied_each_time() -> None:
    bot = paired()
    waits = bot.heart.waits
    assert live_copies(bot.wait(waits.calm + 3, CONNECTED)) == 1
    again = []
    for _ in range(4):
        bot.wait(6, CONNECTING)
        assert bot.state is State.RECONNECTING
        again += bot.wait(waits.calm + 3, CONNECTED)
    assert live_copies(again) == 0
    assert live_copies(bot.wait(waits.generation_pause, CONNECTED, every=10)) == 1


def test_nothing_is_copied_while_the_connection_is_in_doubt() -> None:
    bot = paired()
    bot.wait(bot.heart.waits.calm - 1, CONNECTED)
    assert live_copies(bot.see(UNKNOWN) + bot.wait(10, UNKNOWN)) == 0
    assert not bot.heart.can_be_copied
    assert kinds(bot.tell(s.GenerationRequested())) == ["RefuseGeneration"]
    assert live_copies(bot.wait(bot.heart.waits.calm + 3, CONNECTED)) == 1


def test_a_copy_on_request_needs_no_calm_and_a_logout_under_way_forbids_it() -> None:
    bot = paired()
    assert bot.heart.can_be_copied
    assert live_copies(bot.tell(s.GenerationRequested())) == 1
    bot.unlink = None
    bot.tell(s.LogoutRequested())
    assert kinds(bot.tell(s.GenerationRequested())) == ["RefuseGeneration"]


def test_a_copy_that_failed_is_tried_again_after_a_while() -> None:
    bot = paired()
    bot.refuse = True
    waits = bot.heart.waits
    assert live_copies(bot.wait(waits.calm + 3, CONNECTED)) == 1
    bot.refuse = False
    assert live_copies(bot.wait(waits.generation_pause + 3, CONNECTED, every=10)) == 1


def test_calm_forgets_earlier_failures() -> None:
    bot = paired()
    bot.wait(200, CONNECTING)
    assert bot.heart.attempts > 1
    bot.see(CONNECTED)
    bot.wait(61, CONNECTED)
    assert bot.heart.attempts == 0


# --- LOGOUT ----------------------------------------------------------------------------------------------


def test_logout_closes_the_browser_then_sets_aside_then_waits_then_asks() -> None:
    bot = paired()
    out = bot.see(UNLINKED)
    assert entered(out) == [State.LOGGED_OUT]
    assert kinds(out) == ["CloseBrowser", "MarkLoggedOut", "SetAside"]
    (lost,) = lines(out, DISCONNECT)
    assert (lost["reason"], lost["session"], lost["sessionWasAvailable"]) == ("LOGOUT", "absent", True)
    assert lines(out, EventName.WHATSAPP_LOGOUT)[0]["reason"] == "phone"
    assert kinds(bot.wait(4.9)) == []
    assert kinds(bot.wait(0.2)) == ["Launch", "Navigate"]
    shown = bot.see(NEEDS_QR)
    assert lines(shown, EventName.WHATSAPP_QR)[0]["cause"] == "logout"
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["logout"]
    assert told(bot.see(CONNECTED)) == ["WHATSAPP_PAIRED", "WHATSAPP_READY"]
    assert bot.heart.owns_session


def test_unlinked_while_the_bot_was_down() -> None:
    bot = Life()
    assert entered(bot.see(UNLINKED)) == [State.LOGGED_OUT]
    bot.wait(6)
    assert lines(bot.see(NEEDS_QR), EventName.WHATSAPP_QR)[0]["cause"] == "logout"


def test_a_logout_is_believed_in_the_middle_of_an_outage() -> None:
    bot = paired()
    bot.wait(10, CONNECTING)
    assert entered(bot.see(UNLINKED)) == [State.LOGGED_OUT]


def test_a_logout_during_the_first_sync() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    bot.see(AUTHENTICATED)
    assert entered(bot.see(UNLINKED)) == [State.LOGGED_OUT]
    bot.wait(6)
    bot.see(qr(2))
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["first_pairing", "logout"]


def test_our_own_logout() -> None:
    bot = paired()
    asked = bot.tell(s.LogoutRequested())
    assert kinds(asked) == ["Unlink"]
    assert entered(bot.see(UNLINKED)) == [State.LOGGED_OUT]


@pytest.mark.parametrize("unlink", [False, None])
def test_a_logout_the_page_refuses_keeps_the_session(unlink: bool | None) -> None:
    bot = paired()
    bot.unlink = unlink
    bot.tell(s.LogoutRequested())
    if unlink is None:
        bot.tell(s.Unlinked(ok=False))
    assert lines(bot.effects, EventName.BOT_CONTROL)[-1]["key"] == "control_logout_failed"
    bot.wait(60, CONNECTED)
    assert bot.state is State.READY
    assert kinds(bot.tell(s.LogoutRequested())) == ["Unlink"]


def test_a_logout_is_not_for_a_bot_without_a_session() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    assert not bot.heart.can_log_out
    assert bot.tell(s.LogoutRequested()) == []


# --- the QR ----------------------------------------------------------------------------------------------


def test_every_code_is_told_and_the_episode_is_counted_once() -> None:
    bot = Life(session=False)
    for number in range(1, 7):
        bot.see(qr(number))
        bot.see(qr(number))
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["first_pairing"]
    assert len(counted(bot.effects, s.Tally.QR_CODES)) == 6
    assert [line["number"] for line in lines(bot.effects, EventName.WHATSAPP_QR)] == [1, 2, 3, 4, 5, 6]
    shown = [(each.number, each.text) for each in bot.effects if isinstance(each, s.ShowQr)]
    assert shown == [(number, qr(number).qr_text) for number in range(1, 7)]


def test_refs_used_up_are_asked_for_again_slower_and_without_end() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    moments = []
    for number in range(40):
        bot.see(USED_UP)
        while "RefreshQr" not in kinds(bot.wait(1)):
            pass
        moments.append(bot.now)
        bot.see(qr(number))
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert gaps[0] <= 2
    assert gaps[-1] == pytest.approx(300, abs=2)
    assert all(earlier <= later + 1 for earlier, later in pairwise(gaps))
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["first_pairing"]


def test_somebody_who_asks_gets_a_fresh_code_at_once() -> None:
    bot = Life(session=False)
    for number in range(30):
        bot.see(USED_UP)
        bot.wait(310)
        bot.see(qr(number))
    bot.see(USED_UP)
    assert kinds(bot.wait(10, USED_UP)) == []
    assert kinds(bot.tell(s.QrRequested())) == ["RefreshQr"]


def test_a_page_without_a_way_to_refresh_is_reloaded() -> None:
    bot = Life(session=False, refresh=False)
    bot.see(NEEDS_QR)
    bot.see(USED_UP)
    assert "Reload" in kinds(bot.wait(1))


def test_a_code_that_cannot_be_read_is_asked_for_again() -> None:
    bot = Life(session=False)
    assert "RefreshQr" in kinds(bot.wait(30, UNREADABLE))


def test_a_code_is_taken_back_while_the_connection_is_away_and_is_no_second_code_after() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    assert kinds(bot.see(KEYLESS)) == ["ShowQr"]
    again = bot.see(NEEDS_QR)
    assert kinds(again) == ["ShowQr"]
    assert told(again) == []


def test_a_restart_in_the_middle_of_an_episode_counts_no_second_one() -> None:
    bot = Life(session=False, episode=QrCause.LOGOUT)
    shown = bot.see(NEEDS_QR)
    assert counted(shown, s.Tally.QR_REQUESTS) == []
    assert lines(shown, EventName.WHATSAPP_QR)[0] == {
        "key": "qr", "cause": "logout", "number": 3, "session": "absent",
    }  # fmt: skip


def test_a_pairing_code_holds_the_codes_refresh_back() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    bot.tell(s.PairingCodeShown(180))
    assert kinds(bot.wait(170, USED_UP)) == ["ShowQr"]
    assert "RefreshQr" in kinds(bot.wait(20, USED_UP))


def test_a_passkey_is_told_once() -> None:
    bot = Life(session=False)
    asked = Belief(living.Kind.NEEDS_QR, session_keys=False, passkey=True)
    bot.wait(10, asked)
    assert [line["key"] for line in lines(bot.effects, EventName.WHATSAPP_PAIRING_CODE)] == ["passkey"]


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


def test_a_vanished_signal_is_told_once_when_it_has_settled() -> None:
    bot = paired()
    gone = Belief(living.Kind.CONNECTED, session_keys=True, missing=("WAWebConnModel",))
    assert told(bot.see(gone)) == []
    bot.wait(60, gone)
    assert [line["missing"] for line in lines(bot.effects, EventName.SIGNAL_MISSING)] == [["WAWebConnModel"]]


# --- a lost session --------------------------------------------------------------------------------------


def test_a_moment_of_qr_is_not_believed() -> None:
    bot = paired()
    assert told(bot.wait(2, NEEDS_QR, every=0.5) + bot.see(CONNECTED)) == []


def test_the_ladder_of_restores_comes_before_any_qr() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.RESTORED, 3), s.Restored(s.Restore.RESTORED, 2)]
    bot.wait(60, NEEDS_QR)
    tried = lines(bot.effects, EventName.SESSION_RESTORE)
    assert [(line["kind"], line.get("generation")) for line in tried] == [
        ("mirror", None), ("generation", 3), ("generation", 2),
    ]  # fmt: skip
    (lost,) = lines(bot.effects, DISCONNECT)
    assert (lost["reason"], lost["session"], lost["sessionWasAvailable"]) == ("SESSION_LOST", "present", True)
    names = told(bot.effects)
    assert names.index("SESSION_LOST") > max(i for i, name in enumerate(names) if name == "SESSION_RESTORE")
    assert names.index("WHATSAPP_QR") > names.index("SESSION_LOST")
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["session_lost"]
    assert counted(bot.effects, s.Tally.RESTORES) == ["failed", "failed", "failed", "none"]
    assert kinds(bot.effects).count("SetAside") == 1


def test_a_restored_generation_that_works() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.RESTORED, 3)]
    bot.wait(10, NEEDS_QR)
    back = bot.see(CONNECTED)
    assert counted(back, s.Tally.RESTORES) == ["ready"]
    assert counted(back, s.Tally.RECONNECTS) == ["relaunch"]
    assert "WHATSAPP_QR" not in told(bot.effects)


def test_the_pages_storage_failed_generation_first() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.RESTORED, 1)]
    after = bot.see(STORAGE)
    assert [line["key"] for line in lines(after, EventName.STORAGE_WARNING)] == ["page_storage_failed"]
    assert kinds(after) == ["MarkInDoubt", "CloseBrowser", "RestoreGeneration", "Launch", "Navigate"]


def test_a_failed_sync_is_restored_before_a_qr() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.RESTORED, 1)]
    after = bot.see(SYNC)
    assert [line["kind"] for line in lines(after, EventName.SESSION_RESTORE)] == ["generation"]
    assert "WHATSAPP_QR" not in told(after)


def test_a_refused_login_after_a_restore_is_a_logout_after_all() -> None:
    bot = paired()
    bot.wait(6, NEEDS_QR)
    assert entered(bot.see(UNLINKED)) == [State.LOGGED_OUT]


def test_a_volume_that_refuses_stops_the_bot_and_says_how_to_mend_it() -> None:
    bot = paired()
    bot.see(UNLINKED)
    after = bot.tell(s.StorageFailed("no space", "the disk is full", "df -h"))
    assert bot.state is State.FAILED
    assert lines(after, EventName.STORAGE_WARNING)[0]["fix"] == "df -h"
    assert kinds(bot.wait(3600)) == []


# --- a person is needed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("belief", "state"), PERSON)
def test_what_needs_a_person_keeps_the_session_and_never_retries(belief: Belief, state: State) -> None:
    bot = paired()
    after = bot.see(belief)
    assert bot.state is state
    assert state.permanent
    assert told(after) == ["WHATSAPP_DISCONNECT", f"WHATSAPP_{state}"]
    assert lines(after)[0]["reason"] == DisconnectReason(state.value)
    assert bot.heart.owns_session
    assert kinds(bot.wait(24 * 3600, belief, every=60)) == []
    assert bot.heart.wake_at is None


@pytest.mark.parametrize(("belief", "state"), PERSON)
def test_banned_or_blocked_while_the_bot_was_down(belief: Belief, state: State) -> None:
    bot = Life()
    bot.see(belief)
    assert bot.state is state
    assert bot.heart.owns_session


@pytest.mark.parametrize(("belief", "state"), PERSON)
def test_the_page_itself_ends_what_needed_a_person(belief: Belief, state: State) -> None:
    bot = paired()
    bot.see(belief)
    assert entered(bot.see(CONNECTED)) == [State.READY]


@pytest.mark.parametrize(("belief", "state"), [*PERSON, (CONFLICT, State.CONFLICT)])
@pytest.mark.parametrize("event", [s.PageCrashed(), s.BrowserGone()])
def test_a_browser_that_dies_where_a_person_is_needed_is_not_relaunched(
    belief: Belief, state: State, event: s.Event
) -> None:
    bot = paired()
    bot.see(belief)
    assert kinds(bot.tell(event)) == ["CloseBrowser"]
    assert kinds(bot.wait(3600)) == []
    assert bot.state is state
    bot.tell(s.ReloadRequested())
    assert bot.state is State.STARTING


def test_conflict_stops_at_once_without_takeover() -> None:
    bot = paired()
    bot.see(CONFLICT)
    assert bot.state is State.CONFLICT
    assert "Takeover" not in kinds(bot.effects)


def test_conflict_takes_over_once_and_then_stops() -> None:
    bot = Life(reconnect={"takeover": True}).ready()
    first = bot.see(CONFLICT)
    assert kinds(first) == ["Takeover"]
    assert told(first) == ["WHATSAPP_DISCONNECT", "WHATSAPP_CONFLICT"]
    assert bot.state is State.RECONNECTING
    bot.see(CONNECTED)
    bot.wait(24 * 3600, CONNECTED, every=600)
    bot.see(CONFLICT)
    assert bot.state is State.CONFLICT
    assert kinds(bot.effects).count("Takeover") == 1


def test_a_takeover_that_brings_nothing_stops() -> None:
    bot = Life(reconnect={"takeover": True}).ready()
    bot.wait(15, CONFLICT)
    assert bot.state is State.CONFLICT
    assert kinds(bot.effects).count("Takeover") == 1
    assert len(lines(bot.effects, DISCONNECT)) == 1


# --- asked from outside ----------------------------------------------------------------------------------


def _after(bot: Life, *beliefs: Belief) -> Life:
    for belief in beliefs:
        bot.see(belief)
    return bot


def _failed() -> Life:
    bot = _after(Life(), UNLINKED)
    bot.tell(s.StorageFailed("no space"))
    return bot


STATES = {
    State.STARTING: Life,
    State.WAITING_FOR_QR_SCAN: lambda: _after(Life(session=False), NEEDS_QR),
    State.PAIRING: lambda: _after(Life(session=False), NEEDS_QR, CONNECTING),
    State.SYNCING: lambda: _after(Life(), AUTHENTICATED),
    State.READY: lambda: Life().ready(),
    State.RECONNECTING: lambda: Life(fetch=OFF),
    State.LOGGED_OUT: lambda: _after(Life(), UNLINKED),
    State.CONFLICT: lambda: _after(Life(), CONFLICT),
    State.BANNED: lambda: _after(Life(), BANNED),
    State.OUTDATED: lambda: _after(Life(), OUTDATED),
    State.PROXY_BLOCKED: lambda: _after(Life(), PROXY),
    State.FAILED: _failed,
}


@pytest.mark.parametrize("state", [state for state in State if state is not State.STOPPING])
def test_stop_in_every_state(state: State) -> None:
    bot = STATES[state]()
    assert bot.state is state
    end = bot.tell(s.StopRequested("SIGTERM"))
    todo = kinds(end)
    assert todo[-1] == "Exit"
    assert "CloseBrowser" in todo
    assert todo.count("TakeGeneration") == (state is State.READY)
    assert "SetAside" not in todo
    assert told(end) == ["SHUTDOWN"]
    assert bot.heart.wake_at is None
    assert bot.tell(s.SnapshotTaken(UNLINKED)) == bot.tell(s.StopRequested("SIGINT")) == []


@pytest.mark.parametrize("state", [state for state in State if state is not State.STOPPING])
def test_reload_in_every_state_leads_back_to_ready(state: State) -> None:
    bot = STATES[state]()
    bot.fetch = s.Navigated()
    bot.tell(s.ReloadRequested())
    bot.wait(1)
    bot.see(CONNECTED)
    assert bot.state is State.READY


def test_every_state_but_the_last_can_be_stopped() -> None:
    assert set(TRANSITIONS) == set(State)
    for state, ways in TRANSITIONS.items():
        assert (State.STOPPING in ways) == (state is not State.STOPPING)


def test_health_counts_only_where_a_page_is_meant_to_answer() -> None:
    bot = paired()
    bot.now += 50
    assert bot.heart.silent_for(bot.now) == 50
    bot.see(UNLINKED)
    assert bot.heart.silent_for(bot.now) is None


@pytest.mark.parametrize("how", list(ReconnectHow))
def test_what_brought_it_back_has_a_name(how: ReconnectHow) -> None:
    bot = Life() if how is ReconnectHow.RESTART else paired()
    if how is ReconnectHow.RELAUNCH:
        bot.tell(s.BrowserGone())
    elif how is ReconnectHow.RELOAD:
        bot.wait(25, CONNECTING)
    elif how is ReconnectHow.PAGE:
        bot.wait(10, CONNECTING)
    back = bot.see(CONNECTED)
    assert counted(back, s.Tally.RECONNECTS) == [how.value]
    assert lines(back, EventName.WHATSAPP_READY)[0]["how"] == how.value


# --- what went wrong once --------------------------------------------------------------------------------


def test_a_takeover_after_which_the_page_stays_away_is_repaired() -> None:
    bot = Life(reconnect={"takeover": True}).ready()
    bot.see(CONFLICT)
    assert "Reload" in kinds(bot.wait(60, CONNECTING))


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


def test_a_page_that_says_nothing_while_a_scan_is_waited_for_is_asked_and_then_loaded_anew() -> None:
    bot = Life(session=False, refresh=False)
    bot.see(NEEDS_QR)
    bot.tell(s.ReloadRequested())
    assert kinds(bot.wait(25, UNKNOWN)) == ["RefreshQr", "Reload"]


def test_a_damaged_generation_is_passed_over_for_an_older_one() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.DAMAGED, 3), s.Restored(s.Restore.RESTORED, 2)]
    bot.see(STORAGE)
    assert [line["generation"] for line in lines(bot.effects, EventName.SESSION_RESTORE)] == [2]
    bot.see(CONNECTED)
    assert counted(bot.effects, s.Tally.RESTORES) == ["damaged", "ready"]


def test_a_generation_that_helped_for_a_moment_only_is_followed_by_an_older_one() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.RESTORED, number) for number in (3, 3, 2)]
    bot.see(STORAGE)
    bot.see(CONNECTED)
    bot.see(STORAGE)
    assert [line["generation"] for line in lines(bot.effects, EventName.SESSION_RESTORE)] == [3, 2]


def test_copies_without_end_do_not_hold_a_person_off_for_ever() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.DAMAGED, number) for number in range(1000, 0, -1)]
    bot.see(STORAGE)
    bot.wait(10, NEEDS_QR)
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["session_lost"]


def test_a_sync_that_fails_again_after_one_restore_asks() -> None:
    bot = paired()
    bot.copies = [s.Restored(s.Restore.RESTORED, number) for number in (3, 2, 1)]
    bot.see(SYNC)
    bot.see(AUTHENTICATED)
    bot.see(SYNC)
    assert [line["generation"] for line in lines(bot.effects, EventName.SESSION_RESTORE)] == [3]
    assert lines(bot.see(NEEDS_QR), EventName.WHATSAPP_QR)[0]["cause"] == "session_lost"


def test_our_own_logout_is_told_as_such() -> None:
    bot = paired()
    bot.tell(s.LogoutRequested())
    assert lines(bot.see(UNLINKED), EventName.WHATSAPP_LOGOUT)[0]["reason"] == "own_command"


def test_our_own_logout_without_the_pages_proof_is_no_lost_session() -> None:
    bot = paired()
    bot.tell(s.LogoutRequested())
    bot.wait(6, NEEDS_QR)
    assert "SESSION_RESTORE" not in told(bot.effects)
    assert lines(bot.effects, EventName.WHATSAPP_LOGOUT)[0]["reason"] == "own_command"


@pytest.mark.parametrize("belief", [CONNECTED, CONNECTING, UNKNOWN])
def test_a_logout_nothing_came_of_keeps_the_session(belief: Belief) -> None:
    """As when the network is away: the phone still lists the device, so its files stay."""
    bot = paired()
    bot.tell(s.LogoutRequested())
    bot.wait(15, belief)
    assert lines(bot.effects, EventName.BOT_CONTROL)[-1]["key"] == "control_logout_failed"
    assert bot.heart.owns_session
    bot.see(CONNECTED)
    assert kinds(bot.tell(s.LogoutRequested())) == ["Unlink"]


def test_a_logout_the_browser_died_on_can_be_asked_for_again() -> None:
    bot = paired()
    bot.unlink = None
    bot.tell(s.LogoutRequested())
    bot.tell(s.BrowserGone())
    assert lines(bot.effects, EventName.BOT_CONTROL)[-1]["key"] == "control_logout_failed"
    bot.see(CONNECTED)
    assert kinds(bot.tell(s.LogoutRequested())) == ["Unlink"]


def test_a_reconnect_does_not_swallow_a_logout() -> None:
    bot = paired()
    bot.tell(s.LogoutRequested())
    bot.wait(5, CONNECTING)
    bot.see(CONNECTED)
    bot.wait(15, CONNECTED)
    assert kinds(bot.tell(s.LogoutRequested())) == ["Unlink"]


@pytest.mark.parametrize(("belief", "seconds"), [(DOUBTFUL, 5), (NEEDS_QR, 5), (CONFLICT, 15)])
def test_what_the_old_document_said_counts_no_more_once_it_is_being_left(
    belief: Belief, seconds: float
) -> None:
    bot = Life(obey=False, reconnect={"takeover": True})
    bot.tell(s.Launched("150", True))
    bot.tell(s.Navigated())
    bot.see(belief)
    bot.tell(s.ReloadRequested())
    state = bot.state
    assert entered(bot.wait(seconds)) == []
    assert entered(bot.see(CONNECTED) + bot.see(UNLINKED)) == []
    assert bot.state is state


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


def test_a_code_of_the_last_session_does_not_hold_the_next_ones_refresh_back() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    bot.tell(s.PairingCodeShown(180))
    bot.see(CONNECTED)
    bot.see(UNLINKED)
    bot.wait(6)
    assert "RefreshQr" in kinds(bot.wait(5, USED_UP))


def test_a_stop_does_not_say_that_a_session_is_kept_where_there_is_none() -> None:
    for session, key in ((True, "shutdown_present"), (False, "shutdown_absent")):
        (line,) = lines(Life(session=session).tell(s.StopRequested("SIGTERM")))
        assert line["key"] == key


def test_a_network_that_was_away_long_ago_makes_nobody_impatient() -> None:
    bot = Life(session=False, fetch=OFF)
    bot.fetch = s.Navigated()
    bot.wait(30)
    bot.see(NEEDS_QR)
    bot.wait(3600, NEEDS_QR, every=60)
    bot.fetch = OFF
    bot.tell(s.ReloadRequested())
    assert kinds(bot.wait(60)).count("Launch") == 0


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


def test_a_reload_that_is_asked_for_is_what_brought_it_back() -> None:
    for belief, how in ((CONNECTING, "reload"), (BANNED, "relaunch")):
        bot = paired()
        bot.wait(10, belief)
        bot.tell(s.ReloadRequested())
        assert counted(bot.see(CONNECTED), s.Tally.RECONNECTS) == [how]


def test_a_reload_that_is_asked_for_is_no_lost_connection() -> None:
    bot = paired()
    bot.see(CONNECTING)
    bot.tell(s.ReloadRequested())
    bot.wait(10, CONNECTING)
    bot.see(CONNECTED)
    assert lines(bot.effects, DISCONNECT) == []


def test_the_line_says_what_is_waited_for() -> None:
    """A bot that was restarted and then lost the network waits for the page, not for a restart."""
    bot = Life()
    bot.wait(30, CONNECTING)
    assert [(line["key"], line["how"]) for line in lines(bot.effects, RECONNECT)][:2] == [
        ("reconnect_restart", "restart"),
        ("reconnect_page", "page"),
    ]


def test_the_cause_of_a_qr_outlives_a_restart_before_the_first_code() -> None:
    """Killed between the loss of a session and its QR: still the one that nobody's phone caused."""
    bot = Life(session=False, next_cause=QrCause.SESSION_LOST)
    assert lines(bot.see(NEEDS_QR), EventName.WHATSAPP_QR)[0]["cause"] == "session_lost"


def test_a_session_that_could_not_be_set_aside_is_set_aside_before_the_next_browser() -> None:
    bot = paired()
    bot.refuse = True
    bot.see(UNLINKED)
    assert bot.state is State.FAILED
    bot.refuse = False
    assert kinds(bot.tell(s.ReloadRequested())) == ["CloseBrowser", "SetAside", "Launch", "Navigate"]


def test_a_slow_page_after_a_relaunch_is_no_lost_connection() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    bot.see(AUTHENTICATED)
    assert kinds(bot.wait(181, AUTHENTICATED, every=7)) == ["Reload"]
    bot.wait(10, CONNECTING)
    assert lines(bot.effects, DISCONNECT) == []


def test_a_restore_that_ended_in_a_logout_failed() -> None:
    bot = paired()
    bot.wait(6, NEEDS_QR)
    bot.see(UNLINKED)
    assert counted(bot.effects, s.Tally.RESTORES) == ["failed"]


def test_an_unreachable_site_says_what_the_bot_does_about_it() -> None:
    bot = Life(session=False, fetch=OFF)
    assert [(line["key"], line["how"]) for line in lines(bot.effects, RECONNECT)] == [
        ("reconnect_retry", "reload")
    ]
