"""A campaign: its rounds are dealt out to subjects, each in a home of its own with a phone of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from drill.campaign import Round, share
from drill.judge import Verdict
from drill.ring import OnVerdict, Ring
from drill.subject import Impossible, Phone, Subject
from drill.turns import Turns
from drill.volume import DiskError
from simulator.options import Options

_STAGGER_SECONDS = 1.0


def hurry() -> Options:
    """A page in a hurry: its own waits would only make a campaign longer."""
    return Options(
        sync_seconds=0.1, load_seconds=0.05, backoff_scale=0.3, health_seconds=0.5, dead_seconds=2.0
    )


# A subject of that name and its phone, for as long as it is drilled.
Home = Callable[[str], AbstractAsyncContextManager[tuple[Subject, Phone]]]


@dataclass(frozen=True)
class Plan:
    """`keep`: for post-mortems. `limit`: seconds within which a subject must be READY again."""

    rounds: Sequence[Round]
    home: Home
    keep: Path
    parallel: int
    limit: float


async def run(plan: Plan, on_verdict: OnVerdict) -> list[Verdict]:
    """Every round's verdict, in the campaign's order. Raises Impossible when a subject cannot even be paired."""
    # A page that is cut off in the middle of a file is what a drill does all day.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    parts = [part for part in share(list(plan.rounds), plan.parallel) if part]
    turns = Turns()

    async def play(name: str, rounds: Sequence[Round], wait: float) -> list[Verdict]:
        await asyncio.sleep(wait)
        async with plan.home(name) as (subject, phone):
            return await Ring(subject, phone, plan.limit, plan.keep, on_verdict, turns).play(rounds)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(play(f"bot{at + 1}", part, at * _STAGGER_SECONDS))
                for at, part in enumerate(parts)
            ]
    except ExceptionGroup as failed:
        _, others = failed.split((Impossible, DiskError))
        if others is not None:
            raise
        raise Impossible("; ".join(str(each) for each in failed.exceptions)) from None
    return sorted((each for task in tasks for each in task.result()), key=lambda each: each.round.number)
