"""The Docker engine: one that answers, or else the distribution's, installed and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from setup.host import install, is_debian_like, is_root, last_line, run, turn
from setup.say import SetupError, say

START_TIMEOUT = 90.0
LOG = Path("/var/log/oturum-dockerd.log")
_PID_FILES = {"/run/docker.pid": "dockerd", "/run/docker/containerd/containerd.pid": "containerd"}


def ask() -> subprocess.CompletedProcess[str]:
    """Asks the engine for its API version, wherever the client's settings say it is."""
    return run(["docker", "version", "--format", "{{.Server.APIVersion}}"], timeout=20)


def answers() -> bool:
    return ask().returncode == 0


def ensure() -> None:
    """Returns when an engine answers. Raises SetupError (with what to type) where we may not start it."""
    answer = ask()
    if answer.returncode == 0:
        return
    _refuse_what_is_not_ours(last_line(answer))
    with turn("engine"):
        if answers():
            return
        if not shutil.which("dockerd") or not shutil.which("docker"):
            install(*_packages(), why="Docker")
        if not answers():
            _start()


def _refuse_what_is_not_ours(said: str) -> None:
    if host := os.environ.get("DOCKER_HOST"):
        raise SetupError("engine-elsewhere", host=host, detail=said)
    context = os.environ.get("DOCKER_CONTEXT") or run(["docker", "context", "show"]).stdout.strip()
    if context not in ("", "default"):
        raise SetupError("engine-elsewhere", host=context, detail=said)
    if "permission denied" in said.lower():
        raise SetupError("engine-permission")
    if not is_root() or not is_debian_like():
        raise SetupError("engine-start" if shutil.which("dockerd") else "engine-install")


def _packages() -> list[str]:
    # Debian 13 gave the client a package of its own.
    apart = run(["apt-cache", "show", "docker-cli"]).returncode == 0
    return ["docker.io", "ca-certificates", *(["docker-cli"] if apart else [])]


def _start() -> None:
    say("engine-starting")
    if Path("/run/systemd/system").is_dir():
        answer = run(["systemctl", "enable", "--now", "docker"], timeout=START_TIMEOUT)
        if answer.returncode != 0:
            raise SetupError("engine-failed", detail=last_line(answer), log="journalctl -u docker")
        _wait(None)
        return
    _mount_cgroups()
    _forget_dead_pids()
    with LOG.open("ab") as log:
        _wait(
            subprocess.Popen(
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        )


def _mount_cgroups() -> None:
    """A machine without an init system may have none mounted; the engine needs them."""
    mounts = Path("/proc/mounts").read_text(encoding="utf-8")
    if " cgroup " not in mounts and " cgroup2 " not in mounts:
        run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"])


def _forget_dead_pids() -> None:
    """A killed engine leaves pid files; later their numbers belong to others, and a new engine refuses."""
    for name, program in _PID_FILES.items():
        path = Path(name)
        with suppress(OSError, ValueError):
            pid = int(path.read_text(encoding="ascii"))
            try:
                running = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            except OSError:
                running = ""
            if running != program:
                path.unlink()


def _wait(process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not answers():
        if time.monotonic() > deadline or (process is not None and process.poll() not in (None, 0)):
            if answers():  # somebody else's was faster
                return
            raise SetupError("engine-failed", detail=_last_words(), log=LOG)
        time.sleep(0.2)


def _last_words() -> str:
    try:
        lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
