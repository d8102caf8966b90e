"""`python3 -m setup NAME…`: makes ready what the project needs. Python alone is enough for it.

Everything here may be asked for again at any time: what is there costs a look, and nothing is done twice.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  the one sentence an older Python must be able to say
    sys.exit("Oturum: Python 3.11+ is needed, this is %s (Python 3.11+ gerekli)." % sys.version.split()[0])  # noqa: UP031

from collections.abc import Callable

from setup import (
    base_image,
    bot_image,
    cleaning,
    compose_tool,
    engine,
    environment,
    monitor,
    simulator_image,
    test_tools,
)
from setup.say import SetupError, say


def _base() -> None:
    engine.ensure()
    base_image.ensure()


def _bot() -> None:
    _base()
    bot_image.ensure()


def _simulator() -> None:
    engine.ensure()
    simulator_image.ensure()


def _monitor() -> None:
    engine.ensure()
    monitor.ensure()


def _monitor_images() -> None:
    engine.ensure()
    monitor.images()


_STARTS_OR_STOPS = ("monitor", "monitor-stop")
PARTS: dict[str, Callable[[], object]] = {
    "venv": environment.ensure,
    "engine": engine.ensure,
    "base": _base,
    "bot-image": _bot,
    "simulator-image": _simulator,
    "monitor-images": _monitor_images,
    "monitor": _monitor,
    "monitor-stop": monitor.stop,
    "compose": compose_tool.command,
    "test-tools": test_tools.ensure,
}


def main(names: list[str]) -> int:
    if "all" in names:
        names = [name for name in PARTS if name not in _STARTS_OR_STOPS]
    if not names or (names != ["clean"] and not PARTS.keys() >= set(names)):
        say("usage", parts=" ".join([*PARTS, "clean"]))
        return 2
    try:
        if names == ["clean"]:
            cleaning.clean()
            return 0
        for name in names:
            PARTS[name]()
    except SetupError as error:
        say("failed", what=error)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
