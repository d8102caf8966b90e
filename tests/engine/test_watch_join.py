"""`watch --join`: who has the label is put on the bots' network, also after the network was made anew."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from manager.engine import Engine
from tests.engine.conftest import TRIVIAL_IMAGE
from tests.engine.watchers import Watched, Watcher

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("trivial_image")]


@pytest.fixture
def neighbour(sdk: docker.APIClient, project: str) -> Iterator[str]:
    """A container on the default network, as a Prometheus of somebody else's stack is."""
    labels = {"io.oturum.test.scrapes": project}
    made = sdk.create_container(TRIVIAL_IMAGE, labels=labels, name=f"{project}-neighbour")
    sdk.start(made["Id"])
    yield made["Id"]
    sdk.remove_container(made["Id"], force=True)


def networks(sdk: docker.APIClient, container: str) -> set[str]:
    return set(sdk.inspect_container(container)["NetworkSettings"]["Networks"])


def test_a_neighbour_with_the_label_reaches_the_bots(
    engine: Engine, sdk: docker.APIClient, project: str, neighbour: str, tmp_path: Path
) -> None:
    watched = Watched(tmp_path / "bots.yaml", project, engine.host)
    watched.save({"one": "128m"})
    try:
        for _ in range(2):  # the second one finds it joined already
            watcher = Watcher(watched.file, engine.host, "--join", f"io.oturum.test.scrapes={project}")
            watched.watchers.append(watcher)
            watcher.until("CONVERGED")
            assert watcher.end(signal.SIGTERM) == 0
            assert networks(sdk, neighbour) == {"bridge", f"{project}-bots"}
    finally:
        watched.close()
