"""Chromium outside of any driver: where it is, what version, which switches, and what its dying words mean."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from bot.contract import SESSION_MOUNT, BotExit, BotSettings
from bot.problem import Problem

# Debian's wrapper script of the headless shell adds nothing but a shell; the binary itself comes first.
_PLACES = ("/usr/lib/chromium/chromium-headless-shell", "/usr/lib/chromium/chromium")
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_VERSION_SECONDS = 20
_LAUNCH_SECONDS = 60
_MIB = 1024**2

# Measured: -43 MiB, -11 MiB; localStorage on disk within 1.1 s instead of up to 55 s.
SWITCHES = (
    "--js-flags=--optimize-for-size",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--enable-aggressive-domstorage-flushing",
    "--disable-blink-features=AutomationControlled",
    "--no-default-browser-check",
)


class BrowserProblem(StrEnum):
    """The first four say that there is no browser, each where something else mends that."""

    MISSING = "missing"
    MISCONFIGURED = "misconfigured"
    MISCONFIGURED_ALONE = "misconfigured_alone"
    IMAGE_WITHOUT = "image_without"
    SANDBOX = "sandbox"
    LIBRARY = "library"
    DOWNGRADE = "downgrade"
    STORAGE = "storage"
    CRASHED_AT_START = "crashed_at_start"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    PROXY_CREDENTIALS = "proxy_credentials"
    PROXY_CREDENTIALS_ALONE = "proxy_credentials_alone"
    OTHER = "other"


_PERMANENT = frozenset(
    {
        BrowserProblem.MISSING, BrowserProblem.MISCONFIGURED, BrowserProblem.MISCONFIGURED_ALONE,
        BrowserProblem.IMAGE_WITHOUT, BrowserProblem.SANDBOX, BrowserProblem.LIBRARY, BrowserProblem.DOWNGRADE,
    }
)  # fmt: skip


class BrowserError(Problem):
    """The browser can't be started. `permanent`: trying again does not help."""

    section: ClassVar[str] = "browser_problem"

    def __init__(self, problem: BrowserProblem, **values: object) -> None:
        code = BotExit.SESSION_UNUSABLE if problem is BrowserProblem.STORAGE else BotExit.BROWSER_UNUSABLE
        super().__init__(problem, code, **values)
        self.permanent = problem in _PERMANENT


def find(settings: BotSettings) -> Path:
    """The executable of the settings, or the first one there is. Raises BrowserError: MISSING or a sister of it."""
    wanted = settings.browser.executable
    if wanted is not None:
        found = shutil.which(wanted)
        if found is None:
            raise BrowserError(_no_browser(settings), executable=wanted)
        return Path(found)
    for place in (*_PLACES, *_NAMES):
        if found := shutil.which(place):
            return Path(found)
    raise BrowserError(_no_browser(settings), executable=_NAMES[0])


def _no_browser(settings: BotSettings) -> BrowserProblem:
    if settings.browser.executable is not None:
        return BrowserProblem.MISCONFIGURED if _managed(settings) else BrowserProblem.MISCONFIGURED_ALONE
    return BrowserProblem.IMAGE_WITHOUT if _managed(settings) else BrowserProblem.MISSING


def _managed(settings: BotSettings) -> bool:
    """In a container of the manager's, where nothing can be installed and bots.yaml makes the settings."""
    return settings.session_dir == SESSION_MOUNT


def version_of(executable: Path) -> str | None:
    """As in 156.0.8078.79; None when it does not say. Asked once for each state of the file."""
    return _ask_version(executable, executable.stat().st_mtime_ns)


@cache
def _ask_version(executable: Path, _changed: int) -> str | None:
    try:
        said = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(\.\d+){1,3}", said)
    return found[0] if found else None


def major(version: str | None) -> int:
    """0 when it is not known."""
    head = (version or "").split(".")[0]
    return int(head) if head.isdigit() else 0


def check_age(executable: Path, version: str | None, written_by: str | None, client_id: str) -> None:
    """An older browser can't read a newer one's profile, and WhatsApp takes that for a logout. Raises DOWNGRADE."""
    if 0 < major(version) < major(written_by):
        raise BrowserError(
            BrowserProblem.DOWNGRADE,
            executable=executable,
            version=version,
            written_by=written_by,
            client=client_id,
        )


def launch_options(settings: BotSettings, executable: Path, version: str | None) -> dict[str, Any]:
    """Playwright's `launch_persistent_context`, but for the profile. Raises BrowserError."""
    args = [*SWITCHES, *settings.browser.args]
    if version:
        args.append(f"--user-agent={user_agent(version)}")
    return {
        "executable_path": executable,
        "headless": True,
        "args": args,
        "ignore_default_args": ["--enable-automation"],
        "chromium_sandbox": settings.browser.sandbox,
        # Playwright's own handlers would kill the browser before it has written its storage.
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
        "locale": settings.locale,
        "timezone_id": settings.timezone,
        "proxy": _proxy(settings),
        "viewport": {"width": 1280, "height": 900},
        "timeout": _LAUNCH_SECONDS * 1000,
        "accept_downloads": False,
    }


def _proxy(settings: BotSettings) -> dict[str, str] | None:
    """The credentials' file is read at each launch: changed ones count from the next. Raises BrowserError."""
    if settings.proxy is None:
        return None
    proxy = {"server": settings.proxy.server}
    if settings.proxy.credentials_file is not None:
        path = Path(settings.proxy.credentials_file)
        try:
            known = json.loads(path.read_text())
            proxy |= {"username": str(known["username"]), "password": str(known["password"])}
        except (OSError, ValueError, KeyError, TypeError) as error:
            managed = _managed(settings)
            problem = BrowserProblem.PROXY_CREDENTIALS if managed else BrowserProblem.PROXY_CREDENTIALS_ALONE
            detail = error.strerror if isinstance(error, OSError) else type(error).__name__
            raise BrowserError(problem, path=path, detail=detail, client=settings.client_id) from None
    return proxy


def user_agent(version: str) -> str:
    """What an ordinary Chrome of this version says on Linux: its minor numbers are always zero."""
    return (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{major(version)}.0.0.0 Safari/537.36"
    )


def client_hints(version: str) -> dict[str, Any]:
    """`Emulation.UserAgentMetadata` of the same browser: a user agent and hints that differ give a bot away."""
    short = str(major(version))
    names = ("Chromium", "Google Chrome")
    grease = {"brand": "Not.A/Brand", "version": "8"}
    return {
        "brands": [*({"brand": name, "version": short} for name in names), grease],
        "fullVersionList": [
            *({"brand": name, "version": version} for name in names),
            {**grease, "version": "8.0.0.0"},
        ],
        "fullVersion": version,
        "platform": "Linux",
        "platformVersion": "",
        "architecture": "x86",
        "bitness": "64",
        "model": "",
        "mobile": False,
        "wow64": False,
    }


_WORDS: Sequence[tuple[BrowserProblem, str]] = (
    (BrowserProblem.LIBRARY, r"error while loading shared libraries: ([\w.+-]+)"),
    (BrowserProblem.SANDBOX, r"No usable sandbox|sandbox_host_linux|setuid sandbox|without --no-sandbox"),
    (BrowserProblem.SANDBOX, r"Failed to move to new namespace|zygote_host_impl_linux|credentials\.cc"),
    (BrowserProblem.STORAGE, r"No space left on device|Read-only file system|Disk quota exceeded"),
    (BrowserProblem.STORAGE, r"(?:profile|user data|Singleton\w+)[^\n]{0,80}Permission denied"),
    (BrowserProblem.MISSING, r"executable doesn't exist|ENOENT|EACCES|ENOEXEC|Exec format error"),
    (BrowserProblem.TIMEOUT, r"Timeout \d+ms exceeded"),
)


def launch_problem(
    said: str,
    executable: Path,
    profile: Path,
    settings: BotSettings,
    starved_at: int | None = None,
) -> BrowserError:
    """What the driver's report of a failed start means.

    `starved_at`: the limit of our memory in bytes (0: none) if the kernel has killed one of our processes for it
    meanwhile; the driver then reports whatever it was waiting for.
    """
    if starved_at is not None:
        told = f"{starved_at // _MIB} MiB" if starved_at else "-"
        return BrowserError(BrowserProblem.OUT_OF_MEMORY, limit=told)
    for problem, pattern in _WORDS:
        found = re.search(pattern, said, re.IGNORECASE)
        if found:
            chosen = _no_browser(settings) if problem is BrowserProblem.MISSING else problem
            return BrowserError(
                chosen, executable=executable, profile=profile, detail=found[found.lastindex or 0]
            )
    ended = re.search(r"exitCode=(\d+)|signal=(SIG\w+)|exit(?:ed)?(?: with)? code (\d+)", said)
    if ended:
        detail = next(part for part in ended.groups() if part)
        return BrowserError(
            BrowserProblem.CRASHED_AT_START, executable=executable, profile=profile, detail=detail
        )
    first = next((line for line in said.splitlines() if line.strip()), "").strip()[:200]
    return BrowserError(BrowserProblem.OTHER, executable=executable, profile=profile, detail=first)


_GROUPS = "/sys/fs/cgroup"


def out_of_memory_files(groups: str) -> list[str]:
    """Where the kernel counts its kills in our control group, likeliest first. `groups`: of /proc/self/cgroup.

    Version 2 has one line `0::/path`, version 1 one for each controller. In a container without a namespace for them
    the paths are the host's, while our own group lies at the root of what is mounted.
    """
    paths = {
        kinds: path.strip("/") for _, kinds, path in (line.split(":", 2) for line in groups.splitlines())
    }
    found = []
    for path in dict.fromkeys((paths.get("memory", ""), "")):
        found.append(str(Path(_GROUPS, "memory", path, "memory.oom_control")))
    for path in dict.fromkeys((paths.get("", ""), "")):
        found.append(str(Path(_GROUPS, path, "memory.events")))
    return found


def out_of_memory_kills() -> int | None:
    """How many processes of our control group the kernel has killed for memory; None when it does not say."""
    try:
        groups = Path("/proc/self/cgroup").read_text()
    except OSError:
        groups = ""
    for name in out_of_memory_files(groups):
        try:
            text = Path(name).read_text()
        except OSError:
            continue
        found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
        if found:
            return int(found[1])
    return None
