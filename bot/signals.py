"""PURE: what the browser, the page's modules and the DOM show -> what we believe, and on what evidence.

The meaning of the signals is that of WhatsApp's own modules: `Socket.state`, `Socket.hasSynced`, `Stream.mode`, the
localStorage pair that is the page's own test of "registered", and the address `/?post_logout=1&logout_reason=N` that it
goes to after a logout (N: 0 its own storage failed, 1 sync failed, 2 first sync timed out, 3 account locked; none:
unlinked on the phone).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit


class DomSign(StrEnum):
    """What the selectors table in page/ can find on screen."""

    QR = "qr"
    CHAT_LIST = "chat_list"
    USE_HERE = "use_here"
    QR_RELOAD = "qr_reload"
    OFFLINE_BANNER = "offline_banner"
    UPDATE_BROWSER = "update_browser"
    BANNED = "banned"
    PASSKEY = "passkey"
    SPLASH = "splash"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at the page. Every field but `url` may be unknown (None): a signal that is away breaks nothing.

    `session_keys`: `last-wid-md` and `WANoiseInfo` both stand in localStorage (WhatsApp's own test of "registered").
    `socket_state`: `Socket.state` as the page names it. `missing`: names of modules the probe could not read.
    `incomplete`: a script of the page could not be fetched, and was not fetched again since.
    `phone_seen`: Unix time of the newest message that was written on the phone.
    `qr_text` and `wid` are secrets of the session: they are never put in an event or a log unmasked.
    """

    url: str
    session_keys: bool | None = None
    socket_state: str | None = None
    has_synced: bool | None = None
    stream_mode: str | None = None
    online: bool | None = None
    qr_text: str | None = field(default=None, repr=False)
    qr_source: str | None = None
    pairing_code: str | None = field(default=None, repr=False)
    wid: str | None = field(default=None, repr=False)
    page_version: str | None = None
    phone_seen: float | None = None
    modules_ready: bool = False
    incomplete: bool = False
    dom: frozenset[DomSign] = frozenset()
    missing: tuple[str, ...] = ()


class Kind(StrEnum):
    """What we believe the page to be."""

    UNKNOWN = "unknown"  # nothing said yet: it is still loading
    CONNECTING = "connecting"  # the network's affair, or the page has just begun
    NEEDS_QR = "needs_qr"
    AUTHENTICATED = "authenticated"  # registered, the first sync is not done
    CONNECTED = "connected"
    UNLINKED = "unlinked"  # a proof that the device was unlinked on purpose
    CLIENT_LOGOUT = "client_logout"  # the page logged itself out: its storage or its sync failed
    CONFLICT = "conflict"
    BANNED = "banned"
    OUTDATED = "outdated"
    PROXY_BLOCKED = "proxy_blocked"


class LogoutReason(StrEnum):
    PHONE = "phone"
    STORAGE = "storage_failed"
    SYNC = "sync_failed"
    SYNC_TIMEOUT = "sync_timeout"
    LOCKED = "account_locked"
    OTHER = "other"


_LOGOUT_REASONS = {
    0: LogoutReason.STORAGE,
    1: LogoutReason.SYNC,
    2: LogoutReason.SYNC_TIMEOUT,
    3: LogoutReason.LOCKED,
}

_STOPPERS = {
    "CONFLICT": Kind.CONFLICT,
    "TOS_BLOCK": Kind.BANNED,
    "SMB_TOS_BLOCK": Kind.BANNED,
    "DEPRECATED_VERSION": Kind.OUTDATED,
    "PROXYBLOCK": Kind.PROXY_BLOCKED,
}
_UNPAIRED = frozenset({"UNPAIRED", "UNPAIRED_IDLE"})
_NETWORK = frozenset({"OPENING", "PAIRING", "TIMEOUT"})
_KNOWN_STATES = frozenset(_STOPPERS) | _UNPAIRED | _NETWORK | {"CONNECTED", "UNLAUNCHED"}


@dataclass(frozen=True, slots=True)
class Belief:
    """What one look says. `certain`: two signals agree, or the one that speaks is conclusive by itself.

    `evidence` holds short `name=value` lines without secrets, for events and the status.
    """

    kind: Kind
    certain: bool = True
    evidence: tuple[str, ...] = ()
    session_keys: bool | None = None
    offline: bool = False
    incomplete: bool = False
    refs_used_up: bool = False
    passkey: bool = False
    logout_reason: LogoutReason | None = None
    qr_text: str | None = field(default=None, repr=False)
    wid: str | None = field(default=None, repr=False)
    missing: tuple[str, ...] = ()


def logout_in(url: str) -> LogoutReason | None:
    """The reason of the logout the address tells of; None when it tells of none. An unheard-of number is OTHER."""
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    if "1" not in query.get("post_logout", ()):
        return None
    number = _logout_number(query)
    return LogoutReason.PHONE if number is None else _LOGOUT_REASONS.get(number, LogoutReason.OTHER)


def _logout_number(query: Mapping[str, Sequence[str]]) -> int | None:
    text = query.get("logout_reason", [""])[-1].strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


def believe(shot: Snapshot) -> Belief:
    """One look -> one belief. No single internal name of the page decides alone; what is unknown is left out."""
    state = shot.socket_state if shot.socket_state in _KNOWN_STATES else None
    kind, certain = _judge(shot, state)
    return Belief(
        kind,
        certain,
        evidence=evidence_of(shot),
        session_keys=shot.session_keys,
        offline=shot.online is False or DomSign.OFFLINE_BANNER in shot.dom,
        incomplete=shot.incomplete,
        refs_used_up=state == "UNPAIRED_IDLE" or (DomSign.QR_RELOAD in shot.dom and state != "UNPAIRED"),
        passkey=DomSign.PASSKEY in shot.dom,
        logout_reason=logout_in(shot.url),
        qr_text=shot.qr_text if kind in (Kind.NEEDS_QR, Kind.UNLINKED, Kind.CLIENT_LOGOUT) else None,
        wid=shot.wid,
        missing=shot.missing,
    )


def evidence_of(shot: Snapshot) -> tuple[str, ...]:
    """The signals that spoke, as `name=value`; addresses cut down to what tells of a logout."""
    logout = logout_in(shot.url)
    spoken: list[tuple[str, object]] = [
        ("post_logout", logout),
        ("logout_reason", _logout_number(parse_qs(urlsplit(shot.url).query)) if logout else None),
        ("socket", shot.socket_state),
        ("synced", shot.has_synced),
        ("stream", shot.stream_mode),
        ("online", shot.online),
        ("session_keys", shot.session_keys),
        ("screen", ",".join(sorted(shot.dom)) or None),
        ("qr", True if shot.qr_text else None),
        ("incomplete", shot.incomplete or None),
    ]
    return tuple(f"{name}={str(value)[:80]}" for name, value in spoken if value is not None)


def _judge(shot: Snapshot, state: str | None) -> tuple[Kind, bool]:  # noqa: PLR0911  one return a verdict
    if state in _STOPPERS:  # the socket speaks of now, the address of before: files are kept
        return _STOPPERS[state], True
    logout = logout_in(shot.url)
    if logout is not None and _is_out(shot, state):
        if logout is LogoutReason.LOCKED:
            return Kind.BANNED, True
        return (Kind.UNLINKED if logout is LogoutReason.PHONE else Kind.CLIENT_LOGOUT), True
    if (state is None or state in _UNPAIRED) and (kind := _stopper_on_screen(shot)):
        return kind, True
    connected = _connected_votes(shot, state)
    if state == "CONNECTED" or (state is None and connected):
        return _judge_connected(shot, state, connected)
    if state in _UNPAIRED or state is None or (state == "PAIRING" and not shot.session_keys):
        votes = _unpaired_votes(shot, state)
        if votes:
            return Kind.NEEDS_QR, votes >= 2 or shot.session_keys is False
    if state in _NETWORK or shot.online is False or DomSign.OFFLINE_BANNER in shot.dom:
        return Kind.CONNECTING, True
    return Kind.UNKNOWN, False


def _is_out(shot: Snapshot, state: str | None) -> bool:
    """The address alone proves nothing: a second signal must say that nobody is registered here any more."""
    if state == "CONNECTED" or shot.session_keys:
        return False
    return bool(shot.session_keys is False or state in _UNPAIRED or shot.qr_text or DomSign.QR in shot.dom)


def _stopper_on_screen(shot: Snapshot) -> Kind | None:
    if shot.qr_text or DomSign.QR in shot.dom:
        return None
    if DomSign.BANNED in shot.dom:
        return Kind.BANNED
    if DomSign.UPDATE_BROWSER in shot.dom:
        return Kind.OUTDATED
    if DomSign.USE_HERE in shot.dom:
        return Kind.CONFLICT
    return None


def _connected_votes(shot: Snapshot, state: str | None) -> int:
    """How many independent signals say that the chats are here."""
    socket = state == "CONNECTED" and shot.has_synced is True
    screen = DomSign.CHAT_LIST in shot.dom
    if state is None and (shot.online is False or DomSign.OFFLINE_BANNER in shot.dom):
        screen = False  # without the socket's word the banner is the one that knows
    stream = state == "CONNECTED" and shot.stream_mode == "MAIN" and shot.has_synced is None
    return socket + screen + stream


def _judge_connected(shot: Snapshot, state: str | None, votes: int) -> tuple[Kind, bool]:
    if votes:
        return Kind.CONNECTED, votes >= 2 or shot.session_keys is True
    # Without `hasSynced` there is no telling a first sync from the end of one: the lifecycle gives it time.
    return (Kind.AUTHENTICATED, True) if shot.has_synced is False else (Kind.CONNECTED, False)


def _unpaired_votes(shot: Snapshot, state: str | None) -> int:
    screen = bool({DomSign.QR, DomSign.QR_RELOAD} & shot.dom)
    return (state in _UNPAIRED) + screen + bool(shot.qr_text) + (shot.stream_mode == "QR")
