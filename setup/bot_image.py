"""The bot's image, made as `up` makes it: by the manager itself."""

from __future__ import annotations

import subprocess
import sys

from setup import environment
from setup.host import ROOT
from setup.say import SetupError, say

_PROGRAM = """
import os
from manager import image
from manager.engine import Engine
from manager.problems import EngineError
from manager.text import catalogue
try:
    image.ensure(Engine.connect(os.environ), None, os.environ)
except EngineError as error:
    raise SystemExit(error.say(catalogue("en")).message)
"""


def ensure() -> None:
    """Raises SetupError."""
    python = environment.ensure()
    say("bot-image")
    answer = subprocess.run(
        [str(python), "-c", _PROGRAM], cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False
    )
    if answer.returncode != 0:
        sys.stderr.write(answer.stderr)
        raise SetupError("bot-image-failed")
