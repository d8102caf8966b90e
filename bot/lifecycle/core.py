"""PURE: what the parts of a lifecycle share: where the bot stands, its deadlines, the effects of the event in hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from bot import stimuli as s
from bot.contract import DisconnectReason, EventName, Level, ReconnectHow, ReconnectSettings, State
from bot.lifecycle.table import TRANSITIONS
from bot.signals import Belief
from bot.waits import Waits


class InvalidTransition(Exception):
    """The lifecycle tried to go where TRANSITIONS has no way: a bug in this package."""


class Page(Enum):
    """How far the browser is."""

    NONE = auto()
    LAUNCHING = auto()
    BLANK = auto()  # runs, but the page could not be fetched
    NAVIGATING = auto()
    OPEN = auto()
    RESTORING = auto()  # closed, a generation is being put back


class Due(StrEnum):
    """What has a deadline."""

    LAUNCH = "launch"
    NAVIGATE = "navigate"
    DROP = "drop"
    REPAIR = "repair"
    CHECK = "check"
    COME_BACK = "come_back"
    READY = "ready"
    INCOMPLETE = "incomplete"
    LOST = "lost"
    CONFIRM = "confirm"
    CONFLICT = "conflict"
    QR_REFRESH = "qr_refresh"
    QR_TEXT = "qr_text"
    UNLINK = "unlink"
    CALM = "calm"
    GENERATION = "generation"


@dataclass(slots=True)
class Outage:
    """From the loss of a connection (or the start of the process) to READY.

    `how`: what will have brought it back. `reason`: the last one of those in `told`, which WHATSAPP_DISCONNECTs told.
    `detail`: the browser's own word for it, the newest.
    """

    since: float
    how: ReconnectHow
    reason: DisconnectReason | None = None
    detail: str | None = None
    told: set[DisconnectReason] = field(default_factory=set)


class Core:
    """`attempts`: repairs of the page in a row; `failures`: launches and crashes in a row. Seconds of `now`."""

    def __init__(self, settings: ReconnectSettings, random: Callable[[], float]) -> None:
        self.settings = settings
        self.waits = Waits(settings, random)
        self.state = State.STARTING
        self.since = 0.0
        self.now = 0.0
        self.owns_session = False
        self.page = Page.NONE
        self.belief: Belief | None = None
        self.outage: Outage | None = None
        self.attempts = 0
        self.failures = 0
        self.away_since: float | None = None
        self.due: dict[Due, float] = {}
        self.effects: list[s.Effect] = []
        self.qr_shown = False
        self.unlinking = False  # a logout of our own is wanted; the volume knows

    @property
    def session(self) -> str:
        return "present" if self.owns_session else "absent"

    def do(self, *effects: s.Effect) -> None:
        self.effects.extend(effects)

    def emit(self, name: EventName, level: Level, key: str, **fields: object) -> None:
        self.do(s.Emit(name, level, key, {k: v for k, v in fields.items() if v is not None}))

    def enter(self, state: State) -> None:
        if state is self.state:
            return
        if state not in TRANSITIONS[self.state]:
            raise InvalidTransition(f"{self.state} -> {state}")
        old, self.state, self.since = self.state, state, self.now
        self.do(s.Enter(old, state))

    def after(self, due: Due, seconds: float) -> None:
        self.due[due] = self.now + seconds

    def cancel(self, *dues: Due) -> None:
        for due in dues:
            self.due.pop(due, None)

    def cancel_all_but(self, *kept: Due) -> None:
        self.cancel(*(due for due in Due if due not in kept))

    def end_unlinking(self) -> None:
        """The page would not, or shows that it is still linked."""
        self.cancel(Due.UNLINK)
        if self.unlinking:
            self.unlinking = False
            key = "control_logout_failed"
            self.do(s.KeepSession())
            self.emit(EventName.BOT_CONTROL, Level.WARNING, key, session=self.session)

    def show_qr(self, text: str, number: int) -> None:
        self.qr_shown = True
        self.do(s.ShowQr(text, number))

    def hide_qr(self) -> None:
        if self.qr_shown:
            self.qr_shown = False
            self.do(s.ShowQr(None))
