"""Images of others, from a registry that may be far away, slow or not there at all."""

from __future__ import annotations

import select
import subprocess

from setup.host import run

_ANSWER_SECONDS = 15.0
_WHOLE_SECONDS = 600.0


def is_there(tag: str) -> bool:
    return run(["docker", "image", "inspect", "--format", "{{.Id}}", tag]).returncode == 0


def pull(image: str) -> bool:
    """True when the image is in the engine now. A registry that is silent is not waited for."""
    with subprocess.Popen(
        ["docker", "pull", image], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], _ANSWER_SECONDS)[0]:
            process.kill()
            return False
        try:
            process.communicate(timeout=_WHOLE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return False
    return process.returncode == 0
