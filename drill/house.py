"""A campaign on subjects that are processes: each with a simulator, a network, a disk and a phone of its own."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from drill.campaign import Round, share
from drill.faults import Need
from drill.judge import Verdict
from drill.memory import MemoryGroup
from drill.peer import Peer
from drill.phone import SimulatedPhone
from drill.process import ProcessSubject
from drill.ring import OnVerdict, Ring
from drill.robot import Robot
from drill.subject import Impossible
from drill.volume import Disk, DiskError, Folder
from drill.wire import Wire
from simulator.options import Options
from simulator.running import Simulator


def hurry() -> Options:
    """A page in a hurry: its own waits would only make a campaign longer."""
    return Options(
        sync_seconds=0.1, load_seconds=0.05, backoff_scale=0.3, health_seconds=0.5, dead_seconds=2.0
    )


_STAGGER_SECONDS = 1.0


@dataclass(frozen=True)
class Plan:
    """`folder`: for everything that is gone afterwards. `keep`: for post-mortems. `kind`: what is drilled.
    `limit`: seconds within which a subject must be READY again."""

    rounds: Sequence[Round]
    kind: type[ProcessSubject]
    folder: Path
    keep: Path
    parallel: int
    limit: float
    abilities: frozenset[Need] = frozenset()
    options: Options = field(default_factory=hurry)


KINDS: dict[str, type[ProcessSubject]] = {"process": Robot, "peer": Peer}


async def run(plan: Plan, on_verdict: OnVerdict) -> list[Verdict]:
    """Every round's verdict, in the campaign's order. Raises Impossible when a subject cannot even be paired."""
    # A page that is cut off in the middle of a file is what a drill does all day.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    parts = [part for part in share(list(plan.rounds), plan.parallel) if part]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_play(plan, f"bot{at + 1}", part, at * _STAGGER_SECONDS, on_verdict))
                for at, part in enumerate(parts)
            ]
    except* (Impossible, DiskError) as failed:
        raise Impossible("; ".join(str(each) for each in failed.exceptions)) from None
    return sorted((each for task in tasks for each in task.result()), key=lambda each: each.round.number)


async def _play(
    plan: Plan, name: str, rounds: Sequence[Round], wait: float, on_verdict: OnVerdict
) -> list[Verdict]:
    await asyncio.sleep(wait)
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator(plan.options))
        wire = await stack.enter_async_context(Wire(simulator.port))
        subject = build(plan, name, wire, simulator.pin)
        stack.push_async_callback(subject.close)
        phone = SimulatedPhone(simulator.service, subject.log)
        return await Ring(subject, phone, plan.limit, plan.keep, on_verdict).play(rounds)


def build(plan: Plan, name: str, wire: Wire, pin: str) -> ProcessSubject:
    folder = plan.folder / name
    folder.mkdir(parents=True)
    group = None
    if Need.CGROUP in plan.abilities:
        group = MemoryGroup(f"oturum-drill-{os.getpid()}-{name}")
        group.make()
    volume = Disk(folder) if Need.LOOP in plan.abilities else Folder(folder)
    return plan.kind(
        name, folder, volume, wire, pin, namespaces=Need.NAMESPACES in plan.abilities, group=group
    )
