"""PURE: what the lifecycle is told (events) and what it asks for (effects). The runner turns each into the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bot.contract import BotExit, Ending, EventName, Level, QrCause, State
from bot.signals import Belief

# --- events: what happened ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Started:
    """The store is open and checked. `episode`: the QR episode that was open when the bot went down last.

    `next_cause`: what the next episode is counted as; how the volume's last session ended decides that.
    `unlinking`: the bot went down in the middle of a logout of our own.
    """

    session_present: bool
    store_created: bool = False
    next_cause: QrCause = QrCause.FIRST_PAIRING
    episode: QrCause | None = None
    episode_codes: int = 0
    unlinking: bool = False


@dataclass(frozen=True, slots=True)
class Launched:
    """The browser runs. `with_mirror`: a mirror of localStorage is put back before the page's scripts run."""

    version: str | None
    with_mirror: bool


@dataclass(frozen=True, slots=True)
class LaunchFailed:
    """`permanent`: trying again can't help; `exit`: what the process ends with if it never had a browser."""

    permanent: bool
    exit: BotExit
    message: str
    hint: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Navigated:
    pass


@dataclass(frozen=True, slots=True)
class NavigationFailed:
    """`code`: the browser's own word, as in net::ERR_INTERNET_DISCONNECTED."""

    code: str


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    belief: Belief


@dataclass(frozen=True, slots=True)
class ProbeFailed:
    """The page did not answer within the probe's time-out."""


@dataclass(frozen=True, slots=True)
class PageCrashed:
    note: str = ""


@dataclass(frozen=True, slots=True)
class BrowserGone:
    note: str = ""


@dataclass(frozen=True, slots=True)
class NetworkChecked:
    """Whether the site answers; None: it could not be asked."""

    reachable: bool | None


@dataclass(frozen=True, slots=True)
class QrRefreshed:
    ok: bool


@dataclass(frozen=True, slots=True)
class Unlinked:
    """The page was told to log out, by our command. `ok`: it took the order; what it shows next says the rest."""

    ok: bool


class Restore(StrEnum):
    RESTORED = "restored"
    NONE = "none"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Restored:
    outcome: Restore
    number: int | None = None


@dataclass(frozen=True, slots=True)
class GenerationRequested:
    """Somebody wants a fresh copy of the session, for a backup."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A live copy came to its end. `ok`: there is one of the session as it is now."""

    ok: bool


@dataclass(frozen=True, slots=True)
class StorageFailed:
    """The volume refused something the session needs (set aside, restore)."""

    message: str
    hint: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class StorageUnsafe:
    """Just seen: what is paired now could not be kept."""


@dataclass(frozen=True, slots=True)
class PairingCodeShown:
    """A code to link with the phone's number is on screen; `seconds`: how long it lives."""

    seconds: float


@dataclass(frozen=True, slots=True)
class QrRequested:
    """Somebody wants to see the QR now."""


@dataclass(frozen=True, slots=True)
class ReloadRequested:
    pass


@dataclass(frozen=True, slots=True)
class LogoutRequested:
    pass


@dataclass(frozen=True, slots=True)
class StopRequested:
    signal: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by: whatever is due now is done."""


Event = (
    Started
    | Launched
    | LaunchFailed
    | Navigated
    | NavigationFailed
    | SnapshotTaken
    | ProbeFailed
    | PageCrashed
    | BrowserGone
    | NetworkChecked
    | QrRefreshed
    | Unlinked
    | Restored
    | GenerationRequested
    | Kept
    | StorageFailed
    | StorageUnsafe
    | PairingCodeShown
    | QrRequested
    | ReloadRequested
    | LogoutRequested
    | StopRequested
    | Tick
)

# --- effects: what is to be done ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Emit:
    """One line of the event log. `key`: of the catalogue's section [event]; `fields` also fill its places.

    `ending`: the line tells of a session's end, and a verdict goes into it, with the evidence for it. `inquest`: it
    tells of storage that failed, and which files the system refuses goes into its evidence.
    """

    name: EventName
    level: Level
    key: str
    fields: Mapping[str, object] = field(default_factory=dict)
    ending: Ending | None = None
    inquest: bool = False


@dataclass(frozen=True, slots=True)
class Enter:
    """The state changed (metrics, status)."""

    old: State
    new: State


class Tally(StrEnum):
    DISCONNECTS = "disconnects"
    RECONNECTS = "reconnects"
    QR_REQUESTS = "qr_requests"
    QR_CODES = "qr_codes"
    BROWSER_RESTARTS = "browser_restarts"
    RESTORES = "restores"


@dataclass(frozen=True, slots=True)
class Count:
    what: Tally
    label: str = ""


class Clocked(StrEnum):
    READY = "ready_seconds"
    RECONNECT = "reconnect_seconds"


@dataclass(frozen=True, slots=True)
class Observe:
    what: Clocked
    seconds: float


@dataclass(frozen=True, slots=True)
class Launch:
    pass


@dataclass(frozen=True, slots=True)
class Navigate:
    pass


@dataclass(frozen=True, slots=True)
class Reload:
    pass


@dataclass(frozen=True, slots=True)
class CloseBrowser:
    """Whatever is under way in the browser is abandoned first."""


@dataclass(frozen=True, slots=True)
class CheckNetwork:
    pass


@dataclass(frozen=True, slots=True)
class RefreshQr:
    pass


@dataclass(frozen=True, slots=True)
class Takeover:
    pass


@dataclass(frozen=True, slots=True)
class Unlink:
    """The page's own logout. Before it is told, the volume remembers that all of the session is to be erased."""


@dataclass(frozen=True, slots=True)
class KeepSession:
    """Nothing came of our logout: the volume forgets about it."""


@dataclass(frozen=True, slots=True)
class ShowQr:
    """This QR is the valid one now; None: there is none. The text is a secret of the session."""

    text: str | None = field(repr=False)
    number: int = 0


@dataclass(frozen=True, slots=True)
class OpenEpisode:
    cause: QrCause


@dataclass(frozen=True, slots=True)
class CloseEpisode:
    pass


@dataclass(frozen=True, slots=True)
class MarkPaired:
    wid: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class MarkReady:
    pass


@dataclass(frozen=True, slots=True)
class MarkInDoubt:
    """The page asks for a scan, and nothing proves a logout: no copy is made of what is there until it is READY."""


@dataclass(frozen=True, slots=True)
class MarkLoggedOut:
    reason: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """The profile and its mirror leave the way of a new session; the browser is closed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Erase:
    """Nothing of the session stays on the volume, copies and ended ones included; the browser is closed."""

    reason: str


@dataclass(frozen=True, slots=True)
class RestoreGeneration:
    reason: str


@dataclass(frozen=True, slots=True)
class TakeGeneration:
    """Copy the session while the browser is closed, if it was closed cleanly; `live`: under the browser."""

    live: bool = False


@dataclass(frozen=True, slots=True)
class RefuseGeneration:
    """The one that was asked for can't be taken now."""


@dataclass(frozen=True, slots=True)
class Exit:
    code: BotExit


Effect = (
    Emit
    | Enter
    | Count
    | Observe
    | Launch
    | Navigate
    | Reload
    | CloseBrowser
    | CheckNetwork
    | RefreshQr
    | Takeover
    | Unlink
    | KeepSession
    | ShowQr
    | OpenEpisode
    | CloseEpisode
    | MarkPaired
    | MarkReady
    | MarkInDoubt
    | MarkLoggedOut
    | SetAside
    | Erase
    | RestoreGeneration
    | TakeGeneration
    | RefuseGeneration
    | Exit
)
