"""What the engine's lists say of volumes in use."""

from __future__ import annotations

from typing import Any

import pytest

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT
from manager.observed import from_engine


def stranger(state: str, **mount: Any) -> dict[str, Any]:
    mounts = [{"Name": "p-session-a", "Destination": "/anywhere", **mount}]
    return {"Id": "c" * 64, "Names": ["/backup"], "State": state, "Labels": {}, "Mounts": mounts}


@pytest.mark.parametrize(
    ("container", "users"),
    [
        (stranger("running", RW=True), {"p-session-a": "backup"}),
        (stranger("running"), {"p-session-a": "backup"}),
        (stranger("exited", RW=True), {}),
        (stranger("running", RW=False), {}),
    ],
)
def test_a_volume_is_in_use_by_whoever_may_write_to_it(
    container: dict[str, Any], users: dict[str, str]
) -> None:
    assert from_engine("p", [container], [], None, (), ["p-session-a"]).volume_users == users


@pytest.mark.parametrize(
    ("networks", "detached"),
    [
        ({"p-bots": {"NetworkID": "n1"}}, False),
        ({}, True),
        ({"bridge": {"NetworkID": "n2"}}, True),
        (None, False),
    ],
)
def test_a_container_off_the_network_is_seen(networks: dict[str, Any] | None, detached: bool) -> None:
    """An engine that says nothing of networks is not questioned."""
    labels = {LABEL_PROJECT: "p", LABEL_CLIENT_ID: "a"}
    raw = {"Id": "d" * 64, "Names": ["/p-bot-a"], "State": "running", "Labels": labels}
    (found,) = from_engine(
        "p", [raw | {"NetworkSettings": {"Networks": networks}}], [], [], (), ()
    ).containers
    assert found.detached is detached


@pytest.mark.parametrize(
    ("project", "state", "neighbours"),
    [
        ("other", "running", {"other": frozenset({"a"})}),
        ("other", "exited", {}),
        ("p", "running", {}),
        (None, "running", {}),
    ],
)
def test_bots_of_another_project_that_run_are_seen_in_the_same_list(
    project: str | None, state: str, neighbours: dict[str, frozenset[str]]
) -> None:
    labels = {LABEL_CLIENT_ID: "a"} | ({LABEL_PROJECT: project} if project else {})
    raw = {"Id": "e" * 64, "Names": ["/x"], "State": state, "Labels": labels}
    assert from_engine("p", [raw], [], [], (), ()).neighbours == neighbours
