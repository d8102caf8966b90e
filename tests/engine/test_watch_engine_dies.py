"""The engine goes away under a watcher, and comes back."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from drill.ownengine import OwnEngine
from manager.exits import Exit
from tests.engine.conftest import needs_root
from tests.engine.watchers import Watched, fetch, running

pytestmark = [pytest.mark.engine, needs_root]


def test_it_outlives_its_engine(own: OwnEngine, tmp_path: Path) -> None:
    watched = Watched(tmp_path / "bots.yaml", "own", own.host)
    try:
        sdk = docker.APIClient(base_url=own.host, version="auto")
        watcher = watched.begin({"one": "128m"})
        address = watcher.until("WATCH_START")["address"]
        watcher.until("CONVERGED")
        own.kill()
        watcher.until("ENGINE_LOST")
        assert "oturum_manager_engine_up 0.0" in fetch(address, "/metrics")
        watched.save({"one": "128m", "two": "128m"})
        watcher.until("CONFIG_LOADED")
        own.start()
        watcher.until_each("ENGINE_BACK", "CONVERGED")
        assert running(sdk, "own").keys() == {"one", "two"}
        assert "oturum_manager_engine_up 1.0" in fetch(address, "/metrics")
        holder = sdk.inspect_container("own-watch")
        assert holder["State"]["Running"], "and holds the project again"
        assert watcher.end() == Exit.OK
    finally:
        watched.close()
