"""`make demo`: the whole story in front of you, and an exit code that says whether all of it was true."""

from __future__ import annotations

import os
import re
import signal
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from bot.text import Catalogue
from demo.screen import Screen
from demo.stage import Stage, StageError
from demo.story import Scene, Story
from manager import config, image
from manager.app import language
from manager.engine import Engine
from manager.image import ImageProgress
from manager.locking import turn
from manager.problems import EngineError
from manager.progress import Plain
from manager.reconcile import Progress
from manager.rollout import News
from manager.text import catalogue
from setup import simulator_image
from setup.say import SetupError

FOLDER = Path(__file__).parent
FILE = FOLDER / "bots.yaml"
INTERRUPTED = 130
WRONG_USAGE = 2
# A code stays until it is scanned, however slow the machine: codes that change by themselves would be no new requests.
_SIMULATOR_OPTIONS = ("--first-ref-seconds", "900")
_PLAIN_WIDTH = 120
_NOTHING_TO_DO = re.compile(r"---> (Using cache|[0-9a-f]+)")


def main() -> int:
    tongue = language(os.environ)
    say = Catalogue(FOLDER / "locales", tongue)
    if sys.argv[1:]:
        print(say("demo.usage"), say("demo.about"), sep="\n\n")
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else WRONG_USAGE
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(say, tongue)
    except KeyboardInterrupt:
        print("\n" + say("demo.interrupted"), file=sys.stderr)
        return INTERRUPTED
    except EngineError as error:
        said = error.say(catalogue(tongue))
        print(f"{said.message}\n  {said.fix}", file=sys.stderr)
    except (StageError, SetupError) as error:
        print(error, file=sys.stderr)
    return 1


def _run(say: Catalogue, tongue: str) -> int:
    engine = Engine.connect(os.environ)
    variables = {"DEMO_LANGUAGE": tongue}
    fleet = config.load(FILE, os.environ | variables | {"SIMULATOR_PIN": "-"})
    screen = Screen(say, [bot.client_id for bot in fleet.bots])
    on_progress = DemoProgress(catalogue(tongue), fleet.project)
    screen.line(say("demo.title"), "blue", bold=True)
    screen.tell("demo.about")
    # In this order: it tells each step, and an older builder goes through all of them for the simulator too.
    bot_image = image.ensure(engine, fleet.image, os.environ, on_progress)
    simulator = simulator_image.ensure()
    began = time.monotonic()
    waiting = lambda holder: screen.tell("demo.waiting", holder=holder)  # noqa: E731
    with (
        turn(f"demo on {engine.host}", waiting),
        Stage(engine, fleet.project, simulator, _SIMULATOR_OPTIONS) as stage,
    ):
        # One image for the whole story, also when somebody edits the sources meanwhile.
        fleet = replace(stage.fleet(FILE, **variables), image=bot_image.tag)
        story = Story(stage, fleet, screen, on_progress)
        try:
            true = story.play()
        finally:
            screen.line()
            screen.tell("demo.cleaning")
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    _summary(say, story.scenes)
    key = "demo.all_true" if true else "demo.not_true"
    screen.line(say(key, seconds=f"{time.monotonic() - began:.0f}"), "green" if true else "red", bold=True)
    return 0 if true else 1


class DemoProgress(Plain):
    """As `up` tells it; of build steps, which may be whole scripts, one line, and none of those from the cache."""

    def __init__(self, say: Catalogue, project: str) -> None:
        super().__init__(say, project)
        self._step_begun = 0
        self._held: ImageProgress | None = None

    def __call__(self, progress: Progress | News) -> None:
        if not isinstance(progress, ImageProgress) or not progress.steps:
            super().__call__(progress)
        elif progress.step != self._step_begun:
            self._step_begun, self._held = progress.step, progress
            if progress.step == 1:  # says that a build is under way
                super().__call__(progress)
        elif self._held is not None:
            # What the builder says next, at once, tells whether there is anything to do.
            if not _NOTHING_TO_DO.fullmatch(progress.text):
                super().__call__(self._held)
            self._held = None

    def building(self, progress: ImageProgress) -> str:
        return textwrap.shorten(super().building(progress), _PLAIN_WIDTH, placeholder=" …")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _summary(say: Catalogue, scenes: list[Scene]) -> None:
    table = Table(*(say(f"table.{each}") for each in ("scenario", "expected", "seen")))
    for each in ("qrs", "seconds"):
        table.add_column(say(f"table.{each}"), justify="right", no_wrap=True)
    for scene in scenes:
        seen = "\n".join(f"{client}: {' → '.join(names) or '–'}" for client, names in scene.seen.items())
        mark = "✔" if scene.ok else "✘"
        table.add_row(
            f"{mark} {say(f'scene.{scene.key}')}",
            say(f"scene.{scene.key}_expected"),
            "\n".join([seen or say("table.not_reached"), *(f"✘ {text}" for text in scene.failed)]),
            "\n".join(str(count) for count in scene.qrs.values()),
            f"{scene.seconds:.1f}",
            style="" if scene.ok else "red",
            end_section=True,
        )
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    Console(width=width, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
