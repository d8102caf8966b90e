"""Programs that only the tests need: browsers, node with npm, Prometheus and its Alertmanager, a static busybox,
Docker Compose."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from setup import compose_tool
from setup.host import CACHE, apt, install, last_line, run, turn
from setup.say import SetupError, say

TOOLS = CACHE / "tools"
# Taken out of their packages, not installed: a test must not leave a monitoring service on the machine.
_EXTRACTED = {
    "prometheus": {"prometheus": "usr/bin/prometheus", "promtool": "usr/bin/promtool"},
    "prometheus-alertmanager": {
        "alertmanager": "usr/bin/prometheus-alertmanager",
        "amtool": "usr/bin/amtool",
        # Looked for below /usr/share, and nowhere else: who runs it mounts this there.
        "share/prometheus/alertmanager": "usr/share/prometheus/alertmanager",
    },
    "busybox-static": {"busybox": "bin/busybox"},
}


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
    compose_tool.command()
    for package, programs in _EXTRACTED.items():
        if not _are_there(programs):
            with turn("tools", CACHE):
                if not _are_there(programs):
                    _extract(package, programs)


def _are_there(programs: Mapping[str, str]) -> bool:
    return all((TOOLS / program).exists() for program in programs)


def _extract(package: str, programs: Mapping[str, str]) -> None:
    """`programs`: the name each gets here -> its path in the package."""
    say("tool-fetching", program=", ".join(name for name in programs if "/" not in name), package=package)
    TOOLS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        answer = apt("download", package, cwd=Path(folder))
        archives = list(Path(folder).glob("*.deb"))
        if answer.returncode != 0 or not archives:
            raise SetupError("packages-failed", packages=package, detail=last_line(answer))
        answer = run(["dpkg-deb", "--extract", str(archives[0]), f"{folder}/root"])
        found = {name: Path(folder) / "root" / path for name, path in programs.items()}
        if answer.returncode != 0 or not all(path.exists() for path in found.values()):
            raise SetupError("packages-failed", packages=package, detail=last_line(answer))
        for name, path in found.items():
            (TOOLS / name).parent.mkdir(parents=True, exist_ok=True)
            path.rename(TOOLS / name)
