"""The watcher's own log: a line for each happening, for people or (`--json`) for programs.

Each JSON line has at least `time` (RFC 3339, UTC, milliseconds), `event`, `level` and `message`, as the bots' event
logs have.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import click

from bot.contract import Level
from bot.text import Catalogue
from manager.admission import Hold
from manager.execute import Step, StepState
from manager.image import ImageProgress
from manager.progress import Plain, target_name
from manager.reconcile import Progress
from manager.watch.happenings import Happening, Kind

_COLOURS = {Level.SUCCESS: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


class Teller:
    """May be called from any thread. `colour`: for a terminal."""

    def __init__(
        self,
        say: Catalogue,
        out: TextIO,
        *,
        as_json: bool = False,
        colour: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._say, self._out, self._clock = say, out, clock
        self._as_json, self._colour = as_json, colour
        self._lock = threading.Lock()

    def __call__(self, happening: Happening) -> None:
        moment = self._clock()
        message = happening.say(self._say)
        level = happening.kind.level
        if self._as_json:
            client = {"client_id": happening.client_id} if happening.client_id else {}
            line = json.dumps(
                {
                    "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                    "event": happening.kind.value,
                    "level": level.value,
                    **client,
                    "message": message,
                    **happening.fields(),
                },
                ensure_ascii=False,
            )
        else:
            line = f"{moment.astimezone():%Y-%m-%d %H:%M:%S}  {message}"
            if self._colour and level in _COLOURS:
                line = click.style(line, fg=_COLOURS[level])
        with self._lock:
            # Nobody may be reading any more: no reason to stop watching.
            try:
                self._out.write(f"{line}\n")
                self._out.flush()
            except (OSError, ValueError):
                return


class PassTeller:
    """What a pass reports, told: of what goes on failing alike only the first time."""

    def __init__(self, teller: Callable[[Happening], None], say: Catalogue) -> None:
        self.tell, self._say = teller, say
        self._failing: dict[tuple[str | None, str], str] = {}
        self._build_step = (-1, 0)
        self._holds: set[Hold] = set()

    def forget(self) -> None:
        """Another bots.yaml counts: whoever saved it wants to know whether it helped."""
        self._failing.clear()

    def begin(self) -> None:
        """A pass begins: why its starts have to wait is told anew."""
        self._holds.clear()

    def __call__(self, progress: Progress, project: str) -> None:
        match progress:
            case Step():
                self._step(progress, project)
            case ImageProgress():
                # A build step says a hundred things; its first line names it.
                if not progress.steps or (progress.step, progress.steps) != self._build_step:
                    text = Plain(self._say, project).building(progress)
                    self.tell(Happening(Kind.IMAGE_STEP, {"text": text}))
                self._build_step = (progress.step, progress.steps)
            case _:
                self.tell(Happening(Kind.MANAGER_WAIT, {"holder": progress.holder}))

    def _step(self, step: Step, project: str) -> None:
        if step.hold is not None and step.hold not in self._holds:
            self._holds.add(step.hold)
            self.tell(Happening(Kind.START_HELD, {"text": self._say(f"execute.held_{step.hold.value}")}))
        key = (step.action.client_id, step.action.kind.value)
        if step.state is StepState.DONE:
            self._failing.pop(key, None)
            kind = Kind.STEP_DONE
        elif step.state is StepState.FAILED and self._failing.get(key) != str(step.error):
            self._failing[key] = str(step.error)
            kind = Kind.STEP_FAILED
        else:
            return
        text = Plain(self._say, project).finished(step)
        self.tell(
            Happening(
                kind,
                {
                    "text": text,
                    "action": step.action.kind.value,
                    "target": target_name(step.action, project),
                    "cause": step.action.cause,
                    "seconds": round(step.seconds, 3),
                    **({"error": step.error} if step.error else {}),
                },
                step.action.client_id,
            )
        )
