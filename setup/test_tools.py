"""Programs that only the tests need: browsers, node with npm, promtool, a static busybox."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from setup.host import CACHE, apt, install, last_line, run, turn
from setup.say import SetupError, say

TOOLS = CACHE / "tools"
# Taken out of their packages, not installed: a test must not leave a monitoring service on the machine.
_EXTRACTED = {"promtool": ("prometheus", "usr/bin/promtool"), "busybox": ("busybox-static", "bin/busybox")}


def missing() -> list[str]:
    """The Debian packages that are not there."""
    wanted = []
    for program, package in (("node", "nodejs"), ("npm", "npm")):
        if not shutil.which(program):
            wanted.append(package)
    if not Path("/usr/lib/chromium/chromium-headless-shell").exists():
        wanted.append("chromium-headless-shell")
    if not Path("/usr/lib/chromium/chromium").exists():
        wanted.append("chromium")
    if not any(Path("/usr/lib").glob("*/libatomic.so.1")):
        wanted.append("libatomic1")
    return wanted


def ensure() -> None:
    """Raises SetupError with the line to type."""
    if packages := missing():
        install(*packages, why="make test")
    for program, (package, path) in _EXTRACTED.items():
        if not (TOOLS / program).exists() and not (program == "promtool" and shutil.which(program)):
            with turn("tools", CACHE):
                if not (TOOLS / program).exists():
                    _extract(program, package, path)


def _extract(program: str, package: str, path: str) -> None:
    say("tool-fetching", program=program, package=package)
    TOOLS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        answer = apt("download", package, cwd=Path(folder))
        archives = list(Path(folder).glob("*.deb"))
        if answer.returncode != 0 or not archives:
            raise SetupError("packages-failed", packages=package, detail=last_line(answer))
        answer = run(["dpkg-deb", "--extract", str(archives[0]), f"{folder}/root"])
        found = Path(folder) / "root" / path
        if answer.returncode != 0 or not found.exists():
            raise SetupError("packages-failed", packages=package, detail=last_line(answer))
        found.rename(TOOLS / program)
