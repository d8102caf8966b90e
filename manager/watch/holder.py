"""One watcher a project and engine, wherever it runs: who is first holds a container's name on the engine.

The container does nothing and ends with the watcher's connection to it, so it is gone the moment the watcher is,
even one that was killed or whose machine died. A lock file would know the watchers of one user on one machine
only, and not the one in a container beside it.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from bot.contract import LABEL_PREFIX, LABEL_TOOL
from manager.confinement import lease_body
from manager.loglines import nanoseconds
from manager.problems import EngineError, EngineProblem

LABEL_HOLDER = LABEL_PREFIX + "holder"
# So long a watcher that was just killed may seem to be there still.
PATIENCE_SECONDS = 3.0
_IN_A_CONTAINER = Path("/.dockerenv")
_CONTAINER = re.compile(r"[0-9a-f]{12}")  # the name a container has for itself, unless it is given another
_LOOK_SECONDS = 0.2
_RELEASE_SECONDS = 0.02
# A watcher that died between making its container and starting it.
_NEVER_STARTED_SECONDS = 30.0


class Held(Exception):
    """Another watcher is at work on this project. `holder` says who, for people."""

    def __init__(self, holder: str, container: str) -> None:
        super().__init__(holder)
        self.holder, self.container = holder, container


class Lease(Protocol):
    @property
    def container(self) -> str: ...
    def wait(self) -> None: ...
    def release(self) -> None: ...


class HoldsOn(Protocol):
    """What of the engine is needed here."""

    def hold(self, body: dict[str, Any], name: str) -> Lease: ...
    def inspect(self, container: str) -> dict[str, Any]: ...
    def stop(self, container: str, grace_seconds: int) -> None: ...
    def remove(self, container: str) -> None: ...


def lease_name(project: str) -> str:
    return f"{project}-watch"


def holder_of(engine: HoldsOn, project: str) -> str | None:
    """The watcher that is at work on a project, if there is one. Raises EngineError."""
    try:
        found = engine.inspect(lease_name(project))
    except EngineError as error:
        if error.problem is EngineProblem.GONE:
            return None
        raise
    holder = (found["Config"].get("Labels") or {}).get(LABEL_HOLDER)
    return str(holder) if holder and found["State"]["Status"] == "running" else None


def about_me(address: str) -> str:
    """`pid 4711 on web1 (as root, http://127.0.0.1:9465; ends with: kill 4711)`"""
    pid, host = os.getpid(), socket.gethostname()
    # A machine may have that file and be no container of this engine: its name is no id then.
    ours = _IN_A_CONTAINER.exists() and _CONTAINER.fullmatch(host)
    ends = f"docker stop {host}" if ours else f"kill {pid}"
    return f"pid {pid} on {host} (as {_user()}, {address}; ends with: {ends})"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that no /etc/passwd knows
        return f"uid {os.getuid()}"


class Holder:
    """Holds the project for this process. `on_lost` is called, in a thread, when what is held slipped away."""

    def __init__(self, engine: HoldsOn, me: str, on_lost: Callable[[], None] = lambda: None) -> None:
        self._engine, self._me, self._on_lost = engine, me, on_lost
        self._lease: Lease | None = None
        self.patience = PATIENCE_SECONDS

    @property
    def holds(self) -> bool:
        return self._lease is not None

    def take(self, project: str, image: str) -> None:
        """Raises Held; EngineError when the engine cannot be asked, or cannot do it."""
        name = lease_name(project)
        body = lease_body(image, {LABEL_TOOL: project, LABEL_HOLDER: self._me})
        deadline = time.monotonic() + self.patience
        while True:
            try:
                lease = self._engine.hold(body, name)
                break
            except EngineError as error:
                if error.problem is not EngineProblem.NAME_TAKEN:
                    raise
            holder = self._holder(name)
            if holder is not None and time.monotonic() > deadline:
                raise Held(holder, name)
            time.sleep(_LOOK_SECONDS)
        self._lease = lease
        threading.Thread(target=self._guard, args=(lease,), name="lease", daemon=True).start()

    def release(self) -> None:
        """Returns when the name is free again, or the engine can't be asked."""
        lease, self._lease = self._lease, None
        if lease is None:
            return
        lease.release()
        deadline = time.monotonic() + self.patience
        with suppress(EngineError):  # GONE, as a rule
            while time.monotonic() < deadline:
                self._engine.inspect(lease.container)
                time.sleep(_RELEASE_SECONDS)

    def _guard(self, lease: Lease) -> None:
        lease.wait()
        if self._lease is lease:
            self._lease = None
            self._on_lost()

    def _holder(self, name: str) -> str | None:
        """Who holds the name; None when it is free again, or was freed just now of what a dead watcher left."""
        try:
            found = self._engine.inspect(name)
        except EngineError as error:
            if error.problem is EngineProblem.GONE:
                return None
            raise
        holder = (found["Config"].get("Labels") or {}).get(LABEL_HOLDER)
        if holder is None:
            return name
        if (
            holder == self._me
        ):  # our own, which outlived the connection: an engine may die and leave it running
            with suppress(EngineError):
                self._engine.stop(found["Id"], 1)
        if holder == self._me or _is_left_over(found, time.time()):
            with suppress(EngineError):
                self._engine.remove(found["Id"])
            return None
        return str(holder)


def _is_left_over(found: dict[str, Any], now: float) -> bool:
    """It ended, or was never started by whoever made it. `now`: Unix time, by this machine's clock."""
    status = found["State"]["Status"]
    made = (nanoseconds(found["Created"]) or 0) / 1e9
    return status in ("exited", "dead") or (status == "created" and now - made > _NEVER_STARTED_SECONDS)
