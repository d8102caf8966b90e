"""PURE: what the browser, the page's modules and the DOM show -> what we believe, and on what evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


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
    modules_ready: bool = False
    dom: frozenset[DomSign] = frozenset()
    missing: tuple[str, ...] = ()
