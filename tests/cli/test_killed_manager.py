"""A manager that is killed while it works on a volume leaves nothing that stands in the way of the next command."""

from __future__ import annotations

import signal
from pathlib import Path

import docker
import pytest

from bot.contract import LABEL_TOOL
from manager.exits import Exit
from tests.cli.conftest import Cli
from tests.profile_folders import make_profile

pytestmark = pytest.mark.engine


def end_at_its_container(
    cli: Cli, sdk: docker.APIClient, project: str, number: signal.Signals, *words: str
) -> tuple[str, int]:
    """The signal comes when the short-lived container on the bot's volume is made; its name, and the exit code."""
    label = f"{LABEL_TOOL}={project}"
    news = sdk.events(filters={"type": "container", "event": "create", "label": label}, decode=True)
    process = cli.start(*words)
    names = (each["Actor"]["Attributes"]["name"] for each in news)
    container = next(name for name in names if "-volume-till-" in name)
    process.send_signal(number)
    return container, process.wait()


def kill_at_its_container(cli: Cli, sdk: docker.APIClient, project: str, *words: str) -> None:
    """Killed; returns when the container has ended."""
    label = f"{LABEL_TOOL}={project}"
    container, _ = end_at_its_container(cli, sdk, project, signal.SIGKILL, *words)
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_one_that_is_told_to_end_leaves_nothing_at_all(
    cli: Cli, sdk: docker.APIClient, project: str, tmp_path: Path, number: signal.Signals
) -> None:
    """SIGHUP: the terminal it was typed in is gone."""
    cli.file.write_text(f"project: {project}\nbots: [{{clientId: till}}]\n")
    make_profile(tmp_path / "auth" / "session-till", version=None)
    _, code = end_at_its_container(cli, sdk, project, number, "import", "auth", "--yes")
    assert code == Exit.INTERRUPTED
    assert not sdk.volumes(filters={"name": f"{project}-session-till"})["Volumes"]
    assert cli("import", "auth", "--yes").code == Exit.OK
    before = sorted(tmp_path.iterdir())
    _, code = end_at_its_container(cli, sdk, project, number, "backup", "till", "-o", "till.zst", "--plain")
    assert code == Exit.INTERRUPTED
    assert sorted(tmp_path.iterdir()) == before
    assert not sdk.containers(all=True, filters={"label": f"{LABEL_TOOL}={project}"})
