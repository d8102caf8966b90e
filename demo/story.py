"""The story: six scenes on one fleet. What each claims is looked up in the bots' event logs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from bot.contract import DisconnectReason, EventName, QrCause, State
from demo.ear import Event
from demo.screen import Screen
from demo.stage import Stage, StageError, docker
from manager import reconcile
from manager.fleet import Fleet
from manager.reconcile import OnProgress, Outcome
from manager.spec import volume_name

OUTAGE_SECONDS = 4
_PATIENCE_SECONDS = 120
# The table's words for the log's: what befell a session, not how the bot went about it.
_TOLD = {
    EventName.WHATSAPP_QR: "QR",
    EventName.WHATSAPP_PAIRED: "PAIRED",
    EventName.WHATSAPP_READY: "READY",
    EventName.WHATSAPP_DISCONNECT: "DISCONNECT",
    EventName.WHATSAPP_LOGOUT: "LOGOUT",
    EventName.STARTUP: "STARTUP",
    EventName.SHUTDOWN: "SHUTDOWN",
    EventName.SESSION_LOST: "SESSION_LOST",
}


class Missed(Exception):
    """What the scene waited for did not come; it is noted already."""


@dataclass
class Scene:
    """`seen`: what happened to each bot, in the event log's words. `qrs`: how many codes each showed."""

    key: str
    held: int = 0
    failed: list[str] = field(default_factory=list)
    seen: dict[str, list[str]] = field(default_factory=dict)
    qrs: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    broken_off: bool = False

    @property
    def ok(self) -> bool:
        return self.held > 0 and not self.failed and not self.broken_off


class Story:
    """`play` goes through the scenes of `SCENES` in their order; a scene that misses its cue ends the story."""

    def __init__(self, stage: Stage, fleet: Fleet, screen: Screen, on_progress: OnProgress) -> None:
        self.stage, self.fleet, self.screen = stage, fleet, screen
        self.scenes = [Scene(key) for key, _ in SCENES]
        self.ears = {bot.client_id: stage.ear(bot.client_id, screen.event) for bot in fleet.bots}
        self.first, self.second = self.ears
        self.phones: dict[str, str] = {}
        self._on_progress = on_progress
        self._scene = self.scenes[0]
        self._marks: dict[str, int] = {}

    def play(self) -> bool:
        """Whether every claim of every scene was seen to hold."""
        for scene, (key, perform) in zip(self.scenes, SCENES, strict=True):
            self.screen.heading(self.scenes.index(scene) + 1, len(SCENES), self.screen.say(f"scene.{key}"))
            self.screen.tell(f"scene.{key}_about", first=self.first, second=self.second)
            with self._measured(scene):
                perform(self)
            if scene.broken_off:
                break
        return all(scene.ok for scene in self.scenes)

    @contextmanager
    def _measured(self, scene: Scene) -> Iterator[None]:
        self._scene = scene
        self._marks = {client: ear.mark for client, ear in self.ears.items()}
        began = time.monotonic()
        try:
            yield
        except Missed:
            scene.broken_off = True
        except StageError as error:
            self.claim("refused", False, detail=error)
            scene.broken_off = True
        finally:
            scene.seconds = time.monotonic() - began
            for client, ear in self.ears.items():
                names = ear.names(self._marks[client])
                scene.seen[client] = _told(names)
                scene.qrs[client] = names.count(EventName.WHATSAPP_QR)

    # --- what scenes are made of ------------------------------------------------------------------------

    def claim(self, key: str, holds: bool, **values: object) -> None:
        text = self.screen.say(f"claim.{key}", **values)
        self.screen.claim(text, holds)
        if holds:
            self._scene.held += 1
        else:
            self._scene.failed.append(text)

    def hear(
        self,
        client: str,
        name: EventName,
        where: Callable[[Event], bool] = lambda _: True,
        after: int | None = None,
    ) -> Event:
        """The first such event of this scene. Raises Missed when it does not come."""
        mark = self._marks[client] if after is None else after
        found = self.ears[client].wait(name, mark, _PATIENCE_SECONDS, where)
        if found is None:
            self.claim("heard", False, client=client, event=name, seconds=_PATIENCE_SECONDS)
            self.screen.line(self.ears[client].tale(mark))
            raise Missed
        return found

    def ready(self, client: str, after: int | None = None) -> None:
        self.hear(client, EventName.WHATSAPP_READY, after=after)
        self.claim("ready", True, client=client)

    def no_qr(self, *clients: str) -> None:
        for client in clients:
            self.claim("no_qr", self.qrs(client) == 0, client=client)

    def untouched(self, client: str) -> None:
        self.claim("untouched", not self.ears[client].names(self._marks[client]), client=client)

    def show_code(self, client: str) -> str:
        code = self.stage.code(client)
        self.screen.picture(self.screen.say("demo.code", client=client), code.picture)
        return code.text

    def scan(self, client: str, text: str) -> None:
        self.screen.tell("demo.scans", client=client)
        self.phones[client] = self.stage.scan(text, self.phones.get(client))

    def manager(self, command: str, run: Callable[..., Outcome]) -> None:
        """Raises Missed when a step failed."""
        self.screen.command(f"python -m manager {command}")
        outcome = run(self.fleet, self.stage.engine, on_progress=self._on_progress)
        if not outcome.ok:
            self.claim("carried_out", False, command=command)
            raise Missed

    def bystander(self, *words: str) -> None:
        self.screen.command(" ".join(("docker", *words)))
        docker(*words)

    def phone_order(self, *words: str) -> None:
        self.screen.command(" ".join(("docker exec", self.stage.simulator, "python -m simulator", *words)))
        self.stage.order(*words)

    def qrs(self, client: str) -> int:
        """How many codes it has shown in this scene."""
        return self.ears[client].count(EventName.WHATSAPP_QR, self._marks[client])


# --- the scenes -----------------------------------------------------------------------------------------


def clean_start(story: Story) -> None:
    story.manager("up", reconcile.up)
    for client in story.ears:
        story.hear(client, EventName.SESSION_CREATE, lambda one: one["session"] == "absent")
        story.claim("store_made", True, client=client, volume=volume_name(story.stage.project, client))
        code = story.hear(client, EventName.WHATSAPP_QR)
        story.claim("first_qr", code["cause"] == QrCause.FIRST_PAIRING, client=client)


def two_bots(story: Story) -> None:
    texts = {client: story.show_code(client) for client in story.ears}
    story.claim("two_texts", len(set(texts.values())) == len(texts))
    for client, text in texts.items():
        story.scan(client, text)
        story.ready(client)
    story.claim("two_phones", len(set(story.phones.values())) == len(story.phones))
    story.no_qr(*story.ears)


def internet_cut(story: Story) -> None:
    story.phone_order("drop", "--all")
    for client in story.ears:
        lost = story.hear(client, EventName.WHATSAPP_DISCONNECT)
        story.claim(
            "session_kept",
            lost["reason"] == DisconnectReason.CONNECTION_ERROR and lost["session"] == "present",
            client=client,
        )
        story.hear(client, EventName.BOT_STATE, lambda one: one["to"] == State.RECONNECTING.value)
        story.claim("reconnecting", True, client=client)
    story.screen.tell("demo.outage", seconds=OUTAGE_SECONDS)
    time.sleep(OUTAGE_SECONDS)
    story.phone_order("restore", "--all")
    for client in story.ears:
        story.ready(client)
    story.no_qr(*story.ears)


def container_killed(story: Story) -> None:
    client, other = story.first, story.second
    name, before = story.stage.container(client), story.stage.container_id(client)
    story.bystander("kill", name)
    story.bystander("rm", name)
    story.manager("up", reconcile.up)
    _went_on(story, client)
    story.claim("new_container", story.stage.container_id(client) != before, client=client)
    story.untouched(other)


def restarted(story: Story) -> None:
    story.manager("restart", reconcile.restart)
    for client in story.ears:
        story.hear(client, EventName.SHUTDOWN)
        _went_on(story, client)


def _went_on(story: Story, client: str) -> None:
    found = story.hear(client, EventName.BOT_SESSION)
    story.claim("session_found", found["session"] == "present", client=client)
    story.ready(client)
    story.no_qr(client)


def logout_on_the_phone(story: Story) -> None:
    client, other = story.first, story.second
    wait = next(bot.reconnect.logout_wait for bot in story.fleet.bots if bot.client_id == client)
    story.phone_order("logout", "--phone", story.phones[client])
    gone = story.hear(client, EventName.WHATSAPP_LOGOUT)
    code = story.hear(client, EventName.WHATSAPP_QR)
    seconds = (_moment(code) - _moment(gone)).total_seconds()
    story.claim(
        "qr_after",
        seconds >= wait and code["cause"] == QrCause.LOGOUT,
        client=client,
        seconds=f"{seconds:.1f}",
    )
    mark = story.ears[client].mark
    story.scan(client, story.show_code(client))
    story.ready(client, mark)
    story.claim("one_qr", story.qrs(client) == 1, client=client)
    story.untouched(other)


def _told(names: Sequence[str]) -> list[str]:
    """What repeats itself is told once, with how often: a bot that cannot start is started again and again."""
    told = [_TOLD[EventName(name)] for name in names if name in _TOLD]
    runs = [(name, len(list(same))) for name, same in groupby(told)]
    return [name if count == 1 else f"{name} ×{count}" for name, count in runs]


def _moment(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])


SCENES: tuple[tuple[str, Callable[[Story], None]], ...] = (
    ("clean_start", clean_start),
    ("two_bots", two_bots),
    ("internet_cut", internet_cut),
    ("container_killed", container_killed),
    ("restarted", restarted),
    ("logout", logout_on_the_phone),
)
