"""The virtual environment `.venv`: every package pinned, every file's hash checked."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from setup.host import ROOT, install, last_line, run, turn
from setup.say import SetupError, say

LOCK = "requirements/test.txt"


def state(root: Path = ROOT) -> str:
    """What an environment was made of; also where, since its scripts name their own path."""
    digest = hashlib.sha256((root / LOCK).read_bytes())
    digest.update(f"{sys.version_info[:2]} {root} oturum.pth".encode())
    return digest.hexdigest()


def is_ready(root: Path = ROOT) -> bool:
    try:
        return (root / ".venv" / ".oturum").read_text(encoding="utf-8") == state(root)
    except OSError:
        return False


def ensure(root: Path = ROOT) -> Path:
    """The environment's Python. Raises SetupError."""
    python = root / ".venv" / "bin" / "python"
    if is_ready(root):
        return python
    with turn("venv", root / ".cache"):
        if not is_ready(root):
            _make(root, python)
    return python


def _make(root: Path, python: Path) -> None:
    if run([str(python), "-m", "pip", "--version"]).returncode != 0:
        _create(root / ".venv")
    say("venv-filling")
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--no-deps", "--requirement"]
    answer = run([str(python), "-m", "pip", "install", *options, str(root / LOCK)])
    if answer.returncode != 0:
        raise SetupError("venv-packages", detail=last_line(answer))
    # `python -m manager` in any folder, whose bots.yaml it then is.
    (site,) = (root / ".venv" / "lib").glob("python3*/site-packages")
    (site / "oturum.pth").write_text(f"{root}\n", encoding="utf-8")
    (root / ".venv" / ".oturum").write_text(state(root), encoding="utf-8")


def _create(folder: Path) -> None:
    say("venv-creating")
    if run([sys.executable, "-c", "import ensurepip, venv"]).returncode != 0:
        # Debian splits `ensurepip` off its Python.
        install(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv", why="python -m venv")
    if folder.exists():
        shutil.rmtree(folder)
    answer = run([sys.executable, "-m", "venv", str(folder)])
    if answer.returncode != 0:
        raise SetupError("venv-create", detail=last_line(answer))
