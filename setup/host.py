"""The machine under us: who we are, its distribution and packages, turns with other set-ups."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from setup.say import SetupError, say

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"


def is_root() -> bool:
    return os.geteuid() == 0


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """The fields of os-release(5); empty where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, value in pairs}


def is_debian_like() -> bool:
    release = os_release()
    return bool({"debian", "ubuntu"} & {release.get("ID", ""), *release.get("ID_LIKE", "").split()})


@contextmanager
def turn(name: str, folder: Path | None = None) -> Iterator[None]:
    """One set-up at a time for `name`, on this machine or (with `folder`) in this tree."""
    place = folder or Path(tempfile.gettempdir())
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"oturum-setup-{os.getuid()}-{name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting", name=name)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def run(
    command: Sequence[str], *, timeout: float | None = None, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs quietly and never raises: a missing program is exit code 127, a time-out 124, as in a shell."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            cwd=cwd,
            check=False,
            env=os.environ | environment,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(list(command), 127, "", f"{command[0]}: not found")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(command), 124, "", f"{command[0]}: no answer in {timeout} s")


def last_line(answer: subprocess.CompletedProcess[str]) -> str:
    """The line people need: the last one said, errors first."""
    for said in (answer.stderr, answer.stdout):
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        if lines:
            return lines[-1]
    return f"exit code {answer.returncode}"


def is_installed(package: str) -> bool:
    answer = run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package])
    return answer.returncode == 0 and answer.stdout == "installed"


def apt(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """apt-get, waiting for its turn. A refusal for want of fresh package lists is tried again with them."""
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *arguments]
    answer = run(command, cwd=cwd, DEBIAN_FRONTEND="noninteractive")
    if answer.returncode != 0:
        run(["apt-get", "-q", "update"])
        answer = run(command, cwd=cwd, DEBIAN_FRONTEND="noninteractive")
    return answer


def install(*packages: str, why: str) -> None:
    """Has Debian packages installed. Raises SetupError (with what to type) where we may not."""
    if not is_debian_like() or not shutil.which("apt-get"):
        raise SetupError("packages-elsewhere", why=why, packages=" ".join(packages))
    if not is_root():
        raise SetupError("packages-no-root", why=why, packages=" ".join(packages))
    with turn("apt"):
        say("packages-installing", why=why, packages=" ".join(packages))
        answer = apt("install", *packages)
    if answer.returncode != 0:
        raise SetupError("packages-failed", packages=" ".join(packages), detail=last_line(answer))
