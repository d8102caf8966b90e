"""What can go wrong with the engine, named once, and the engine's own words read into those names."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bot.text import Catalogue


class EngineProblem(StrEnum):
    """Each has a sentence and a fix in the catalogues: `engine.<problem>` and `engine.<problem>_fix`."""

    UNREACHABLE = "unreachable"
    NO_SUCH_HOST = "no_such_host"
    PERMISSION = "permission"
    TLS = "tls"
    BAD_HOST = "bad_host"
    NOT_AN_ENGINE = "not_an_engine"
    SSH_SUPPORT = "ssh_support"
    TOO_OLD = "too_old"
    IMAGE_MISSING = "image_missing"
    DISK_FULL = "disk_full"
    NAME_TAKEN = "name_taken"
    FOREIGN_VOLUME = "foreign_volume"
    VOLUME_IN_USE = "volume_in_use"
    GONE = "gone"
    NOT_RUNNING = "not_running"
    STILL_RUNNING = "still_running"
    RUNS_AGAIN = "runs_again"
    NO_MEMORY_LIMIT = "no_memory_limit"
    NETWORK_POOL = "network_pool"
    SECCOMP = "seccomp"
    TIMEOUT = "timeout"
    SLOW_EXEC = "slow_exec"
    BASE_IMAGE = "base_image"
    BUILD_FAILED = "build_failed"
    CANNOT_START = "cannot_start"
    OTHER = "other"


# Nothing at all can be asked of the engine: the command line's exit code tells this from a refusal.
UNUSABLE = frozenset(
    {
        EngineProblem.UNREACHABLE,
        EngineProblem.NO_SUCH_HOST,
        EngineProblem.PERMISSION,
        EngineProblem.TLS,
        EngineProblem.BAD_HOST,
        EngineProblem.NOT_AN_ENGINE,
        EngineProblem.SSH_SUPPORT,
        EngineProblem.TOO_OLD,
        EngineProblem.TIMEOUT,
    }
)

LOCALES = Path(__file__).parent / "locales"
_PLACES = ("host", "image", "name", "needed", "owner", "path", "project", "seconds")


@dataclass(frozen=True, slots=True)
class Said:
    """One line of what happened, one line of what mends it."""

    message: str
    fix: str


class EngineError(Exception):
    """A request to the engine that failed. `values` fill the places of the catalogue's sentence and fix."""

    def __init__(self, problem: EngineProblem, detail: str = "", **values: object) -> None:
        self.problem = problem
        self.detail = " ".join(detail.split()).rstrip(".")
        self.values: dict[str, object] = {**dict.fromkeys(_PLACES, "-"), **values, "detail": self.detail}
        super().__init__(problem, detail)

    def say(self, catalogue: Catalogue) -> Said:
        key = f"engine.{self.problem.value}"
        return Said(catalogue(key, **self.values), catalogue(f"{key}_fix", **self.values))

    def __str__(self) -> str:
        said = self.say(Catalogue(LOCALES, "en"))
        return f"{said.message} {said.fix}"


# The engine answers with a sentence, not with a code. First match wins; checked against engine 20.10 and the
# sources of later ones (daemon/names.go, daemon/volumes.go, libnetwork's ipam, runc's error texts).
_SENTENCES: tuple[tuple[re.Pattern[str], EngineProblem], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), problem)
    for pattern, problem in (
        (r"no space left on device|disk quota exceeded|not enough space", EngineProblem.DISK_FULL),
        (r"client version \S+ is too new", EngineProblem.TOO_OLD),
        (r"container name .* is already in use", EngineProblem.NAME_TAKEN),
        (r"volume is in use|volume .* in use", EngineProblem.VOLUME_IN_USE),
        (r"no such image|reference does not exist|pull access denied", EngineProblem.IMAGE_MISSING),
        (r"no such container|no such volume|no such network|network \S+ not found", EngineProblem.GONE),
        (r"cannot remove a (running|paused|restarting) container", EngineProblem.RUNS_AGAIN),
        (r"is not running|is paused|is restarting", EngineProblem.NOT_RUNNING),
        (r"removal of container .* is already in progress|marked for removal", EngineProblem.GONE),
        (r"address pools? .*(subnetted|exhausted)|could not find an available", EngineProblem.NETWORK_POOL),
        (r"seccomp", EngineProblem.SECCOMP),
        (r"permission denied while trying to connect|connect: permission denied", EngineProblem.PERMISSION),
    )
)


def problem_of(status: int | None, sentence: str) -> EngineProblem:
    """The name of what the engine's answer means. `status` is the HTTP status."""
    for pattern, problem in _SENTENCES:
        if pattern.search(sentence):
            return problem
    return EngineProblem.GONE if status == 404 else EngineProblem.OTHER


def required_api(sentence: str) -> str | None:
    """The lowest API version an engine accepts, when it refused ours as too old (engine 29: 1.44)."""
    found = re.search(r"too old.*?minimum supported API version is ([0-9.]+)", sentence, re.IGNORECASE)
    return found.group(1).rstrip(".") if found else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and all it wraps: requests keeps the socket's error in `args` or `reason`."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            pending += [current.__context__, current.__cause__, getattr(current, "reason", None)]
            pending += current.args


def innermost(error: BaseException) -> str:
    """The operating system's own word on a failed connection, else the exception's text."""
    spoken = [each.strerror for each in _chain(error) if isinstance(each, OSError) and each.strerror]
    return spoken[-1] if spoken else str(error)


def connection_problem(error: BaseException) -> EngineProblem:
    """What a failed connection means: no leave, no such host, no trust, or nobody there."""
    for each in _chain(error):
        if isinstance(each, PermissionError):
            return EngineProblem.PERMISSION
        if isinstance(each, socket.gaierror) or "NameResolutionError" in type(each).__name__:
            return EngineProblem.NO_SUCH_HOST
        if isinstance(each, ssl.SSLError):
            return EngineProblem.TLS
    return EngineProblem.UNREACHABLE
