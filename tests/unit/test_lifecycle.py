"""Each situation of a session's life, by name, on the pure machine: no browser, no clock."""

from __future__ import annotations

import pytest

from bot import stimuli as s
from bot.contract import DisconnectReason, EventName, ReconnectHow, State
from bot.lifecycle import TRANSITIONS
from bot.signals import Belief
from tests.living import (
    AUTHENTICATED,
    BANNED,
    CONFLICT,
    CONNECTED,
    CONNECTING,
    DISCONNECT,
    DOUBTFUL,
    KEYLESS,
    NEEDS_QR,
    OFF,
    OUTDATED,
    PERSON,
    PROXY,
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


def test_an_unreachable_site_says_what_the_bot_does_about_it() -> None:
    bot = Life(session=False, fetch=OFF)
    assert [(line["key"], line["how"]) for line in lines(bot.effects, RECONNECT)] == [
        ("reconnect_retry", "reload")
    ]


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


def test_a_takeover_after_which_the_page_stays_away_is_repaired() -> None:
    bot = Life(reconnect={"takeover": True}).ready()
    bot.see(CONFLICT)
    assert "Reload" in kinds(bot.wait(60, CONNECTING))


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


def test_a_stop_does_not_say_that_a_session_is_kept_where_there_is_none() -> None:
    for session, key in ((True, "shutdown_present"), (False, "shutdown_absent")):
        (line,) = lines(Life(session=session).tell(s.StopRequested("SIGTERM")))
        assert line["key"] == key


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
