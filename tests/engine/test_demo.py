"""`python -m demo` as a newcomer runs it: the whole story, Ctrl-C in the middle, and after a run that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pexpect
import pytest

from bot.contract import LABEL_PROJECT
from demo.stage import LABEL_STAGE, sweep
from demo.story import SCENES

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PROJECT = "oturum-demo"
COMMAND = [sys.executable, "-m", "demo"]


def left(sdk: docker.APIClient) -> list[str]:
    """Names of all that a demo made and should have taken away."""
    found: list[str] = []
    for label in (f"{LABEL_PROJECT}={PROJECT}", f"{LABEL_STAGE}={PROJECT}"):
        filters = {"label": label}
        found += [each["Names"][0] for each in sdk.containers(all=True, filters=filters)]
        found += [each["Name"] for each in sdk.volumes(filters=filters)["Volumes"] or []]
        found += [each["Name"] for each in sdk.networks(filters=filters)]
    return found


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    yield
    sweep(PROJECT)


def environment(language: str) -> dict[str, str]:
    return os.environ | {"OTURUM_LANG": language, "PYTHONUNBUFFERED": "1"}


def test_the_whole_story_is_true_also_after_a_run_that_was_killed(sdk: docker.APIClient) -> None:
    with subprocess.Popen(
        COMMAND, cwd=ROOT, env=environment("en"), stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout is not None
        assert any("WHATSAPP_QR" in line for line in killed.stdout)
        killed.kill()
    assert left(sdk)
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=environment("en"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✘" not in done.stdout
    assert "\x1b" not in done.stdout
    story, table = done.stdout.split("Scenario", 1)
    assert table.count("│ ✔ ") == len(SCENES)
    assert story.count("exactly one new QR") == 2  # announced, and claimed
    codes = [line for line in story.splitlines() if line.strip().startswith("Code 1.")]
    assert len(codes) == 3
    assert left(sdk) == []


def test_ctrl_c_in_a_terminal_takes_everything_away(sdk: docker.APIClient) -> None:
    demo = pexpect.spawn(
        COMMAND[0], COMMAND[1:], cwd=str(ROOT), env=environment("tr"), encoding="utf-8", timeout=300,
        dimensions=(50, 120),
    )  # fmt: skip
    demo.expect("WHATSAPP_READY")
    assert left(sdk)
    demo.sendintr()
    demo.expect("Yarıda kesildi")
    demo.expect(pexpect.EOF)
    demo.close()
    assert demo.exitstatus == 128 + signal.SIGINT
    assert left(sdk) == []
