"""The drill on real containers: each fault that only a container knows, and no QR that no phone caused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest

from drill.campaign import campaign
from drill.faults import Fault
from drill.subject import Restart
from tests.cli.conftest import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.browser, pytest.mark.timeout(600)]

# What a process has too is drilled there, where a round costs less.
SHARED = (
    *(Fault.KILL_ALL, Fault.KILL_BOT, Fault.KILL_BROWSER, Fault.UNPLUG, Fault.PAUSE, Fault.DNS),
    *(Fault.OUT_OF_MEMORY, Fault.RECREATE, Fault.LATE_SCAN),
)


def drill(faults: tuple[Fault, ...], rounds: int, seed: int, keep: Path) -> dict[str, Any]:
    words = ("--subject", "container", "--faults", ",".join(faults), "--rounds", rounds, "--seed", seed)
    done = subprocess.run(
        [sys.executable, "-m", "manager", "drill", "--json", "--keep", keep, "--parallel", "2", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"OTURUM_LANG": "en"},
    )  # fmt: skip
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert [each for each in answer["rounds"] if each["unexplained"] or each["hang"]] == []
    assert done.returncode == 0, done.stderr
    return answer


def test_what_befalls_a_container_costs_no_session(tmp_path: Path, sdk: docker.APIClient) -> None:
    answer = drill(SHARED, len(SHARED), 2706, tmp_path)
    befell = {each["round"]["fault"] for each in answer["rounds"] if each["befell"]}
    assert befell | set(answer["not_possible"]) == set(SHARED)
    assert not [each for each in sdk.containers(all=True) if "oturum-drill-" in each["Names"][0]]
    assert not sdk.volumes(filters={"name": "oturum-drill-"})["Volumes"]
    assert not [tag for each in sdk.images() for tag in each["RepoTags"] or () if "-drill-" in tag]


def test_no_restart_of_the_engine_costs_a_session(tmp_path: Path) -> None:
    """One of its own, which dies, is stopped, and goes while its containers live on."""
    seed, faults = 2702, (Fault.ENGINE_RESTART,)
    assert {each.way for each in campaign(seed, len(Restart), faults)} == set(range(len(Restart)))
    answer = drill(faults, len(Restart), seed, tmp_path)
    assert {each["note"] for each in answer["rounds"] if each["befell"]} == {
        how.name.lower() for how in Restart
    }
