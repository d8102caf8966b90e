"""PURE: what bots.yaml, the engine and the bots themselves say -> one row a bot, with what a person has to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Any

from bot.contract import BotExit, State, UserAction
from bot.text import Catalogue
from manager import troubles
from manager.fleet import Fleet
from manager.observed import ContainerState, ObservedContainer
from manager.plainvalues import moment, total, whole
from manager.troubles import LastWords

START_SECONDS = 60
# A cause that is known, and lasts, is told before patience ends.
HINT_SECONDS = 60
_LOOP_STARTS = 3
PATIENCE_SECONDS = 600

Json = Mapping[str, Any]


class Place(StrEnum):
    """Where a bot stands, seen from outside. Only in ANSWERS has it a state of its own."""

    ANSWERS = "answers"
    STARTING = "starting"
    SILENT = "silent"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    OOM = "oom"
    CREATED = "created"
    REMOVING = "removing"
    ABSENT = "absent"
    DISABLED = "disabled"


class Mute(StrEnum):
    """Why a running container gave no answer."""

    NO_SOCKET = "no_socket"
    LATE = "late"
    OTHER = "other"


class Weight(StrEnum):
    """How urgently a row wants to be looked at."""

    GOOD = "good"
    WAITS = "waits"
    OFF = "off"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Detail:
    """What only an inspection of the container tells. Times as the engine writes them."""

    state: ContainerState
    exit_code: int | None = None
    oom_killed: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restarts: int = 0

    @classmethod
    def of(cls, inspected: Json) -> Detail:
        found = inspected.get("State") or {}
        word = str(found.get("Status") or "").lower()
        known = word in ContainerState.__members__.values()
        return cls(
            state=ContainerState(word) if known else ContainerState.RUNNING,
            exit_code=whole(found.get("ExitCode")),
            oom_killed=bool(found.get("OOMKilled")),
            started_at=moment(found.get("StartedAt")),
            finished_at=moment(found.get("FinishedAt")),
            restarts=whole(inspected.get("RestartCount")) or 0,
        )


@dataclass(frozen=True, slots=True)
class Advice:
    """`status.todo_<key>` of the catalogue; `command` is what to type, where typing helps. `proxy`: its address."""

    key: str
    command: str | None = None
    proxy: str | None = None

    def say(self, say: Catalogue, *, quoted: bool = False) -> str:
        """`quoted`: with the command in backticks."""
        text = say(f"status.todo_{self.key}", proxy=self.proxy or "-")
        mark = "`" if quoted else ""
        return f"{text}: {mark}{self.command}{mark}" if self.command else text

    def sentence(self, say: Catalogue) -> str:
        text = self.say(say)
        return text[0].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Row:
    """One bot. None is what nobody knows. `in_file`: bots.yaml names it. `storage`: what is wrong with its volume.

    `reason`, `fix`: what it said of why it is not well, and what mends that. `has_volume`, `session_kept`: of a bot
    that does not answer, whether it has a volume, and a session on it when it spoke last. `proxy`: no credentials.
    """

    client_id: str
    place: Place
    in_file: bool = True
    enabled: bool = True
    state: str | None = None
    since: datetime | None = None
    phone: str | None = None
    session_present: bool | None = None
    disconnects: int | None = None
    reconnects: int | None = None
    qr_requests: int | None = None
    memory_bytes: int | None = None
    storage: str | None = None
    uptime_seconds: float | None = None
    container: str | None = None
    exit_code: int | None = None
    health: str | None = None
    reason: str | None = None
    fix: str | None = None
    has_volume: bool = False
    session_kept: bool | None = None
    proxy: str | None = None
    weight: Weight = Weight.WAITS
    advice: Advice | None = None

    def why(self, say: Catalogue) -> str | None:
        """Its own words, else what the code means with which it ended."""
        key = troubles.exit_key(self.exit_code)
        return self.reason or (say(f"status.exit_{key}") if key else None)

    def as_json(self, say: Catalogue) -> dict[str, object]:
        found = asdict(self)
        found["reason"] = self.why(say)
        found["place"] = self.place.value
        found["weight"] = self.weight.value
        found["since"] = self.since.isoformat() if self.since else None
        found["advice"] = (
            {"text": self.advice.say(say), "command": self.advice.command} if self.advice else None
        )
        return found


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was found out in one round. `answers`: by clientId, a status document or why there is none. `words`: out
    of the logs of those that give none.
    """

    containers: tuple[ObservedContainer, ...] = ()
    volumes: frozenset[str] = frozenset()
    answers: Mapping[str, Json | Mute] = field(default_factory=dict)
    details: Mapping[str, Detail] = field(default_factory=dict)
    words: Mapping[str, LastWords] = field(default_factory=dict)


def current(containers: Iterable[ObservedContainer]) -> dict[str, ObservedContainer]:
    """Of each bot the container that counts: one that may write before one that may not, then the youngest."""
    ranked = sorted(containers, key=lambda each: (each.state.may_write, each.created))
    return {each.client_id: each for each in ranked}


def rows(fleet: Fleet, seen: Seen, now: datetime, only: frozenset[str] | None = None) -> list[Row]:
    """bots.yaml's order, then what the engine has beyond it. `only`: these bots; None: all."""
    containers = current(seen.containers)
    beyond = sorted(containers.keys() - fleet.client_ids)
    wanted = [
        each for each in (*(bot.client_id for bot in fleet.bots), *beyond) if only is None or each in only
    ]
    return [_row(client, containers.get(client), fleet, seen, now) for client in wanted]


def _row(client: str, container: ObservedContainer | None, fleet: Fleet, seen: Seen, now: datetime) -> Row:
    in_file, enabled = client in fleet.client_ids, client not in fleet.disabled
    has_volume = client in seen.volumes
    if container is None:
        place = Place.ABSENT if enabled else Place.DISABLED
        session = None if has_volume else False
        row = Row(client, place, in_file, enabled, session_present=session, has_volume=has_volume)
        return _advised(row, now)
    answer, detail = seen.answers.get(client), seen.details.get(client)
    words = seen.words.get(client, LastWords())
    proxy = next((bot.proxy.server for bot in fleet.bots if bot.client_id == client and bot.proxy), None)
    known = Row(
        client,
        Place.ANSWERS,
        in_file,
        enabled,
        container=container.name,
        health=container.health,
        has_volume=has_volume,
        proxy=proxy,
    )
    loops = (detail.state if detail else container.state) is ContainerState.RUNNING and _loops(detail, words)
    if isinstance(answer, Mapping) and not (loops and answer.get("state") == State.STARTING.value):
        return _advised(_answered(known, answer), now)
    row = (
        replace(known, place=Place.RESTARTING)
        if loops
        else _unanswered(known, container, answer, detail, now)
    )
    row = replace(row, session_kept=words.session)
    if row.place is Place.RESTARTING or (row.place is Place.EXITED and row.exit_code in _TOLD_IN_LOG):
        row = replace(row, reason=words.message, fix=words.fix)
    return _advised(row, now)


def _loops(detail: Detail | None, words: LastWords) -> bool:
    """The engine starts it again and again, whatever it is doing just now: the count decides, and the log, where there
    is one, that it did not reach WhatsApp in between.
    """
    restarts = detail.restarts if detail else 0
    return restarts >= _LOOP_STARTS - 1 and (words.starts == 0 or words.starts >= _LOOP_STARTS)


def _answered(known: Row, answer: Json) -> Row:
    counters = answer.get("counters")
    counters = counters if isinstance(counters, Mapping) else {}
    session = answer.get("session_present")
    phone = answer.get("phone")
    uptime = answer.get("uptime_seconds")
    storage = answer.get("storage")
    state = str(answer.get("state") or "?")
    reason, fix = troubles.outage(answer), None
    if state in _TELLS_WHY and isinstance(events := answer.get("last_events"), list):
        words = troubles.of_events(events)
        reason, fix = words.message or reason, words.fix
    return replace(
        known,
        state=state,
        reason=None if state == State.READY.value else reason,
        fix=fix,
        since=moment(answer.get("since")),
        phone=phone if isinstance(phone, str) else None,
        session_present=session if isinstance(session, bool) else None,
        disconnects=total(counters.get("disconnects")),
        reconnects=total(counters.get("reconnects")),
        qr_requests=total(counters.get("qr_requests")),
        memory_bytes=whole(answer.get("memory_bytes")),
        storage=storage if isinstance(storage, str) else None,
        uptime_seconds=float(uptime) if isinstance(uptime, int | float) and isfinite(uptime) else None,
    )


def _unanswered(
    known: Row, container: ObservedContainer, mute: Json | Mute | None, detail: Detail | None, now: datetime
) -> Row:
    state = detail.state if detail else container.state
    code = detail.exit_code if detail else container.exit_code
    if state is ContainerState.RUNNING:
        started = detail.started_at if detail else None
        starting = young(detail, now) and mute is not Mute.LATE
        return replace(known, place=Place.STARTING if starting else Place.SILENT, since=started)
    since = detail.finished_at if detail else None
    if not known.enabled and not state.may_write:
        return replace(known, place=Place.DISABLED, since=since, exit_code=code)
    place = _PLACES[state]
    if place is Place.EXITED and detail and detail.oom_killed:
        place = Place.OOM
    ended = place in (Place.EXITED, Place.OOM, Place.RESTARTING)
    return replace(known, place=place, since=since if ended else None, exit_code=code if ended else None)


def young(detail: Detail | None, now: datetime) -> bool:
    """Whether the container was started so lately that its bot may not answer yet."""
    started = detail.started_at if detail else None
    return started is not None and (now - started).total_seconds() < START_SECONDS


_PLACES = {
    ContainerState.CREATED: Place.CREATED,
    ContainerState.PAUSED: Place.PAUSED,
    ContainerState.RESTARTING: Place.RESTARTING,
    ContainerState.REMOVING: Place.REMOVING,
    ContainerState.EXITED: Place.EXITED,
    ContainerState.DEAD: Place.REMOVING,
}


def _advised(row: Row, now: datetime) -> Row:
    weight, advice = _advice(row, now)
    return replace(row, weight=weight, advice=advice)


def _advice(row: Row, now: datetime) -> tuple[Weight, Advice | None]:
    """The first thing a person should do, if anything."""
    runs = row.place in (Place.ANSWERS, Place.STARTING, Place.SILENT, Place.PAUSED, Place.RESTARTING)
    if not row.in_file:
        return Weight.ACT if runs else Weight.OFF, Advice("taken_out", _manager("up"))
    if not row.enabled:
        if runs:
            return Weight.ACT, Advice("disabled_runs", _manager(f"up {row.client_id}"))
        command = f"{_manager(f'resume {row.client_id}')} && {_manager(f'up {row.client_id}')}"
        return Weight.OFF, Advice("disabled", command)
    if row.place is Place.ANSWERS:
        return _advice_of_state(row, now)
    if row.place is Place.STARTING:
        return Weight.WAITS, None
    key, words = _OUTSIDE[row.place]
    if row.place is Place.EXITED and row.exit_code in _TOLD_IN_LOG:
        key, words = "look_in_log", "logs"
    return Weight.ACT, Advice(key, _manager(f"{words} {row.client_id}"))


_OUTSIDE = {
    Place.SILENT: ("silent", "restart"),
    Place.PAUSED: ("paused", "up"),
    Place.RESTARTING: ("look_in_log", "logs"),
    Place.EXITED: ("start", "up"),
    Place.OOM: ("oom", "up"),
    Place.CREATED: ("start", "up"),
    Place.REMOVING: ("start", "up"),
    Place.ABSENT: ("start", "up"),
}
_TOLD_IN_LOG = frozenset(code for code in BotExit if code is not BotExit.OK)


def _advice_of_state(row: Row, now: datetime) -> tuple[Weight, Advice | None]:
    state = _BY_NAME.get(row.state or "")
    if state is None:  # of a later version of the bot
        return Weight.WAITS, None
    if state in _STATES:
        key, words = _STATES[state]
        return Weight.ACT, Advice(key, _manager(words.format(client=row.client_id)) if words else None)
    wrong = "storage" if row.storage is not None else "unhealthy" if row.health == "unhealthy" else ""
    if wrong:
        return Weight.ACT, Advice(wrong, _manager(f"logs {row.client_id}"))
    if state is State.READY:
        return Weight.GOOD, None
    return _advice_while_waiting(row, state, now)


def _advice_while_waiting(row: Row, state: State, now: datetime) -> tuple[Weight, Advice | None]:
    if state.user_action is not UserAction.WAIT or row.since is None:
        return Weight.WAITS, None
    seconds = (now - row.since).total_seconds()
    if seconds > HINT_SECONDS and (cause := troubles.cause(row.reason)):
        return Weight.ACT, _ADVICE_OF_CAUSE[cause](row)
    if seconds > HINT_SECONDS and state is State.RECONNECTING:
        return Weight.ACT, Advice("away_long", _manager(f"logs {row.client_id}"))
    if seconds > PATIENCE_SECONDS:
        return Weight.ACT, Advice("waits_long", _manager(f"logs {row.client_id}"))
    return Weight.WAITS, None


def _look_up(row: Row) -> Advice:
    return Advice("no_dns", f"docker exec {row.container} getent hosts web.whatsapp.com")


def _no_network(row: Row) -> Advice:
    return Advice("no_network", _manager(f"up {row.client_id}"))


def _no_trust(row: Row) -> Advice:
    return Advice("no_trust", _manager(f"logs {row.client_id}"))


def _proxy_away(row: Row) -> Advice:
    return Advice("proxy_away", _manager(f"up {row.client_id}"), row.proxy)


_ADVICE_OF_CAUSE: dict[str, Callable[[Row], Advice]] = {
    "no_dns": _look_up,
    "no_network": _no_network,
    "no_trust": _no_trust,
    "proxy_away": _proxy_away,
}


_BY_NAME = {state.value: state for state in State}
_TELLS_WHY = (State.FAILED.value, State.STARTING.value, State.RECONNECTING.value)
_STATES = {
    State.WAITING_FOR_QR_SCAN: ("scan", "qr {client}"),
    State.CONFLICT: ("conflict", "restart {client}"),
    State.BANNED: ("banned", "restart {client}"),
    State.OUTDATED: ("outdated", "up --rebuild"),
    State.PROXY_BLOCKED: ("proxy", "up {client}"),
    State.FAILED: ("look_in_log", "logs {client}"),
}


def _manager(words: str) -> str:
    return f"python -m manager {words}"
