"""Why a bot is not well, out of what it said last."""

from __future__ import annotations

import json

import pytest

from bot.contract import BotExit
from manager import troubles
from manager.text import catalogue
from manager.troubles import LastWords

BROKEN = {"event": "BOT_INIT", "level": "error", "message": "no browser", "fix": "mend it"}
START = {"event": "STARTUP", "level": "info"}
READY = {"event": "WHATSAPP_READY", "level": "success"}


def said(*events: dict[str, object]) -> LastWords:
    return troubles.of_log([json.dumps(each) for each in events])


def test_the_newest_failure_since_it_reached_whatsapp() -> None:
    older = BROKEN | {"message": "older"}
    assert said(READY, START, older, START, BROKEN, START) == LastWords("no browser", "mend it", 3, True)
    assert said(START, BROKEN, START, READY) == LastWords(session=True)
    assert said(BROKEN, {"event": "WHATSAPP_QR", "level": "info"}).message is None


def test_whether_it_had_a_session() -> None:
    assert said({"event": "SHUTDOWN", "session": "present"}).session is True
    assert said(READY, {"event": "WHATSAPP_LOGOUT", "session": "absent"}).session is False
    assert said(START).session is None


def test_a_state_and_what_is_behind_it() -> None:
    refused = {"event": "BOT_INIT", "level": "error", "message": "no room"}
    code = {"event": "WHATSAPP_QR", "level": "info", "message": "a code"}
    said = {"state": "STARTING", "last_events": [code, refused]}
    assert troubles.state_and_why(said) == "STARTING: no room"
    assert troubles.state_and_why(said | {"last_events": [refused, code]}) == "STARTING"
    assert troubles.state_and_why({"state": "STARTING"}) == "STARTING"


def test_what_is_no_event_is_passed_over() -> None:
    assert (
        troubles.of_log(["", "no json", "[]", '"x"', '{"event": [], "level": {}, "session": {}}'])
        == LastWords()
    )


@pytest.mark.parametrize(
    ("code", "key"),
    [
        ("net::ERR_NAME_NOT_RESOLVED", "no_dns"),
        ("net::ERR_TUNNEL_CONNECTION_FAILED", "proxy_away"),
        ("net::ERR_PROXY_CONNECTION_FAILED", "proxy_away"),
        ("net::ERR_INTERNET_DISCONNECTED", "no_network"),
        ("net::ERR_CERT_AUTHORITY_INVALID", "no_trust"),
        ("net::ERR_SSL_PROTOCOL_ERROR", "no_trust"),
        ("net::ERR_CONNECTION_RESET", None),
    ],
)
def test_what_outside_the_bot_is_to_be_looked_at(code: str, key: str | None) -> None:
    reason = troubles.outage({"reconnect": {"reason": "CONNECTION_ERROR", "detail": code}})
    assert reason == f"CONNECTION_ERROR: {code}"
    assert troubles.cause(reason) == key


@pytest.mark.parametrize("answer", [{}, {"reconnect": None}, {"reconnect": {"reason": None, "detail": 7}}])
def test_an_answer_that_tells_no_reason(answer: dict[str, object]) -> None:
    assert troubles.outage(answer) is None
    assert troubles.cause(None) is None


@pytest.mark.parametrize("language", ["en", "tr"])
@pytest.mark.parametrize("code", [0, 137, 143, 1, 2, *(each for each in BotExit if each >= 10)])
def test_every_code_a_bot_ends_with_has_its_words(language: str, code: int) -> None:
    key = troubles.exit_key(code)
    assert catalogue(language)(f"status.exit_{key}")
    assert troubles.exit_key(99) is None
