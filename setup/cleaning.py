"""`make clean`: what set-up and builds made. Sessions, containers and the machine's packages stay."""

from __future__ import annotations

import shutil

from setup.host import ROOT, run
from setup.say import say

_FOLDERS = (
    ".venv",
    ".cache",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
)
_IMAGES = (
    "oturum-bot",
    "oturum-simulator",
    "oturum-manager",
    "oturum-prometheus",
    "oturum-alertmanager",
    "oturum-base",
)


def clean() -> None:
    """An image that a container still uses is refused by the engine, and stays."""
    for name in _FOLDERS:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for folder in (*ROOT.rglob("__pycache__"), *ROOT.rglob("node_modules")):
        shutil.rmtree(folder, ignore_errors=True)
    kept = []
    for repository in _IMAGES:
        listed = run(["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository])
        for image in listed.stdout.split():
            if run(["docker", "rmi", image]).returncode != 0:
                kept.append(image)
    say("cleaned", kept=" ".join(kept) or "-")
