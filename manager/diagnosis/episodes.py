"""PURE: QR episodes: from the first code that was shown, through restarts, to the scan."""

from __future__ import annotations

from dataclasses import dataclass

from manager.diagnosis.discreet import discreet, name
from manager.diagnosis.event import Event
from manager.diagnosis.story import Episode


@dataclass(slots=True)
class _Asked:
    first: Event
    start: float
    cause: str
    tried: tuple[str, ...]
    codes: int = 0
    end: float | None = None
    back: float | None = None


class Episodes:
    """`tried`: what was kept of a session that seems lost, put back since it was READY last. `anew`: the process that
    runs has shown no code yet.
    """

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.anew = True
        self._all: list[_Asked] = []
        self._open: _Asked | None = None

    def ask(self, event: Event, at: float) -> bool:
        """A code is shown. Whether with it an episode began: a bot that was restarted goes on counting its codes."""
        known, cause = self._open, name(event.cause or "")
        self.anew = False
        began = known is None or known.cause != cause or event.number == 1
        if known is None or began:
            self._open = known = _Asked(event, at, cause, tuple(self.tried))
            self._all.append(known)
            self.tried = []
        known.codes += 1
        return began

    def restore(self, event: Event) -> None:
        number = "" if event.generation is None else f" {event.generation}"
        self.tried.append(name(f"{event.kind or '?'}{number}"))

    def ready(self, at: float) -> None:
        """By a scan, as long as the log may just lack its line; but of what a code showed no later process knows."""
        if self._open is not None and self.anew:
            self._open.back, self._open = at, None
        self.scanned(at)

    def scanned(self, at: float) -> None:
        if self._open is not None:
            self._open.end, self._open = at, None

    def listed(self, since: float | None, *, runs: bool) -> tuple[Episode, ...]:
        """Those that were open at some time after `since`. `runs`: the bot does, and so the last may be scanned yet."""
        return tuple(
            Episode(
                start=each.start,
                cause=each.cause,
                verdict=None if each.first.verdict is None else name(each.first.verdict),
                evidence=tuple(discreet(line) for line in each.first.evidence or ()),
                tried=each.tried,
                codes=each.codes,
                end=each.end,
                back=each.back,
                waiting=runs and each is self._open,
            )
            for each in self._all
            if since is None or each is self._open or (each.end or each.back or each.start) >= since
        )
