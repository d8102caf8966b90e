"""Event logs for tests, written as bots write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from bot.contract import EventName, Level, State
from manager.diagnosis import Presence, Story, Window, tell

BEGIN = datetime(2026, 11, 25, 0, 0, tzinfo=UTC)
HOUR = 3600.0


class Log:
    """`now`: seconds since BEGIN; every line is written at it."""

    def __init__(self, client_id: str = "sales") -> None:
        self.client_id = client_id
        self.now = 0.0
        self.state = State.STARTING.value
        self.lines: list[str] = []

    @property
    def text(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode()

    def wait(self, seconds: float) -> Log:
        self.now += seconds
        return self

    def add(self, event: str, level: str = Level.INFO.value, message: str = "", **fields: object) -> Log:
        time = (BEGIN + timedelta(seconds=self.now)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {
            "time": time,
            "event": str(event),
            "level": level,
            "client_id": self.client_id,
            "message": message,
        }
        self.lines.append(json.dumps({**line, **fields}, ensure_ascii=False))
        return self

    def enter(self, state: State) -> Log:
        self.add(EventName.BOT_STATE, **{"from": self.state, "to": state.value})
        self.state = state.value
        return self

    def start(self) -> Log:
        self.state = State.STARTING.value
        return self.add(EventName.STARTUP)

    def stop(self) -> Log:
        self.add(EventName.SHUTDOWN, signal="SIGTERM")
        return self.enter(State.STOPPING)

    def ready(self, how: str | None = None, seconds: float | None = None) -> Log:
        self.enter(State.READY)
        fields = {"how": how, "seconds": seconds}
        given = {key: value for key, value in fields.items() if value is not None}
        return self.add(EventName.WHATSAPP_READY, Level.SUCCESS.value, "ready", **given)

    def drop(self, reason: str = "CONNECTION_ERROR") -> Log:
        self.add(EventName.WHATSAPP_DISCONNECT, Level.WARNING.value, "connection lost", reason=reason)
        return self.enter(State.RECONNECTING)

    def repair(self, how: str) -> Log:
        return self.add(EventName.BOT_RECONNECT, how=how, attempt=1)

    def outage(self, seconds: float, how: str = "page") -> Log:
        return self.drop().repair(how).wait(seconds).ready(how, seconds)

    def code(self, cause: str, number: int = 1, **fields: object) -> Log:
        if self.state != State.WAITING_FOR_QR_SCAN.value:
            self.enter(State.WAITING_FOR_QR_SCAN)
        return self.add(EventName.WHATSAPP_QR, cause=cause, number=number, **fields)

    def pair(self) -> Log:
        self.enter(State.PAIRING)
        return self.add(EventName.WHATSAPP_PAIRED, Level.SUCCESS.value, phone="90*******567")

    def tell(
        self,
        presence: Presence = Presence.RUNS,
        since: float | None = None,
        written: float | None = None,
        text: bytes | None = None,
    ) -> Story:
        """The story up to `now`; `since` in seconds since BEGIN."""
        begin = BEGIN.timestamp()
        window = Window(begin + self.now, None if since is None else begin + since)
        return tell(self.client_id, self.text if text is None else text, window, presence, written)


def at(seconds: float) -> float:
    return BEGIN.timestamp() + seconds
