"""`doctor`: what could keep a fleet from running, each finding with the command that mends it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.text import Catalogue
from manager import image
from manager.doctor import decide, look
from manager.doctor.facts import Attempt, Look
from manager.doctor.finding import Finding, Level, Verdict
from manager.engine import Engine
from manager.fleet import Fleet
from manager.image import BotImage
from manager.observed import ContainerState, Observed, ObservedVolume
from manager.problems import EngineError, EngineProblem
from manager.spec import volume_name

__all__ = ["Finding", "Level", "examine"]

# Where the engine's own text names no command, or only this one.
_FIXES = {
    EngineProblem.TLS: "doctor.tls_fix",
    EngineProblem.SECCOMP: "doctor.api_old_fix",
    EngineProblem.OTHER: "doctor.refused_fix",
}


@dataclass(frozen=True, slots=True)
class _Failed:
    """A check that the engine did not let be made."""

    check: str
    error: EngineError

    def tell(self, say: Catalogue) -> Finding:
        said = self.error.say(say)
        own = _FIXES.get(self.error.problem)
        return Finding(self.check, "error", said.message, say(own) if own else said.fix)


_Found = Verdict | _Failed


def examine(fleet: Fleet | None, environ: Mapping[str, str], catalogue: Catalogue) -> Iterator[Finding]:
    """Findings as they are made; about a second in all, most of it two short-lived containers.

    `fleet` None: no readable bots.yaml, so that only the engine and its machine are examined. An engine that
    fails is a finding, never an exception; where none answers, it is the only one.
    """
    for found in _examine(fleet, environ):
        yield found.tell(catalogue)


def _examine(fleet: Fleet | None, environ: Mapping[str, str]) -> Iterator[_Found]:
    try:
        engine = Engine.connect(environ)
        version = engine.version()
        before = time.time()
        info = engine.info()
        after = time.time()
    except EngineError as error:
        yield _unreachable(error, environ)
        return
    yield Verdict("engine", "ok", "engine", {"version": version.get("Version", "?"), "host": engine.host})
    yield decide.api(str(version.get("ApiVersion", "")))
    yield from _fleet(engine, fleet, info)
    yield decide.limits(
        memory_limit=bool(info.get("MemoryLimit")),
        swap_limit=bool(info.get("SwapLimit")),
        pids_limit=bool(info.get("PidsLimit", True)),
        rootless=_rootless(info),
    )
    yield decide.clock(str(info.get("SystemTime", "")), before, after)
    drivers = (info.get("Plugins") or {}).get("Log") or ()
    yield decide.logs(str(info.get("LoggingDriver") or ""), drivers)


def _unreachable(error: EngineError, environ: Mapping[str, str]) -> _Found:
    host = str(error.values["host"])
    if error.problem is EngineProblem.PERMISSION and host.startswith("unix://"):
        return look.socket_refused(host.removeprefix("unix://"), environ)
    if error.problem is EngineProblem.TOO_OLD:
        return decide.api(decide.most_api(error.detail))
    return _Failed("engine", error)


def _rootless(info: Mapping[str, Any]) -> bool:
    return any("name=rootless" in option for option in info.get("SecurityOptions") or ())


def _fleet(engine: Engine, fleet: Fleet | None, info: Mapping[str, Any]) -> Iterator[_Found]:
    """What hangs on the bot image and on what the fleet already has on the engine."""
    enabled = fleet.enabled if fleet else ()
    try:
        found = _bot_image(engine, fleet.image if fleet else None)
        seen = engine.observe(fleet.project, (), ()) if fleet else Observed()
    except EngineError as error:
        yield _Failed("image", error)
        return
    except FileNotFoundError as error:
        yield Verdict("image", "error", "image_no_sources", {"path": error.filename})
        return
    behind = _behind(seen, found, fleet)
    yield decide.image(found.tag, given=bool(fleet and fleet.image), exists=found.exists, behind=behind)

    kept = _volumes(seen, fleet)
    machine = _machine(engine, found, kept, info)
    if machine.failed is not None:
        yield _no_container(found, machine.failed)
    owners = {volume.name: volume.client_id or "" for volume in kept}
    new = len({bot.client_id for bot in enabled} - set(owners.values()))
    yield decide.disk(machine.look.free, image_missing=not found.exists, bots=len(enabled), new=new)
    limits = {bot.client_id: bot.memory for bot in enabled}
    yield decide.memory(int(info.get("MemTotal") or 0), limits)
    if fleet is not None:
        yield from decide.cramped([bot.client_id for bot in fleet.cramped])
        inside = machine.look.volumes if machine.inside else None
        yield from decide.volumes(owners, inside, found.tag)
    wanted = not enabled or any(bot.browser.sandbox for bot in enabled)
    yield decide.namespaces(machine.look.sysctls, machine.attempt, bots=len(enabled), wanted=wanted)


@dataclass(frozen=True, slots=True)
class _Machine:
    """`inside`: seen through a container; otherwise from here. `failed`: why there was no such container."""

    look: Look
    inside: bool = False
    attempt: Attempt | None = None
    failed: EngineError | None = None


def _machine(
    engine: Engine, found: BotImage, volumes: Sequence[ObservedVolume], info: Mapping[str, Any]
) -> _Machine:
    if not found.exists:
        return _Machine(look.from_here(info))
    try:
        seen = look.through_container(engine, found.id, volumes)
        return _Machine(seen, inside=True, attempt=look.try_sandbox(engine, found.id))
    except EngineError as error:
        return _Machine(look.from_here(info), failed=error)


def _no_container(found: BotImage, error: EngineError) -> _Found:
    if error.problem is EngineProblem.CANNOT_START:
        values = {"image": found.tag, "detail": error.detail}
        return Verdict("container", "error", "container", values, fix="refused")
    return _Failed("container", error)


def _volumes(seen: Observed, fleet: Fleet | None) -> list[ObservedVolume]:
    """The sessions of this fleet's bots, also of those that are switched off."""
    wanted = {volume_name(fleet.project, bot.client_id) for bot in fleet.bots} if fleet else set()
    return sorted((each for each in seen.volumes if each.name in wanted), key=lambda each: each.name)


def _bot_image(engine: Engine, reference: str | None) -> BotImage:
    try:
        return image.find(engine, reference)
    except EngineError as error:
        if reference is None or error.problem is not EngineProblem.IMAGE_MISSING:
            raise
        return BotImage(reference, reference, "", exists=False)


def _behind(seen: Observed, found: BotImage, fleet: Fleet | None) -> list[str]:
    """Bots that run, but on another image than the one of now."""
    wanted = {bot.client_id for bot in fleet.enabled} if fleet else set()
    return sorted(
        container.client_id
        for container in seen.containers
        if container.client_id in wanted
        and container.state is ContainerState.RUNNING
        and container.image_id != found.id
    )
