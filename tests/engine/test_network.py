"""A running container leaves its network and comes back: what the gentle drill does to a real bot."""

from __future__ import annotations

import docker
import pytest

from manager.engine import Engine
from manager.problems import EngineError, EngineProblem
from tests.engine.test_engine import make, spec_of

pytestmark = pytest.mark.engine


def networks(sdk: docker.APIClient, container: str) -> set[str]:
    return set(sdk.inspect_container(container)["NetworkSettings"]["Networks"])


@pytest.mark.usefixtures("trivial_image")
def test_a_container_leaves_its_network_and_comes_back(
    engine: Engine, sdk: docker.APIClient, project: str
) -> None:
    spec = spec_of(project)
    container = make(engine, spec)
    for _ in range(2):  # a second time changes nothing
        engine.leave_network(spec.network, spec.name)
        assert networks(sdk, container) == set()
    for _ in range(2):
        engine.join_network(spec.network, spec.name)
        assert networks(sdk, container) == {spec.network}
    assert sdk.inspect_container(container)["State"]["Running"]


def test_a_container_that_is_not_there_says_so(engine: Engine, project: str) -> None:
    for move in (engine.leave_network, engine.join_network):
        with pytest.raises(EngineError) as caught:
            move(f"{project}-bots", f"{project}-bot-one")
        assert caught.value.problem is EngineProblem.GONE
