"""What a bot and its manager agree on: settings, states, names, paths and exit codes.

Everything here is a promise to other programs: the manager, dashboards, people's scripts. Nothing here does
any I/O. The only third-party import is pydantic.
"""

from __future__ import annotations

import json
import re
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from bot.names import CONTAINER_SOCKET as CONTAINER_SOCKET  # noqa: PLC0414  ours to the outside
from bot.names import SETTINGS_VARIABLE as SETTINGS_VARIABLE  # noqa: PLC0414  ours to the outside
from bot.names import BotExit as BotExit  # noqa: PLC0414  ours to the outside

CLIENT_ID_PATTERN = r"^[A-Za-z0-9_-]{1,63}$"
LOCALE_PATTERN = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"
WHATSAPP_URL = "https://web.whatsapp.com/"

SESSION_MOUNT = "/session"
CONTAINER_HTTP_PORT = 9464
BOT_UID = 10001
STOP_GRACE_SECONDS = 20

LABEL_PREFIX = "io.oturum."
LABEL_PROJECT = LABEL_PREFIX + "project"
LABEL_CLIENT_ID = LABEL_PREFIX + "client-id"
LABEL_SPEC_HASH = LABEL_PREFIX + "spec-hash"
LABEL_IMAGE_ID = LABEL_PREFIX + "image-id"
LABEL_VERSION = LABEL_PREFIX + "version"
LABEL_SPEC = LABEL_PREFIX + "spec"
LABEL_TOOL = LABEL_PREFIX + "tool"


class UserAction(StrEnum):
    """What a person has to do before the bot can go on."""

    NONE = "none"
    WAIT = "wait"
    SCAN_QR = "scan_qr"
    LOOK_AT_PHONE = "look_at_phone"
    FIX_SETTINGS = "fix_settings"


class State(Enum):
    """Where a bot stands. `permanent`: it is never left by retrying, only by a person or by the page itself."""

    STARTING = ("STARTING", False, UserAction.WAIT)
    WAITING_FOR_QR_SCAN = ("WAITING_FOR_QR_SCAN", False, UserAction.SCAN_QR)
    PAIRING = ("PAIRING", False, UserAction.WAIT)
    SYNCING = ("SYNCING", False, UserAction.WAIT)
    READY = ("READY", False, UserAction.NONE)
    RECONNECTING = ("RECONNECTING", False, UserAction.WAIT)
    LOGGED_OUT = ("LOGGED_OUT", False, UserAction.WAIT)
    CONFLICT = ("CONFLICT", True, UserAction.LOOK_AT_PHONE)
    BANNED = ("BANNED", True, UserAction.LOOK_AT_PHONE)
    OUTDATED = ("OUTDATED", True, UserAction.FIX_SETTINGS)
    PROXY_BLOCKED = ("PROXY_BLOCKED", True, UserAction.FIX_SETTINGS)
    FAILED = ("FAILED", True, UserAction.FIX_SETTINGS)
    STOPPING = ("STOPPING", False, UserAction.NONE)

    permanent: bool
    user_action: UserAction

    def __new__(cls, name: str, permanent: bool, user_action: UserAction) -> State:
        member = object.__new__(cls)
        member._value_ = name
        member.permanent = permanent
        member.user_action = user_action
        return member

    def __str__(self) -> str:
        return str(self.value)


class Level(StrEnum):
    SUCCESS = "success"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class EventName(StrEnum):
    """Every name that can stand in the `event` field of the event log."""

    STARTUP = "STARTUP"
    SHUTDOWN = "SHUTDOWN"
    SESSION_CREATE = "SESSION_CREATE"
    BOT_SESSION = "BOT_SESSION"
    BOT_INIT = "BOT_INIT"
    BOT_STATE = "BOT_STATE"
    BOT_RECONNECT = "BOT_RECONNECT"
    BOT_CONTROL = "BOT_CONTROL"
    BROWSER_START = "BROWSER_START"
    BROWSER_LOST = "BROWSER_LOST"
    PAGE_CRASHED = "PAGE_CRASHED"
    PAGE_HUNG = "PAGE_HUNG"
    SIGNAL_MISSING = "SIGNAL_MISSING"
    WHATSAPP_QR = "WHATSAPP_QR"
    WHATSAPP_PAIRING_CODE = "WHATSAPP_PAIRING_CODE"
    WHATSAPP_PAIRED = "WHATSAPP_PAIRED"
    WHATSAPP_READY = "WHATSAPP_READY"
    WHATSAPP_DISCONNECT = "WHATSAPP_DISCONNECT"
    WHATSAPP_LOGOUT = "WHATSAPP_LOGOUT"
    WHATSAPP_CONFLICT = "WHATSAPP_CONFLICT"
    WHATSAPP_BANNED = "WHATSAPP_BANNED"
    WHATSAPP_OUTDATED = "WHATSAPP_OUTDATED"
    WHATSAPP_PROXY_BLOCKED = "WHATSAPP_PROXY_BLOCKED"
    SESSION_KEPT = "SESSION_KEPT"
    SESSION_RESTORE = "SESSION_RESTORE"
    SESSION_LOST = "SESSION_LOST"
    SESSION_ERASED = "SESSION_ERASED"
    STORAGE_WARNING = "STORAGE_WARNING"


class DisconnectReason(StrEnum):
    """`reason` of WHATSAPP_DISCONNECT and of `whatsapp_bot_disconnects_total`."""

    CONNECTION_ERROR = "CONNECTION_ERROR"
    LOGOUT = "LOGOUT"
    CONFLICT = "CONFLICT"
    BANNED = "BANNED"
    OUTDATED = "OUTDATED"
    PROXY_BLOCKED = "PROXY_BLOCKED"
    PAGE_CRASHED = "PAGE_CRASHED"
    PAGE_HUNG = "PAGE_HUNG"
    BROWSER_LOST = "BROWSER_LOST"
    SESSION_LOST = "SESSION_LOST"


class ReconnectHow(StrEnum):
    """`how` of `whatsapp_bot_reconnects_total`: what brought the bot back."""

    PAGE = "page"
    RELOAD = "reload"
    RELAUNCH = "relaunch"
    RESTART = "restart"


class QrCause(StrEnum):
    """Why a QR episode began. SESSION_LOST is the one nobody's phone caused."""

    FIRST_PAIRING = "first_pairing"
    LOGOUT = "logout"
    SESSION_LOST = "session_lost"


class RestartReason(StrEnum):
    """`reason` of `whatsapp_bot_browser_restarts_total`: why a new browser was started."""

    RECONNECT = "reconnect"
    PAGE_CRASHED = "page_crashed"
    PAGE_HUNG = "page_hung"
    BROWSER_LOST = "browser_lost"
    SESSION_LOST = "session_lost"
    LOGOUT = "logout"
    CONTROL = "control"
    STORAGE = "storage"


class RestoreEnd(StrEnum):
    """`result` of `whatsapp_bot_restores_total`: what came of an attempt to bring a lost session back."""

    READY = "ready"
    FAILED = "failed"
    NONE = "none"
    DAMAGED = "damaged"


class Ending(StrEnum):
    """How a session came to its end, as far as the page tells."""

    PHONE = "phone"
    OWN_COMMAND = "own_command"
    ACCOUNT = "account"
    LOST = "lost"


class Verdict(StrEnum):
    """`verdict` of WHATSAPP_LOGOUT, WHATSAPP_BANNED, SESSION_LOST and of the status: who caused it, the phone or us."""

    PHONE = "phone"
    OWN_COMMAND = "own_command"
    ACCOUNT = "account"
    STORAGE = "storage"
    DOWNGRADE = "downgrade"
    UNKNOWN = "unknown"


def is_client_id(text: str) -> bool:
    return re.fullmatch(CLIENT_ID_PATTERN[1:-1], text) is not None


def mask_phone(number: str) -> str:
    """`905321234567` or `905321234567:3@c.us` -> `90*******567`: enough to tell two phones apart, no more."""
    digits = "".join(re.findall(r"\d", re.split(r"[:@.]", number)[0]))
    if len(digits) <= 5:
        return "*" * len(digits)
    return digits[:2] + "*" * (len(digits) - 5) + digits[-3:]


class ContractModel(BaseModel):
    """camelCase outside, snake_case inside; an unknown key is an error, never ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, allow_inf_nan=False
    )


Seconds = Annotated[float, Field(ge=0, le=86400)]
# Below these a bot would do nothing but look, or relaunch.
SomeSeconds = Annotated[float, Field(ge=0.1, le=86400)]
ManySeconds = Annotated[float, Field(ge=1, le=86400)]
ClientId = Annotated[str, StringConstraints(pattern=CLIENT_ID_PATTERN)]


class ReconnectSettings(ContractModel):
    """Waits of the session's lifecycle, in seconds."""

    network_wait: SomeSeconds = Field(
        20, description="The page's own reconnect gets this long; then the bot reloads the page"
    )
    logout_wait: Seconds = Field(5, description="From a logout on the phone to the new QR")
    backoff_max: ManySeconds = Field(300, description="Longest wait between two relaunches")
    ready_deadline: ManySeconds = Field(180, description="Paired but not READY for this long: reload")
    probe_interval: SomeSeconds = Field(2, description="Between two looks at the page")
    probe_timeout: ManySeconds = Field(
        60, description="A page that does not answer for this long, twice, is hung"
    )
    takeover: bool = Field(
        False, description="On CONFLICT: take the session back, once; otherwise stop and alarm"
    )


class BrowserSettings(ContractModel):
    executable: str | None = Field(
        None, description="Path of chromium-headless-shell or chromium; found by itself when absent"
    )
    args: tuple[str, ...] = Field((), description="Further command line switches for the browser")
    sandbox: bool = Field(True, description="Chromium's own sandbox; false only where the host forbids it")


class ProxySettings(ContractModel):
    """`server` without credentials; user and password come from a file so that they never stand in an environment.

    The file holds one JSON object: `{"username": "…", "password": "…"}`.
    """

    server: str = Field(pattern=r"^(https?|socks5)://[^@\s/]+/?$")
    credentials_file: str | None = None


class BotSettings(ContractModel):
    """The one JSON value in `BOT_SETTINGS`."""

    client_id: ClientId
    session_dir: Annotated[str, StringConstraints(min_length=1)]
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] = WHATSAPP_URL
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = CONTAINER_HTTP_PORT
    control_socket: str | None = Field(
        None, description="Unix socket for `bot ctl`; default: oturum-<clientId>.sock in the temporary folder"
    )
    language: Literal["en", "tr"] = Field("en", description="Language of the messages in the event log")
    locale: str | None = Field(None, pattern=LOCALE_PATTERN, description="Locale of the page, as in tr-TR")
    timezone: str | None = Field(None, description="Time zone of the page, as in Europe/Istanbul")
    proxy: ProxySettings | None = None
    browser: BrowserSettings = BrowserSettings()
    reconnect: ReconnectSettings = ReconnectSettings()

    def to_json(self) -> str:
        """Only what differs from the defaults, keys sorted: equal settings give equal text."""
        return json.dumps(self.model_dump(by_alias=True, exclude_defaults=True, mode="json"), sort_keys=True)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        return cls.model_json_schema(by_alias=True)
