"""An image of ours from a few files: the engine's builder gets no more than it needs to see."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping

from setup import mirrors
from setup.context import archive
from setup.say import SetupError


def digest(files: Mapping[str, bytes]) -> str:
    """12 hex digits that name this content."""
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()[:12]


def build(
    name: str, target: str, files: Mapping[str, bytes], *, failed: str, dockerfile: str = "Dockerfile"
) -> None:
    """Raises SetupError (`failed` is its text), having shown the builder's last words."""
    arguments = mirrors.build_arguments()
    flags = [word for key in arguments for word in ("--build-arg", key)]
    # Values go through the environment: a command line is for everybody to read.
    answer = subprocess.run(
        ["docker", "build", "--quiet", "--file", dockerfile, "--target", target, "--tag", name, *flags, "-"],
        input=archive(dict(files)),
        capture_output=True,
        check=False,
        env=os.environ | arguments,
    )
    if answer.returncode != 0:
        said = (answer.stdout + answer.stderr).decode(errors="replace").strip().splitlines()
        sys.stderr.write("\n".join([*said[-20:-1], ""]))
        raise SetupError(failed, image=name, detail=said[-1] if said else answer.returncode)
