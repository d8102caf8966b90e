from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.options import Options
from simulator.running import Simulator
from tests.robot import Robot

QUICK = {
    "sync_seconds": 0.1, "load_seconds": 0.05, "backoff_scale": 0.3, "health_seconds": 0.5, "dead_seconds": 2.0,
}  # fmt: skip


@pytest.fixture
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    """A simulator in a hurry; `@pytest.mark.parametrize("simulator", [{…}], indirect=True)` sets its options."""
    async with Simulator(Options(**(QUICK | getattr(request, "param", {})))) as running:
        yield running


@pytest.fixture
async def robot(tmp_path: Path, simulator: Simulator) -> AsyncIterator[Callable[..., Robot]]:
    """Makes bots, each in its own folder; all are gone at the end."""
    made: list[Robot] = []

    def make(client_id: str = "shop", **settings: Any) -> Robot:
        made.append(Robot(tmp_path / client_id, simulator, client_id, **settings))
        return made[-1]

    yield make
    for each in made:
        if each.process:
            await each.kill()
