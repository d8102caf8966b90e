"""A manager that is killed while it works on a volume leaves nothing that stands in the way of the next command."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from bot.contract import LABEL_TOOL
from manager.exits import Exit
from tests.cli.conftest import Cli
from tests.profile_folders import make_profile

pytestmark = pytest.mark.engine


def kill_at_its_container(cli: Cli, sdk: docker.APIClient, project: str, *words: str) -> None:
    """Killed when the short-lived container on the bot's volume is made; returns when that has ended."""
    label = f"{LABEL_TOOL}={project}"
    news = sdk.events(filters={"type": "container", "event": "create", "label": label}, decode=True)
    process = cli.start(*words)
    names = (each["Actor"]["Attributes"]["name"] for each in news)
    container = next(name for name in names if "-volume-till-" in name)
    process.kill()
    process.wait()
    sdk.wait(container)
    assert sdk.containers(all=True, filters={"label": label})


def test_a_volume_is_not_in_use_by_what_a_killed_manager_left(
    cli: Cli, sdk: docker.APIClient, project: str, tmp_path: Path
) -> None:
    cli.file.write_text(f"project: {project}\nbots: [{{clientId: till}}]\n")
    make_profile(tmp_path / "auth" / "session-till", version=None)
    for killed in (("import", "auth", "--yes"), ("backup", "till", "-o", "till.zst", "--plain")):
        if killed[0] == "backup":
            done = cli("import", "auth", "--yes")
            assert done.code == Exit.OK, done
        kill_at_its_container(cli, sdk, project, *killed)
        removed = cli("rm", "till", "--volume", "--yes")
        assert removed.code == Exit.OK, removed
        assert not sdk.volumes(filters={"name": f"{project}-session-till"})["Volumes"]
        assert not sdk.containers(all=True, filters={"label": f"{LABEL_TOOL}={project}"})
