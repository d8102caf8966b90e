"""A lifecycle with a clock of its own, a browser that obeys, and a watch over what may never be asked of the runner."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from bot import VERSION
from bot import stimuli as s
from bot.contract import BotExit, EventName, QrCause, ReconnectHow, ReconnectSettings, State
from bot.lifecycle import Lifecycle
from bot.metrics import BotMetrics
from bot.problem import LOCALES
from bot.signals import Belief, Kind, LogoutReason
from bot.text import Catalogue

WID = "905321234567:3@c.us"
SAY = [Catalogue(LOCALES, language) for language in ("en", "tr")]
LABELS = BotMetrics("shop", VERSION).counters()

UNKNOWN = Belief(Kind.UNKNOWN, certain=False)
INCOMPLETE = replace(UNKNOWN, incomplete=True)
CONNECTING = Belief(Kind.CONNECTING, session_keys=True)
KEYLESS = replace(CONNECTING, session_keys=False)
OFFLINE = replace(CONNECTING, offline=True)
AUTHENTICATED = Belief(Kind.AUTHENTICATED, session_keys=True, wid=WID)
CONNECTED = Belief(Kind.CONNECTED, session_keys=True, wid=WID)
DOUBTFUL = replace(CONNECTED, certain=False)
NEEDS_QR = Belief(Kind.NEEDS_QR, session_keys=False, qr_text="ref-1,secret")
USED_UP = Belief(Kind.NEEDS_QR, session_keys=False, refs_used_up=True)
UNREADABLE = Belief(Kind.NEEDS_QR, session_keys=False)
UNLINKED = Belief(Kind.UNLINKED, session_keys=False, logout_reason=LogoutReason.PHONE)
STORAGE = Belief(Kind.CLIENT_LOGOUT, session_keys=False, logout_reason=LogoutReason.STORAGE)
SYNC = Belief(Kind.CLIENT_LOGOUT, session_keys=False, logout_reason=LogoutReason.SYNC)
CONFLICT = Belief(Kind.CONFLICT, session_keys=True)
BANNED = Belief(Kind.BANNED, session_keys=True)
LOCKED = Belief(Kind.BANNED, session_keys=False, logout_reason=LogoutReason.LOCKED)
OUTDATED = Belief(Kind.OUTDATED, session_keys=True)
PROXY = Belief(Kind.PROXY_BLOCKED, session_keys=True)

# What only a person can end, and the state it leads to.
PERSON = [
    (BANNED, State.BANNED),
    (LOCKED, State.BANNED),
    (OUTDATED, State.OUTDATED),
    (PROXY, State.PROXY_BLOCKED),
]
DISCONNECT, RECONNECT = EventName.WHATSAPP_DISCONNECT, EventName.BOT_RECONNECT

ABANDONABLE = (s.Launch, s.Navigate, s.Reload, s.CheckNetwork, s.RefreshQr, s.Takeover, s.Unlink)
ANSWERED = (*ABANDONABLE, s.SetAside, s.Erase, s.RestoreGeneration, s.TakeGeneration)
_ACTS = (s.Navigate, s.Reload, s.CheckNetwork, s.RefreshQr, s.Takeover, s.Unlink)
_FILES = (s.SetAside, s.Erase, s.RestoreGeneration, s.TakeGeneration)


def qr(number: int) -> Belief:
    return replace(NEEDS_QR, qr_text=f"ref-{number},secret")


@dataclass
class Watch:
    """What must hold for every effect, whatever happened before."""

    browser: bool = False
    owned: bool = False
    unlinking: bool = False
    episode: bool = False
    shown: str | None = None
    state: State = State.STARTING
    ended: bool = False

    def see(self, effect: s.Effect, life: Lifecycle) -> None:
        assert not self.ended, f"{effect} after Exit"
        match effect:
            case s.Launch():
                assert not self.browser, "two browsers"
                self.browser = True
            case s.CloseBrowser():
                self.browser = False
            case s.Enter(old, new):
                assert old is self.state
                self.state = new
            case s.ShowQr(None):
                assert self.shown is not None
                self.shown = None
            case s.ShowQr(text):
                assert not life.owns_session
                assert life.state is State.WAITING_FOR_QR_SCAN
                assert self.episode
                self.shown = text
            case s.Count(s.Tally.QR_REQUESTS):
                assert not life.owns_session
                assert not self.episode, "one episode, two counts"
                self.episode = True
            case s.CloseEpisode():
                self.episode = False
            case s.MarkPaired():
                self.owned = True
            case s.Unlink():
                self.unlinking = True
            case s.KeepSession():
                assert self.unlinking
                self.unlinking = False
            case s.MarkLoggedOut():
                assert self.owned
                assert not self.unlinking, "what a logout of our own ends is erased"
                self.owned = False
            case s.Erase():
                assert self.unlinking or not self.owned
                self.owned = self.unlinking = False
            case s.Exit():
                self.ended = True
            case s.Emit():
                self._line(effect)
        if self.unlinking:
            assert not isinstance(effect, s.RestoreGeneration | s.SetAside), "restored after a wanted logout"
        if isinstance(effect, _ACTS):
            assert self.browser, f"{effect} without a browser"
        if effect == s.TakeGeneration(live=True):
            assert self.browser
            assert life.state is State.READY
            assert life.belief is not None
            assert life.belief.kind is Kind.CONNECTED, "a session in doubt is no copy's model"
        elif isinstance(effect, _FILES):
            assert not self.browser, f"{effect} under the browser"
        if isinstance(effect, s.Count) and effect.what is not s.Tally.QR_CODES:
            known = LABELS[effect.what.value]
            assert isinstance(known, dict)
            assert effect.label in known, f"{effect} is not initialised to 0"

    def _line(self, line: s.Emit) -> None:
        for say in SAY:
            assert "{" not in say(f"event.{line.key}", client="shop", **line.fields)
        assert not {"time", "event", "level", "client_id", "message"} & set(line.fields)
        told = str(dict(line.fields))
        assert "secret" not in told
        assert WID.partition(":")[0] not in told
        if line.name is EventName.WHATSAPP_DISCONNECT:
            assert {"reason", "session", "sessionWasAvailable"} <= set(line.fields)
            assert line.fields["sessionWasAvailable"] is self.owned
        if line.name is EventName.BOT_RECONNECT:
            assert line.fields["how"] in [how.value for how in ReconnectHow]
        if line.name is EventName.WHATSAPP_PAIRED:
            assert self.owned, "told before it was marked on the volume"


@dataclass
class Life:
    """`launch`, `fetch`, `network`, `refuse` (the volume) and so on: what the world answers.

    An event by hand goes through `tell`. After Exit nothing is heard any more.
    """

    session: bool = True
    unlinking: bool = False
    created: bool = False
    episode: QrCause | None = None
    next_cause: QrCause = QrCause.FIRST_PAIRING
    obey: bool = True
    reconnect: dict[str, Any] = field(default_factory=dict)
    random: float = 0.5
    launch: s.Event = s.Launched("150.0.1.2", with_mirror=True)  # noqa: RUF009  frozen
    fetch: s.Event = s.Navigated()  # noqa: RUF009  frozen
    network: bool | None = True
    refresh: bool = True
    unlink: bool | None = True
    refuse: bool = False
    copies: list[s.Restored] = field(default_factory=list)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.heart = Lifecycle(ReconnectSettings(**self.reconnect), lambda: self.random)
        self.watch = Watch(owned=self.session, unlinking=self.unlinking, episode=self.episode is not None)
        self.effects: list[s.Effect] = []
        self.pending: deque[s.Effect] = deque()
        self.tell(self.started())

    def started(self) -> s.Started:
        codes = 2 if self.episode else 0
        return s.Started(
            self.session, self.created, self.next_cause, self.episode, codes, unlinking=self.unlinking
        )

    # --- the world moves ---------------------------------------------------------------------------------

    def tell(self, event: s.Event) -> list[s.Effect]:
        """One event; in an obeying world the answers to what it asked for too. All effects of it."""
        before = len(self.effects)
        self._hand_over(event)
        if self.obey:
            self.answer_all()
        return self.effects[before:]

    def answer_all(self) -> None:
        while self.pending:
            answer = self.answer(self.pending.popleft())
            if answer is not None:
                self._hand_over(answer)

    def _hand_over(self, event: s.Event) -> None:
        if self.watch.ended:
            return
        for effect in self.heart.handle(event, self.now):
            self.watch.see(effect, self.heart)
            self.effects.append(effect)
            if isinstance(effect, s.CloseBrowser):
                self.pending = deque(each for each in self.pending if not isinstance(each, ABANDONABLE))
            if isinstance(effect, ANSWERED):
                self.pending.append(effect)
        assert self.watch.state is self.heart.state

    def answer(self, effect: s.Effect) -> s.Event | None:
        match effect:
            case s.Launch():
                return self.launch
            case s.Navigate() | s.Reload():
                return self.fetch
            case s.CheckNetwork():
                return s.NetworkChecked(self.network)
            case s.RefreshQr():
                return s.QrRefreshed(self.refresh)
            case s.Unlink():
                return None if self.unlink is None else s.Unlinked(self.unlink)
            case s.SetAside() | s.Erase():
                return s.StorageFailed("no space", "hint", "df -h") if self.refuse else None
            case s.RestoreGeneration():
                return self.copies.pop(0) if self.copies else s.Restored(s.Restore.NONE)
            case s.TakeGeneration(live=True):
                return s.Kept(not self.refuse)
        return None

    def see(self, belief: Belief) -> list[s.Effect]:
        return self.tell(s.SnapshotTaken(belief))

    def wait(self, seconds: float, belief: Belief | None = None, every: float = 2.0) -> list[s.Effect]:
        """Time passes; what is due happens. `belief`: the page is looked at meanwhile, and keeps saying this."""
        before = len(self.effects)
        end = self.now + seconds
        look = self.now + every
        while True:
            wake = self.heart.wake_at
            moments = [end, *([look] if belief else []), *([wake] if wake is not None else [])]
            self.now = max(self.now, min(moments))
            if wake is not None and self.now >= wake:
                self.tell(s.Tick())
            elif belief is not None and self.now >= look:
                look = self.now + every
                self.see(belief)
            else:
                return self.effects[before:]

    def ready(self) -> Life:
        self.see(CONNECTED)
        assert self.state is State.READY
        return self

    # --- what came of it ---------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.heart.state


def paired() -> Life:
    return Life().ready()


def lines(effects: list[s.Effect], *names: EventName) -> list[dict[str, Any]]:
    """The fields of the lines told under these names, `key` included."""
    return [
        {"key": each.key, **each.fields}
        for each in effects
        if isinstance(each, s.Emit) and (not names or each.name in names)
    ]


def told(effects: list[s.Effect]) -> list[str]:
    return [each.name.value for each in effects if isinstance(each, s.Emit)]


def counted(effects: list[s.Effect], what: s.Tally) -> list[str]:
    return [each.label for each in effects if isinstance(each, s.Count) and each.what is what]


def kinds(effects: list[s.Effect]) -> list[str]:
    """What the runner has to do, without what is only said or measured."""
    quiet = (s.Emit, s.Enter, s.Count, s.Observe)
    return [type(each).__name__ for each in effects if not isinstance(each, quiet)]


def entered(effects: list[s.Effect]) -> list[State]:
    return [each.new for each in effects if isinstance(each, s.Enter)]


FAILED_ONCE = s.LaunchFailed(permanent=False, exit=BotExit.BROWSER_UNUSABLE, message="it ended")
FAILED_FOR_GOOD = s.LaunchFailed(True, BotExit.BROWSER_UNUSABLE, "no browser", "hint", "apt-get install it")
OFF = s.NavigationFailed("net::ERR_INTERNET_DISCONNECTED")
