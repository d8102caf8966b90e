"""PURE: what went wrong, counted by kind."""

from __future__ import annotations

import re

from bot.contract import EventName, Level
from manager.diagnosis.discreet import discreet, name
from manager.diagnosis.event import Event
from manager.diagnosis.story import Failure

FAILING = (Level.WARNING.value, Level.ERROR.value)
# Warnings that tell how a bot was set up, or what a person does.
_NO_FAILURE = frozenset({EventName.STARTUP.value, EventName.WHATSAPP_PAIRING_CODE.value})
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def is_failure(event: Event) -> bool:
    return event.level in FAILING and event.event not in _NO_FAILURE


class _Kind:
    """`event`: the last one; `hint` and `fix` the last that were given."""

    __slots__ = ("count", "event", "first", "fix", "hint", "last")

    def __init__(self, event: Event, first: float) -> None:
        self.event, self.first, self.last = event, first, first
        self.count = 0
        self.hint = self.fix = ""


class Failures:
    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def add(self, event: Event, at: float, reason: str | None = None) -> None:
        reason = reason or event.reason or event.how or event.cause or event.kind
        key = event.event, reason or _shape(event.problem or event.message)
        known = self._kinds.get(key)
        if known is None:
            known = self._kinds[key] = _Kind(event, at)
        known.count += 1
        known.last, known.event = at, event
        if event.hint is not None:
            known.hint, known.fix = event.hint, event.fix or ""

    def listed(self) -> tuple[Failure, ...]:
        return tuple(
            Failure(
                event=name(each.event.event),
                reason=name(reason) if reason.isidentifier() else "",
                level=name(each.event.level),
                count=each.count,
                first=each.first,
                last=each.last,
                text=discreet(each.event.problem or each.event.message),
                hint=discreet(each.hint),
                fix=discreet(each.fix),
            )
            for (_, reason), each in self._kinds.items()
        )


def _shape(text: str) -> str:
    """Equal for sentences that differ in their numbers alone; never a word."""
    return f"({_NUMBER.sub('#', text)})"
