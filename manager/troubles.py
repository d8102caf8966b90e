"""PURE: why a bot is not well, out of what it said last, and of the code its container ended with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.contract import BotExit, EventName, Level

Json = Mapping[str, Any]

_WELL = (EventName.WHATSAPP_READY, EventName.WHATSAPP_QR)
_SESSION = {"present": True, "absent": False}

# Codes as shells and engines give them: 128 and the number of the signal.
_EXITS = {
    0: "0",
    BotExit.FAILED: "failed",
    BotExit.BAD_SETTINGS: "settings",
    BotExit.SESSION_UNUSABLE: "session_unusable",
    BotExit.SESSION_IN_USE: "session_in_use",
    BotExit.BROWSER_UNUSABLE: "browser_unusable",
    BotExit.PORT_IN_USE: "port_in_use",
    137: "killed",
    143: "terminated",
}
# Words of Chromium's net/base/net_error_list.h.
_CAUSES = {
    "no_dns": ("ERR_NAME_NOT_RESOLVED", "ERR_NAME_RESOLUTION_FAILED", "ERR_DNS_"),
    "proxy_away": ("ERR_TUNNEL_CONNECTION_FAILED", "ERR_PROXY_", "ERR_SOCKS_CONNECTION_"),
    "no_trust": ("ERR_CERT_", "ERR_SSL_"),
    "no_network": ("ERR_INTERNET_DISCONNECTED", "ERR_ADDRESS_UNREACHABLE", "ERR_NETWORK_"),
}


@dataclass(frozen=True, slots=True)
class LastWords:
    """`message`: the newest failure a bot told of since it reached WhatsApp last, with what mends it in `fix`;
    `starts`: how often it was started since then. `session`: whether it had one, as far as it said.
    """

    message: str | None = None
    fix: str | None = None
    starts: int = 0
    session: bool | None = None


def of_log(lines: Iterable[str]) -> LastWords:
    """A container's log, oldest first; what is no event of ours is passed over."""
    return of_events(_event(line) for line in lines)


def of_events(events: Iterable[object]) -> LastWords:
    words = LastWords()
    for event in events:
        if not isinstance(event, Mapping):
            continue
        name = event.get("event")
        if name in _WELL:
            words = LastWords(session=words.session)
        elif name == EventName.STARTUP:
            words = replace(words, starts=words.starts + 1)
        if event.get("level") == Level.ERROR:
            words = replace(words, message=_text(event.get("message")), fix=_text(event.get("fix")))
        session = _SESSION.get(str(event.get("session")))
        if name == EventName.WHATSAPP_READY:
            session = True
        if session is not None:
            words = replace(words, session=session)
    return words


def state_and_why(answer: Json) -> str:
    """`STARTING: there is no room on the disk …`: a bot's state, and what went wrong since it reached WhatsApp last."""
    events = answer.get("last_events")
    why = of_events(events).message if isinstance(events, list) else None
    return ": ".join(filter(None, (str(answer.get("state")), why)))


def outage(answer: Json) -> str | None:
    """`CONNECTION_ERROR: net::ERR_NAME_NOT_RESOLVED`: why a bot that answers is not connected, as it says itself."""
    found = answer.get("reconnect")
    if not isinstance(found, Mapping):
        return None
    parts = [_text(found.get("reason")), _text(found.get("detail"))]
    return ": ".join(part for part in parts if part) or None


def cause(reason: str | None) -> str | None:
    """What outside the bot is to be looked at, as the key of an advice; None: nobody knows."""
    words = (reason or "").upper()
    return next((key for key, known in _CAUSES.items() if any(each in words for each in known)), None)


def exit_key(code: int | None) -> str | None:
    """`status.exit_<key>` of the catalogue; None of a code that says nothing."""
    return None if code is None else _EXITS.get(code)


def _event(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
