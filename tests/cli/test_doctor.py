"""`doctor` as people run it; what it finds is tried in tests/engine/test_doctor.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.engine

Fleet = Callable[..., None]


def test_every_finding_has_its_mark_and_the_bad_ones_their_fix(cli: Cli, fleet: Fleet) -> None:
    fleet("sales")
    told = cli("doctor", "--json").json
    ran = cli("doctor")
    assert ran.err == ""
    assert ran.code == (0 if told["ok"] else 7)
    marks = {"ok": "✓", "warning": "!", "error": "✗"}
    assert [finding["check"] for finding in told["findings"]][:4] == ["config", "engine", "api", "image"]
    for finding in told["findings"]:
        if finding["check"] not in ("disk", "memory"):  # others use the machine at the same time
            at = ran.lines.index(f"{marks[finding['level']]} {finding['message']}")
            if finding["fix"] is not None:
                assert ran.lines[at + 1] == f"  {finding['fix']}"
    assert ran.lines[-1].startswith(f"{len(told['findings'])} checks: ")
    assert " passed, " in ran.lines[-1]
    assert told["findings"][-1]["check"] == "bots"
    assert "None of the bots has been started yet" in told["findings"][-1]["message"]


def test_an_error_is_exit_code_7(cli: Cli, fleet: Fleet) -> None:
    fleet("sales", image="oturum-test-nowhere:1")
    ran = cli("doctor")
    assert ran.code == 7
    at = next(at for at, line in enumerate(ran.lines) if line.startswith("✗ "))
    assert "oturum-test-nowhere:1" in ran.lines[at]
    assert "`docker pull oturum-test-nowhere:1`" in ran.lines[at + 1]
    told = cli("doctor", "--json")
    assert (told.code, told.json["ok"], told.json["exit"]) == (7, False, 7)


def test_it_goes_on_without_a_readable_file(cli: Cli) -> None:
    cli.file.write_text("bots:\n  - {clientId: a, memroy: 1g}\n  - {clientId: A}\n")
    ran = cli("doctor")
    assert ran.code == 7
    assert ran.lines[0].startswith("✗ bots.yaml:2:19: bots[0].memroy: ")
    assert ran.lines[1].startswith("  bots.yaml:3:16: bots[1].clientId: ")
    assert "`python -m manager --file bots.yaml validate`" in ran.lines[2]
    assert any(line.startswith("✓ Docker engine ") for line in ran.lines)


def test_no_engine_is_a_finding(cli: Cli) -> None:
    cli.bots("shop", "sales")
    ran = cli("doctor", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert (ran.code, ran.err) == (7, "")
    assert [line[0] for line in ran.lines] == ["✓", "✗", " ", "2"]
    assert "`sudo systemctl start docker`" in ran.lines[2]


def test_turkish(cli: Cli) -> None:
    cli.bots("shop", "sales")
    ran = cli("doctor", DOCKER_HOST="unix:///nowhere/docker.sock", OTURUM_LANG="tr")
    assert ran.code == 7
    assert ran.lines[-1] == "2 denetim: 1 tanesi sorunsuz, 0 uyarı, 1 hata."


# Whoever starts it may read sources and libraries; `nobody` may not, so that all must be read before.
AS_NOBODY = """
import contextlib, io, os, sys
from manager.__main__ import run
from manager.cli import main
host = os.environ.pop("DOCKER_HOST")
os.environ["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    main(sys.argv[1:])
os.environ["DOCKER_HOST"] = host
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
run()
"""


def test_a_socket_that_may_not_be_opened(cli: Cli) -> None:
    cli.bots("shop", "sales")
    cli.folder.chmod(0o755)
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    up = as_nobody(cli, "up", host)
    assert (up.returncode, up.stdout) == (5, "")
    assert up.stderr.startswith(f"You may not talk to the Docker engine at {host}: ")
    assert "`sudo usermod -aG docker $USER`" in up.stderr
    assert len(up.stderr.splitlines()) == 1
    doctor = as_nobody(cli, "doctor", host)
    assert (doctor.returncode, doctor.stderr) == (7, "")
    _, finding, fix, _ = doctor.stdout.splitlines()
    assert finding.startswith("✗ The user nobody may not open the Docker engine's socket ")
    assert "sudo usermod -aG " in fix


def as_nobody(cli: Cli, command: str, host: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY, command],
        cwd=cli.folder,
        env={**cli.environ, "DOCKER_HOST": host},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
