"""What the engine's lists say of volumes in use."""

from __future__ import annotations

from typing import Any

import pytest

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
