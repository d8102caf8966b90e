"""PURE: lines of an event log -> events. What can't be read is counted and left out: a log may be half written,
of another version of the bot, or of something else altogether."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import msgspec

_BLOCK = 1 << 16
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Event(msgspec.Struct, gc=False):
    """What counts of a line (docs/bot.md, "Event log"); its other keys are not looked at."""

    time: Annotated[datetime, msgspec.Meta(tz=True)]
    event: str
    level: str = ""
    message: str = ""
    before: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    reason: str | None = None
    how: str | None = None
    seconds: float | None = None
    cause: str | None = None
    number: int | None = None
    verdict: str | None = None
    evidence: list[str] | None = None
    kind: str | None = None
    generation: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    moment: str | None = None
    problem: str | None = None
    hint: str | None = None
    fix: str | None = None
    retry: float | None = msgspec.field(default=None, name="retryInSeconds")
    phone: str | None = None


_DECODER = msgspec.json.Decoder(Event)
_FIELDS = {field.encode_name: field for field in msgspec.structs.fields(Event)}


def blocks(log: bytes) -> Iterator[tuple[list[Event], int]]:
    """Every event, in the order of the lines, and how many lines are none: piece by piece, for what fits into a
    processor's cache is read and looked at twice as fast."""
    whole, begin = memoryview(log), 0
    while begin < len(log):
        end = log.find(b"\n", begin + _BLOCK) + 1 or len(log)
        yield _read(whole[begin:end])
        begin = end


def _read(lines: memoryview) -> tuple[list[Event], int]:
    try:
        return _DECODER.decode_lines(lines), 0
    except _UNREADABLE:
        found = [_event(line) for line in bytes(lines).splitlines() if line.strip()]
    events = [each for each in found if each is not None]
    return events, len(found) - len(events)


def _event(line: bytes) -> Event | None:
    try:
        return _DECODER.decode(line)
    except _UNREADABLE:
        return _what_is_known(line)


def _what_is_known(line: bytes) -> Event | None:
    """A key that another version uses for something else costs that key, not the event."""
    try:
        found = msgspec.json.decode(line)
    except _UNREADABLE:
        return None
    if not isinstance(found, dict):
        return None
    known: dict[str, object] = {}
    for name, wanted in _FIELDS.items():
        with suppress(KeyError, msgspec.ValidationError):
            known[wanted.name] = msgspec.convert(found[name], wanted.type)
    with suppress(KeyError, msgspec.ValidationError):  # a time without a zone is UTC, as all of them are
        time = msgspec.convert(found["time"], datetime)
        known["time"] = time if time.tzinfo else time.replace(tzinfo=UTC)
    return Event(**known) if {"time", "event"} <= known.keys() else None  # type: ignore[arg-type]
