"""PURE: lines of the bots' event logs, as people read them.

2026-11-25 21:18:08  sales  ⚠️  Warning | WHATSAPP_DISCONNECT | (connection lost) | reason: … | session: present ✅
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from bot.contract import EventName, Level
from bot.text import Catalogue
from manager.pieces import Line, Piece

_ALWAYS = ("time", "event", "level", "client_id", "message")
# What people look for first.
_FIRST = ("hint", "fix")
# Words of the program's own, which a sentence may hold by chance.
_NEVER_LEFT_OUT = ("how", "cause", "verdict", "session")
_ICONS = {Level.SUCCESS: "✅ ", Level.INFO: "ℹ️  ", Level.WARNING: "⚠️  ", Level.ERROR: "❌ "}
_STYLES = {Level.SUCCESS: "green", Level.INFO: "blue", Level.WARNING: "yellow", Level.ERROR: "red"}
_LEVELS = tuple(level.value for level in Level)
_SESSION_ICONS = {"present": "✅", "absent": "❌"}
_EVENT_WIDTH = max(len(each) for each in EventName)
_SPLIT = " | "
# What would move the cursor, colour the rest of the terminal or turn the text around.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NANO = 10**9
_TIME = re.compile(r'\s*\{\s*"time"\s*:\s*"([^"]+)"')


@dataclass(frozen=True, slots=True, order=True)
class Stamped:
    """A line as the engine kept it. `at`: when it got it, in nanoseconds since 1970."""

    at: int
    client_id: str
    text: str


def stamped(client_id: str, line: str, before: int = 0) -> Stamped:
    """`line` begins with the engine's time; one that does not belongs to what came `before`."""
    time, space, text = line.partition(" ")
    at = nanoseconds(time)
    return Stamped(before, client_id, line) if at is None or not space else Stamped(at, client_id, text)


def left_behind(client_id: str, log: bytes) -> list[Stamped]:
    """The lines of an event log that no engine has stamped, in their order: each at the time that it tells itself, or,
    where it tells none or an earlier one, at that of the line before."""
    found: list[Stamped] = []
    before = 0
    for line in log.decode(errors="replace").split("\n"):
        if line.strip():
            told = _TIME.match(line)
            before = max(before, (nanoseconds(told[1]) if told else None) or 0)
            found.append(Stamped(before, client_id, line))
    return found


def nanoseconds(text: str) -> int | None:
    """RFC 3339 in UTC with up to nine decimals -> since 1970; None for anything else."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", text)
    if found is None:
        return None
    try:
        whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(whole.timestamp()) * _NANO + int((found[2] or "0").ljust(9, "0"))


class Layout:
    """`names`: width of the clientIds before each line; 0 for a single bot, which needs none. `zone`: the
    reader's; None for that of this machine."""

    def __init__(self, say: Catalogue, names: int = 0, zone: tzinfo | None = None) -> None:
        self._say, self._names, self._zone = say, names, zone
        self._levels = {level: say(f"logs.level_{level.value}") for level in Level}
        self._level_width = max(map(len, self._levels.values()))

    def line(self, found: Stamped) -> Line:
        """A line that is no event (the end of a bot that broke) stays as it is."""
        event = _event(found.text)
        name = f"{found.client_id:{self._names}}  " if self._names else ""
        if event is None:
            return (Piece(name, "bold"), Piece(printable(found.text)))
        level = Level(event["level"])
        head = f"{_ICONS[level]}{self._levels[level]:{self._level_width}}"
        told = [f"{printable(str(event['event'])):{_EVENT_WIDTH}}", f"({printable(str(event['message']))})"]
        told += [self._pair(key, value) for key, value in _news(event)]
        return (
            Piece(f"{self._time(str(event['time']))}  ", "dim"),
            Piece(name, "bold"),
            Piece(head, _STYLES[level]),
            Piece(_SPLIT + _SPLIT.join(told)),
        )

    def _time(self, text: str) -> str:
        try:
            moment = datetime.fromisoformat(text).astimezone(self._zone)
        except (ValueError, OverflowError):
            return printable(text)
        return moment.strftime("%Y-%m-%d %H:%M:%S")

    def _pair(self, key: str, value: object) -> str:
        if key == "reason":
            key = self._say("logs.reason")
        if key == "session" and isinstance(value, str) and value in _SESSION_ICONS:
            return f"{key}: {self._say(f'logs.session_{value}')} {_SESSION_ICONS[value]}"
        text = printable(_written(value))
        return f"{printable(key)}: ({text})" if key == "hint" else f"{printable(key)}: {text}"


def _event(text: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and all(key in found for key in _ALWAYS)
    return found if whole and found["level"] in _LEVELS else None


def _news(event: Mapping[str, Any]) -> list[tuple[str, object]]:
    """The fields of an event that its message has not told yet, what mends it first."""
    found = {key: value for key, value in event.items() if key not in _ALWAYS}
    keys = sorted(found, key=lambda key: _FIRST.index(key) if key in _FIRST else len(_FIRST))
    values = list(found.values())
    return [
        (key, found[key])
        for key in keys
        if key in _NEVER_LEFT_OUT or not _is_told(found[key], values, str(event["message"]))
    ]


def _is_told(value: object, values: Sequence[object], message: str) -> bool:
    """A number in the message is that of one field only; which one, nobody knows where two have it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        return False
    if not isinstance(value, str) and values.count(value) > 1:
        return False
    return re.search(rf"(?<!\w){re.escape(_written(value))}(?!\w)", message) is not None


def _written(value: object) -> str:
    match value:
        case str():
            return value
        case float():
            return f"{value:g}"
        case list() if all(isinstance(each, str | int | float) for each in value):
            return ", ".join(_written(each) for each in value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def printable(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
