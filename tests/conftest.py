"""Several workers share the machine (`pytest -n 2 --dist loadgroup`): what must not meet runs on one of them."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker speaks to the engine, whose tests look at all that is on it; whatsapp-web.js goes with them, since it
    gives up when a network of the host's changes under it. A file's tests share their fixtures."""
    for item in items:
        alone = item.get_closest_marker("engine") or item.get_closest_marker("conformance")
        group = "engine" if alone else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
