"""How `up`, `down`, `restart` and `rm` tell what they do: a line for each step, and in a terminal what is under way."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Protocol

import click

from bot.contract import Level
from bot.text import Catalogue
from manager.admission import Hold
from manager.execute import Step, StepState
from manager.image import ImageProgress
from manager.plan import Action
from manager.reconcile import Progress, Waiting
from manager.rollout import News
from manager.spec import container_name

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_COLOURS = {StepState.FAILED: "red", StepState.SKIPPED: "yellow", StepState.LOST_RACE: "yellow"}
_NEWS_COLOURS = {Level.ERROR: "red", Level.INFO: "cyan"}
_HELD_COLOURS = {Hold.OTHERS: "cyan", Hold.MEMORY: "yellow"}
_MARKS = {"red": "✗ ", "yellow": "! ", "cyan": "› "}
_SHOWN = 12
_IMAGE = "image"
_ID_DIGITS = 64


class Reporter(Protocol):
    """`shown` surrounds the whole work; `asking` is for a question in the middle of it."""

    def __call__(self, progress: Progress | News) -> None: ...
    def asking(self, question: Callable[[], bool]) -> bool: ...
    def shown(self) -> AbstractContextManager[None]: ...


def target_name(action: Action, project: str) -> str:
    """The target as people know it: a container's name instead of its id."""
    if len(action.target) < _ID_DIGITS or action.client_id is None:
        return action.target
    return str(action.cause.values.get("name") or container_name(project, action.client_id))


class Silent:
    """For JSON: everything stands in the answer."""

    def __call__(self, progress: Progress | News) -> None:
        pass

    def asking(self, question: Callable[[], bool]) -> bool:
        return question()

    @contextmanager
    def shown(self) -> Iterator[None]:
        yield


class Plain:
    """One line for each finished step, with its cause; what failed goes to stderr."""

    def __init__(self, say: Catalogue, project: str) -> None:
        self._say = say
        self._project = project
        self._build_step = (-1, 0)
        # What is done, and since when; a step's key names bot and kind.
        self._under_way: dict[str, tuple[str, float]] = {}
        self._interrupted = False
        self._holds: set[Hold] = set()

    def __call__(self, progress: Progress | News) -> None:
        match progress:
            case Step():
                self._step(progress)
            case Waiting():
                self.line(self._say("execute.waiting", holder=progress.holder), "yellow")
            case News():
                self.line(progress.say(self._say), _NEWS_COLOURS.get(progress.level))
            case ImageProgress():
                # A build step says a hundred things; its first line names it.
                if not progress.steps or (progress.step, progress.steps) != self._build_step:
                    self.line(self.building(progress))
                self._build_step = (progress.step, progress.steps)

    def _step(self, step: Step) -> None:
        key = f"{step.action.client_id} {step.action.kind} {step.action.target}"
        if step.state is StepState.STARTED:
            self._under_way[key] = (self.doing(step.action), time.monotonic())
            return
        if step.state is StepState.HELD:
            self._tell_hold(step)
            return
        self._under_way.pop(key, None)
        # After Ctrl-C all that has not begun is left out, and nobody wants to read that line by line.
        if not (self._interrupted and step.state is StepState.SKIPPED):
            self.line(self.finished(step), _COLOURS.get(step.state))

    def _tell_hold(self, step: Step) -> None:
        """Said once of each reason: after that it is seen in the steps' own times."""
        if step.hold and step.hold not in self._holds:
            self._holds.add(step.hold)
            self.line(self._say(f"execute.held_{step.hold.value}"), _HELD_COLOURS[step.hold])

    def asking(self, question: Callable[[], bool]) -> bool:
        return question()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Ctrl-C raises click.Abort, after a word on what it means while steps are under way."""

        def told(_: int, __: FrameType | None) -> None:
            signal.signal(signal.SIGINT, before)
            if self._under_way:
                self._interrupted = True
                self.interrupted(self._say("cli.interrupted"))
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, told)
        try:
            yield
        except KeyboardInterrupt:
            raise click.Abort from None
        finally:
            signal.signal(signal.SIGINT, before)

    def interrupted(self, text: str) -> None:
        """Called inside a signal handler: no stream may be used that the main thread may be just writing to."""
        os.write(sys.stderr.fileno(), f"{text}\n".encode())

    def line(self, text: str, colour: str | None = None) -> None:
        # Nobody may listen any more (`| head`), or the log's disk is full: no reason to leave the fleet half made.
        with suppress(OSError):
            click.secho(text, fg=colour, err=colour == "red")

    def doing(self, action: Action) -> str:
        what = self._say(f"execute.{action.kind.value}", target=target_name(action, self._project))
        cause = action.cause.say(self._say)
        return f"{action.client_id}: {what} ({cause})" if action.client_id else f"{what} ({cause})"

    def finished(self, step: Step) -> str:
        text = self.doing(step.action)
        match step.state:
            case StepState.FAILED if step.error is not None:
                step.error.values["name"] = target_name(step.action, self._project)
                said = step.error.say(self._say)
                return self._say("execute.failed", text=text, message=said.message, fix=said.fix)
            case StepState.SKIPPED:
                return f"{text}: {self._say('execute.skipped')}"
            case StepState.LOST_RACE:
                return f"{text}: {self._say('execute.lost_race')}"
            case _:
                return self._say("execute.done", text=text, seconds=f"{step.seconds:.1f}")

    def building(self, progress: ImageProgress) -> str:
        if not progress.steps:
            return self._say("image.base", text=progress.text)
        values = {"step": progress.step, "steps": progress.steps, "text": progress.text}
        return self._say("image.step", **values)


class Aside(Plain):
    """On stderr, where the answer is another."""

    def line(self, text: str, colour: str | None = None) -> None:
        click.secho(text, fg=colour, err=True)


class Lively(Plain):
    """The same lines, and below them what is under way and for how long."""

    def __init__(self, say: Catalogue, project: str) -> None:
        super().__init__(say, project)
        self._live: Live | None = None
        self._interruption = ""
        self._after: tuple[str, float] | None = None  # who is looked after, and since when

    def __call__(self, progress: Progress | News) -> None:
        if self._live is None:
            self._begin()
        if isinstance(progress, ImageProgress):
            self._under_way[_IMAGE] = (self.building(progress), self._began(_IMAGE))
        elif isinstance(progress, Step):
            self._under_way.pop(_IMAGE, None)
        elif isinstance(progress, News):
            self._look_after(progress)
        super().__call__(progress)

    def _look_after(self, news: News) -> None:
        if waits := news.values.get("clients"):
            self._after = (self._say("rollout.looks_after", clients=waits), time.monotonic())
        elif news.key in ("halt", "done"):
            self._after = None

    def _begin(self) -> None:
        """Only when there is something to show: a second `up` must not wait for rich to be read."""
        from rich.live import Live  # noqa: PLC0415

        self._live = Live(get_renderable=self._picture, transient=True, refresh_per_second=8)
        self._live.start()

    def line(self, text: str, colour: str | None = None) -> None:
        from rich.text import Text  # noqa: PLC0415

        assert self._live is not None
        mark = _MARKS.get(colour or "", "✓ ")
        self._live.console.print(Text(mark, style=colour or "green").append(text, style=colour or ""))

    def asking(self, question: Callable[[], bool]) -> bool:
        if self._live is None:
            return question()
        self._under_way.clear()
        self._live.stop()
        try:
            return question()
        finally:
            self._live.start()

    @contextmanager
    def shown(self) -> Iterator[None]:
        try:
            with super().shown():
                yield
        finally:
            if self._live is not None:
                self._live.stop()

    def interrupted(self, text: str) -> None:
        self._interruption = text

    def _picture(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415
        from rich.spinner import Spinner  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        going = list(self._under_way.values()) or ([self._after] if self._after else [])
        rows: list[RenderableType] = []
        for text, began in going[:_SHOWN]:
            shown = Text(f"{text} {time.monotonic() - began:.0f} s", overflow="ellipsis", no_wrap=True)
            spinner = Spinner("dots", shown)
            spinner.start_time = began
            rows.append(spinner)
        if len(going) > _SHOWN:
            rows.append(Text(self._say("execute.more", count=len(going) - _SHOWN)))
        if self._interruption:
            rows.append(Text(self._interruption, style="yellow"))
        return Group(*rows)

    def _began(self, key: str) -> float:
        return self._under_way[key][1] if key in self._under_way else time.monotonic()
