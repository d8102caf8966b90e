"""Docker Compose v2: the engine's plugin, or the one program of it out of the distribution's package.

Debian 12 packages only the old v1. Debian 13's program runs there too; it comes with apt's own checks, from the host's
mirror, and is put beside this project, not into the system.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from setup import mirrors
from setup.host import CACHE, apt, is_debian_like, last_line, os_release, run, turn
from setup.say import SetupError, say

PROGRAM = CACHE / "tools" / "docker-compose"
_PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
_WITH_IT = "trixie"
_PACKAGES = ("docker-compose-plugin", "docker-compose-v2", "docker-compose")


def command() -> list[str]:
    """How it is called here. Raises SetupError."""
    if run(["docker", "compose", "version"]).returncode == 0:
        return ["docker", "compose"]
    if not PROGRAM.exists():
        if not is_debian_like():
            raise SetupError("compose-none")
        with turn("compose", CACHE):
            if not PROGRAM.exists():
                _fetch()
    return [str(PROGRAM)]


def _fetch() -> None:
    say("compose-fetching")
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        folder = Path(name)
        elsewhere = os_release().get("VERSION_CODENAME") == "bookworm"
        options = _other_release(folder) if elsewhere else []
        for package in _PACKAGES[-1:] if elsewhere else _PACKAGES:
            answer = apt(*options, "download", package, cwd=folder)
            for archive in folder.glob("*.deb"):
                run(["dpkg-deb", "--extract", str(archive), f"{name}/root"])
                archive.unlink()
            if (found := folder / "root" / _PLUGIN).exists():
                found.rename(PROGRAM)
                return
    raise SetupError("compose-none", detail=last_line(answer))


def _other_release(folder: Path) -> list[str]:
    """apt's options for looking into Debian 13 on the host's mirror, with lists of their own."""
    sources = mirrors.debian_sources(mirrors.read_apt(), "bookworm", _WITH_IT)
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache").mkdir()
    (folder / "other.sources").write_text(sources, encoding="utf-8")
    options = {
        "Dir::Etc::sourcelist": folder / "other.sources",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    run(["apt-get", "-q", *words, "update"])
    return words
