"""How a session is copied, lost, restored and ended, on the pure machine."""

from __future__ import annotations

import pytest

from bot import stimuli as s
from bot.contract import BotExit, EventName, QrCause, State
from bot.signals import Belief
from tests.living import (
    AUTHENTICATED,
    CONNECTED,
    CONNECTING,
    DISCONNECT,
    NEEDS_QR,
    STORAGE,
    SYNC,
    UNKNOWN,
    UNLINKED,
    Life,
    counted,
    entered,
    kinds,
    lines,
    paired,
    qr,
    told,
)

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
    out = bot.see(UNLINKED)
    assert entered(out) == [State.LOGGED_OUT]
    assert kinds(out) == ["CloseBrowser", "Erase"]
    bot.wait(6)
    assert lines(bot.see(NEEDS_QR), EventName.WHATSAPP_QR)[0]["cause"] == "logout"


@pytest.mark.parametrize("unlink", [False, None])
def test_a_logout_the_page_refuses_keeps_the_session(unlink: bool | None) -> None:
    bot = paired()
    bot.unlink = unlink
    bot.tell(s.LogoutRequested())
    if unlink is None:
        bot.tell(s.Unlinked(ok=False))
    assert lines(bot.effects, EventName.BOT_CONTROL)[-1]["key"] == "control_logout_failed"
    assert kinds(bot.effects)[-2:] == ["Unlink", "KeepSession"]
    bot.wait(60, CONNECTED)
    assert bot.state is State.READY
    assert kinds(bot.tell(s.LogoutRequested()))[0] == "Unlink"


def test_a_logout_is_not_for_a_bot_without_a_session() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    assert not bot.heart.can_log_out
    assert bot.tell(s.LogoutRequested()) == []


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


def test_a_logout_nothing_came_of_keeps_the_session() -> None:
    """The phone still lists the device, so its files stay."""
    bot = paired()
    bot.tell(s.LogoutRequested())
    assert kinds(bot.wait(15, CONNECTED)) == ["KeepSession"]
    assert lines(bot.effects, EventName.BOT_CONTROL)[-1]["key"] == "control_logout_failed"
    assert bot.heart.owns_session
    assert kinds(bot.tell(s.LogoutRequested())) == ["Unlink"]


def interrupted(how: str) -> Life:
    """READY again after a logout that was cut short before anybody saw what came of it."""
    if how == "restart":
        return Life(unlinking=True)
    bot = paired()
    bot.unlink = None
    bot.tell(s.LogoutRequested())
    bot.unlink = True
    match how:
        case "browser":
            bot.tell(s.BrowserGone())
        case "network":
            bot.wait(60, CONNECTING)
        case "silence":
            bot.wait(60, UNKNOWN)
    return bot


INTERRUPTIONS = ["browser", "network", "silence", "restart"]


@pytest.mark.parametrize("how", INTERRUPTIONS)
def test_a_logout_that_was_cut_short_is_taken_up_again(how: str) -> None:
    bot = interrupted(how)
    assert bot.heart.owns_session
    assert kinds(bot.see(CONNECTED)) == ["MarkReady", "Unlink"]
    assert kinds(bot.see(UNLINKED)) == ["CloseBrowser", "Erase"]
    assert lines(bot.effects, EventName.WHATSAPP_LOGOUT)[0]["reason"] == "own_command"


@pytest.mark.parametrize("how", INTERRUPTIONS)
@pytest.mark.parametrize("belief", [UNLINKED, NEEDS_QR, STORAGE, SYNC])
def test_a_logout_that_the_server_heard_is_finished_whatever_cut_it_short(how: str, belief: Belief) -> None:
    bot = interrupted(how)
    bot.copies = [s.Restored(s.Restore.RESTORED, 1)]
    bot.wait(10, belief)
    assert "Erase" in kinds(bot.effects)
    assert "SESSION_RESTORE" not in told(bot.effects)
    assert "SESSION_LOST" not in told(bot.effects)


def test_a_wanted_logout_waits_while_the_connection_is_away() -> None:
    bot = paired()
    bot.tell(s.LogoutRequested())
    assert kinds(bot.wait(15, CONNECTING)) == []
    assert kinds(bot.see(CONNECTED)) == ["MarkReady", "Unlink"]


def test_an_erasure_that_the_volume_refused_is_done_before_the_next_browser() -> None:
    bot = paired()
    bot.tell(s.LogoutRequested())
    bot.refuse = True
    bot.see(UNLINKED)
    assert bot.state is State.FAILED
    bot.refuse = False
    assert kinds(bot.tell(s.ReloadRequested())) == ["CloseBrowser", "Erase", "Launch", "Navigate"]


def test_a_session_that_could_not_be_set_aside_is_set_aside_before_the_next_browser() -> None:
    bot = paired()
    bot.refuse = True
    bot.see(UNLINKED)
    assert bot.state is State.FAILED
    bot.refuse = False
    assert kinds(bot.tell(s.ReloadRequested())) == ["CloseBrowser", "SetAside", "Launch", "Navigate"]


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


def test_no_code_is_shown_while_what_is_paired_could_not_be_kept() -> None:
    bot = Life(session=False)
    bot.see(qr(1))
    bot.launch = s.LaunchFailed(False, BotExit.SESSION_UNUSABLE, "no room")
    after = bot.tell(s.StorageUnsafe())
    assert s.ShowQr(None) in after
    assert counted(after, s.Tally.BROWSER_RESTARTS) == ["storage"]
    assert bot.state is State.STARTING
    bot.launch = s.Launched("150", False)
    bot.wait(120)
    (again,) = lines(bot.see(qr(2)), EventName.WHATSAPP_QR)
    assert (again["cause"], again["number"]) == ("first_pairing", 2)
    assert counted(bot.effects, s.Tally.QR_REQUESTS) == ["first_pairing"]


def test_a_session_is_not_disturbed_by_a_volume_that_fills_up() -> None:
    bot = paired()
    assert kinds(bot.tell(s.StorageUnsafe())) == []


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


def test_a_restore_that_ended_in_a_logout_failed() -> None:
    bot = paired()
    bot.wait(6, NEEDS_QR)
    bot.see(UNLINKED)
    assert counted(bot.effects, s.Tally.RESTORES) == ["failed"]


def test_the_cause_of_a_qr_outlives_a_restart_before_the_first_code() -> None:
    """Killed between the loss of a session and its QR: still the one that nobody's phone caused."""
    bot = Life(session=False, next_cause=QrCause.SESSION_LOST)
    assert lines(bot.see(NEEDS_QR), EventName.WHATSAPP_QR)[0]["cause"] == "session_lost"
