"""The simulator's image, named after the content of its sources: an unchanged one costs one look-up."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from setup import base_image, mirrors
from setup.context import archive, sources
from setup.host import ROOT, turn
from setup.say import SetupError, say

_SOURCES = ("Dockerfile", "requirements/simulator.txt", "simulator")
# An older builder walks through the bot's stages as well; from equal files it takes them from its cache.
_WALKED_THROUGH = ("requirements/bot.txt", "bot", "handlers")


def tag(root: Path = ROOT) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(sources(root, _SOURCES).items()):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return f"oturum-simulator:{digest.hexdigest()[:12]}"


def ensure(root: Path = ROOT) -> str:
    """The tag, with the image in the engine. Raises SetupError."""
    name = tag(root)
    if not base_image.is_there(name):
        with turn("simulator-image"):
            if not base_image.is_there(name):
                base_image.ensure()
                _build(root, name)
    return name


def _build(root: Path, name: str) -> None:
    say("simulator-building", image=name)
    arguments = mirrors.build_arguments()
    flags = [word for key in arguments for word in ("--build-arg", key)]
    context = archive(sources(root, _SOURCES + _WALKED_THROUGH))
    # Values go through the environment: a command line is for everybody to read.
    answer = subprocess.run(
        ["docker", "build", "--quiet", "--target", "simulator", "--tag", name, *flags, "-"],
        input=context,
        capture_output=True,
        check=False,
        env=os.environ | arguments,
    )
    if answer.returncode != 0:
        said = (answer.stdout + answer.stderr).decode(errors="replace").strip().splitlines()
        sys.stderr.write("\n".join([*said[-20:-1], ""]))
        raise SetupError("simulator-failed", detail=said[-1] if said else answer.returncode)
