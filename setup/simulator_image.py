"""The simulator's image, named after the content of its sources: an unchanged one costs one look-up."""

from __future__ import annotations

from pathlib import Path

from setup import base_image, building
from setup.context import sources
from setup.host import ROOT, turn
from setup.say import say

_SOURCES = ("Dockerfile", "requirements/simulator.txt", "simulator")
# An older builder walks through the bot's stages as well; from equal files it takes them from its cache.
_WALKED_THROUGH = ("requirements/bot.txt", "bot", "handlers")


def tag(root: Path = ROOT) -> str:
    return f"oturum-simulator:{building.digest(sources(root, _SOURCES))}"


def ensure(root: Path = ROOT) -> str:
    """The tag, with the image in the engine. Raises SetupError."""
    name = tag(root)
    if not base_image.is_there(name):
        with turn("simulator-image"):
            if not base_image.is_there(name):
                base_image.ensure()
                say("simulator-building", image=name)
                files = sources(root, _SOURCES + _WALKED_THROUGH)
                building.build(name, "simulator", files, failed="simulator-failed")
    return name
