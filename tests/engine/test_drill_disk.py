"""The disk that a drilled container keeps its session on, and an engine that is restarted under it."""

from __future__ import annotations

import os
from pathlib import Path

import docker
import pytest

from drill.container import EngineDisk
from drill.ownengine import OwnEngine
from drill.subject import Restart
from manager import reconcile
from manager.engine import Engine
from tests.engine.conftest import make_fleet, needs_root

pytestmark = [pytest.mark.engine, needs_root]
CONTAINER = "disk-bot-one"


async def test_a_power_cut_takes_what_came_after_it_whatever_the_engine_went_through(
    own: OwnEngine, tmp_path: Path
) -> None:
    """An engine whose containers lived on holds on to a volume's mount that it should have let go."""
    fleet, sdk = make_fleet("disk", "one"), docker.APIClient(base_url=own.host, version="auto")
    disk = EngineDisk(tmp_path, own, "disk", "one")
    await disk.make()
    try:
        assert reconcile.up(fleet, Engine(own.host)).ok
        own.restart(Restart.LIVE)
        sdk.restart(CONTAINER, timeout=0)
        (disk.path / "before").touch()
        os.sync()
        snapshot = await disk.snapshot()
        (disk.path / "after").touch()
        sdk.kill(CONTAINER)
        sdk.wait(CONTAINER)
        await disk.come_back_as(snapshot)
        sdk.start(CONTAINER)
        seen = sdk.exec_start(sdk.exec_create(CONTAINER, ["ls", "/session"])).decode().split()
        assert "before" in seen
        assert "after" not in seen
        assert reconcile.down(fleet, Engine(own.host)).ok
    finally:
        await disk.remove()
