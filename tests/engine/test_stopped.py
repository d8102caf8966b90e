"""A bot that is stopped for a while, and somebody who loses patience meanwhile."""

from __future__ import annotations

import os
import signal
import threading

import docker
import pytest

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT, SESSION_MOUNT
from manager.engine import Engine
from manager.spec import container_name, volume_name
from manager.text import catalogue
from manager.volumes import Volumes
from tests.engine.conftest import make_fleet

pytestmark = pytest.mark.engine
# Ends a second after it was told to, as a bot that has a browser to close.
LINGERS = "trap 'sleep 1; exit 0' TERM; echo runs; while true; do sleep 0.05; done"


def test_a_bot_runs_again_when_its_stopping_was_interrupted(
    engine: Engine, sdk: docker.APIClient, project: str, trivial_image: str
) -> None:
    name = container_name(project, "till")
    labels = {LABEL_PROJECT: project, LABEL_CLIENT_ID: "till"}
    sdk.create_volume(volume_name(project, "till"), labels=labels)
    mount = docker.types.Mount(SESSION_MOUNT, volume_name(project, "till"))
    host = sdk.create_host_config(mounts=[mount])
    sdk.create_container(trivial_image, ["sh", "-c", LINGERS], name=name, labels=labels, host_config=host)
    sdk.start(name)
    next(sdk.logs(name, stream=True, follow=True))
    before = sdk.inspect_container(name)["State"]["StartedAt"]
    told = sdk.events(filters={"container": name, "event": "kill"}, decode=True)

    def interrupt() -> None:
        next(told)
        os.kill(os.getpid(), signal.SIGINT)

    impatient = threading.Thread(target=interrupt)
    impatient.start()
    volumes = Volumes(engine, make_fleet(project, "till"), trivial_image, catalogue("en"))
    with pytest.raises(KeyboardInterrupt), volumes.stopped("till"):
        pytest.fail("its stopping was not waited for")
    impatient.join()
    state = sdk.inspect_container(name)["State"]
    assert state["Running"]
    assert state["StartedAt"] != before
