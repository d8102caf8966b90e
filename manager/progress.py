"""How `up`, `down`, `restart` and `rm` tell what they do: a line for each step, and in a terminal what is under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from bot.text import Catalogue
from manager.execute import Step, StepState
from manager.image import ImageProgress
from manager.plan import Action
from manager.reconcile import Progress, Waiting
from manager.spec import container_name

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_COLOURS = {StepState.FAILED: "red", StepState.SKIPPED: "yellow", StepState.LOST_RACE: "yellow"}
_SHOWN = 12
_ID_DIGITS = 64


class Reporter(Protocol):
    def __call__(self, progress: Progress) -> None: ...
    def asking(self, question: Callable[[], bool]) -> bool: ...


def target_name(action: Action, project: str) -> str:
    """The target as people know it: a container's name instead of its id."""
    if len(action.target) < _ID_DIGITS or action.client_id is None:
        return action.target
    return str(action.cause.values.get("name") or container_name(project, action.client_id))


class Silent:
    """For JSON: everything stands in the answer."""

    def __call__(self, progress: Progress) -> None:
        pass

    def asking(self, question: Callable[[], bool]) -> bool:
        return question()


class Plain:
    """One line for each finished step, with its cause."""

    def __init__(self, say: Catalogue, project: str) -> None:
        self._say = say
        self._project = project
        self._build_step = (-1, 0)

    def __call__(self, progress: Progress) -> None:
        match progress:
            case Step():
                if progress.state is not StepState.STARTED:
                    self.line(self.finished(progress), _COLOURS.get(progress.state))
            case Waiting():
                self.line(self._say("execute.waiting", holder=progress.holder), "yellow")
            case ImageProgress():
                # A build step says a hundred things; its first line names it.
                if not progress.steps or (progress.step, progress.steps) != self._build_step:
                    self.line(self.building(progress))
                self._build_step = (progress.step, progress.steps)

    def asking(self, question: Callable[[], bool]) -> bool:
        return question()

    def line(self, text: str, colour: str | None = None) -> None:
        click.secho(text, fg=colour)

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


class Lively(Plain):
    """The same lines, and below them what is under way and for how long."""

    def __init__(self, say: Catalogue, project: str) -> None:
        super().__init__(say, project)
        self._under_way: dict[str, tuple[str, float]] = {}
        self._live: Live | None = None

    def __call__(self, progress: Progress) -> None:
        if isinstance(progress, ImageProgress):
            self._under_way["image"] = (self.building(progress), self._began("image"))
        elif isinstance(progress, Step):
            key = f"{progress.action.client_id} {progress.action.kind} {progress.action.target}"
            if progress.state is StepState.STARTED:
                self._under_way[key] = (self.doing(progress.action), time.monotonic())
            else:
                self._under_way.pop(key, None)
            self._under_way.pop("image", None)
        super().__call__(progress)

    def line(self, text: str, colour: str | None = None) -> None:
        from rich.text import Text  # noqa: PLC0415  only where a terminal is

        if self._live is None:
            super().line(text, colour)
        else:
            mark = {"red": "✗ ", "yellow": "! "}.get(colour or "", "✓ ")
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
        from rich.live import Live  # noqa: PLC0415

        with Live(get_renderable=self._picture, transient=True, refresh_per_second=8) as self._live:
            yield
        self._live = None

    def _picture(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415
        from rich.spinner import Spinner  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        going = list(self._under_way.values())
        rows: list[RenderableType] = []
        for text, began in going[:_SHOWN]:
            shown = Text(f"{text} {time.monotonic() - began:.0f} s", overflow="ellipsis", no_wrap=True)
            spinner = Spinner("dots", shown)
            spinner.start_time = began
            rows.append(spinner)
        if len(going) > _SHOWN:
            rows.append(Text(self._say("execute.more", count=len(going) - _SHOWN)))
        return Group(*rows)

    def _began(self, key: str) -> float:
        return self._under_way[key][1] if key in self._under_way else time.monotonic()
