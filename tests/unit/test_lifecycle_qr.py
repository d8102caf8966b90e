"""The QR, from its first code to its last refresh, on the pure machine."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bot import stimuli as s
from bot.contract import EventName, QrCause
from bot.signals import Belief
from tests import living
from tests.living import (
    CONNECTED,
    KEYLESS,
    NEEDS_QR,
    UNKNOWN,
    UNLINKED,
    UNREADABLE,
    USED_UP,
    Life,
    counted,
    kinds,
    lines,
    qr,
    told,
)


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


def test_a_page_that_says_nothing_while_a_scan_is_waited_for_is_asked_and_then_loaded_anew() -> None:
    bot = Life(session=False, refresh=False)
    bot.see(NEEDS_QR)
    bot.tell(s.ReloadRequested())
    assert kinds(bot.wait(25, UNKNOWN)) == ["RefreshQr", "Reload"]


def test_a_code_of_the_last_session_does_not_hold_the_next_ones_refresh_back() -> None:
    bot = Life(session=False)
    bot.see(NEEDS_QR)
    bot.tell(s.PairingCodeShown(180))
    bot.see(CONNECTED)
    bot.see(UNLINKED)
    bot.wait(6)
    assert "RefreshQr" in kinds(bot.wait(5, USED_UP))
