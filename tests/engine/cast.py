"""A fleet of real bots on a demo stage, as tests speak of it: what was heard, or a failure that tells the log's end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bot.contract import EventName, State
from demo.ear import Ear, Event
from demo.stage import Stage
from manager import config, reconcile
from manager.fleet import Fleet

_SETTLED = (State.READY.value, State.WAITING_FOR_QR_SCAN.value)


class Cast:
    """`fleet` as it was first brought up; `codes` and `phones` as each bot was last paired."""

    def __init__(self, stage: Stage, fleet: Fleet) -> None:
        self.stage, self.fleet = stage, fleet
        self.ears: dict[str, Ear] = {bot.client_id: stage.ear(bot.client_id) for bot in fleet.bots}
        self.codes: dict[str, str] = {}
        self.phones: dict[str, str] = {}

    def up(self, fleet: Fleet | None = None) -> None:
        outcome = reconcile.up(fleet or self.fleet, self.stage.engine)
        assert outcome.ok, [str(error) for error in outcome.errors]

    def restart(self, *clients: str) -> None:
        outcome = reconcile.restart(self.fleet, self.stage.engine, frozenset(clients))
        assert outcome.ok, [str(error) for error in outcome.errors]

    def event(
        self,
        client: str,
        name: EventName,
        after: int = 0,
        within: float = 120,
        where: Callable[[Event], bool] = lambda _: True,
    ) -> Event:
        found = self.ears[client].wait(name, after, within, where)
        assert found is not None, (
            f"{client}: no {name} since {after}; it said:\n{self.ears[client].tale(after)}"
        )
        return found

    def scan(self, client: str) -> None:
        """The bot's own phone, or a new one, scans what it shows; returns when it is READY."""
        mark = self.ears[client].mark
        self.codes[client] = self.stage.code(client).text
        self.phones[client] = self.stage.scan(self.codes[client], self.phones.get(client))
        self.event(client, EventName.WHATSAPP_READY, mark)

    def settle(self, clients: Iterable[str]) -> None:
        """Whatever a test left behind: these bots run as in the fleet, and are READY."""
        self.up()
        if any(State.RECONNECTING.value in self._changes(client)[-1:] for client in self.ears):
            self.stage.order("restore", "--all")
        for client in clients:
            if self._state(client) == State.WAITING_FOR_QR_SCAN.value:
                self.scan(client)

    def _state(self, client: str) -> str:
        """READY or WAITING_FOR_QR_SCAN, once it stands there; read from the log's last change of state."""

        def last(_: Event) -> bool:
            return bool(self._changes(client)) and self._changes(client)[-1] in _SETTLED

        self.event(client, EventName.BOT_STATE, where=last)
        return self._changes(client)[-1]

    def _changes(self, client: str) -> list[str]:
        return [one["to"] for one in self.ears[client].events if one["event"] == EventName.BOT_STATE]

    def qrs(self, client: str, after: int) -> int:
        return self.ears[client].count(EventName.WHATSAPP_QR, after)

    def quiet(self, client: str, after: int) -> bool:
        """Nothing befell it. A live copy of its session may fall into any time."""
        return set(self.ears[client].names(after)) <= {EventName.SESSION_KEPT}

    def status(self, client: str) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.stage.ctl(client, "status", "--json"))
        return status


def read(stage: Stage, file: Path, image: str, bots: str) -> Fleet:
    """bots.yaml in `file`: quick waits, the given image, and `bots` as the list's YAML text."""
    file.write_text(
        f"project: {stage.project}\n"
        f"image: {image}\n"
        "defaults:\n"
        "  memory: 512m\n"
        "  reconnect: {networkWait: 5, logoutWait: 2}\n"
        "  browser:\n"
        '    args: ["--ignore-certificate-errors-spki-list=${SIMULATOR_PIN}"]\n'
        f"bots:\n{bots}\n"
    )
    return config.load(file, {"SIMULATOR_PIN": stage.pin})
