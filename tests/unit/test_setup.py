"""Set-up: what it says, what it refuses, and that two of them do not get in each other's way."""

from __future__ import annotations

import json
import os
import re
import string
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from setup import certificates, context, engine, environment, host, monitor
from setup.say import SetupError, language

ROOT = Path(__file__).resolve().parents[2]
LOCALES = ROOT / "setup" / "locales"


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_the_same_things() -> None:
    english, turkish = (tomllib.loads((LOCALES / f"{name}.toml").read_text("utf-8")) for name in ("en", "tr"))
    assert english.keys() == turkish.keys()
    assert {key: _places(text) for key, text in english.items()} == {
        key: _places(text) for key, text in turkish.items()
    }


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "setup").glob("*.py"))
    used = set(re.findall(r'(?:say\(|SetupError\(|failed=)\s*"([a-z-]+)"', code)) | {
        "engine-start",
        "engine-install",
    }
    assert used == tomllib.loads((LOCALES / "en.toml").read_text("utf-8")).keys()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "tr_TR.UTF-8"}, "tr"),
        ({"LANG": "tr_TR.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "de_DE.UTF-8", "OTURUM_LANG": "tr"}, "tr"),
    ],
)
def test_language_follows_the_usual_order(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected


def test_an_unknown_part_is_refused_and_the_known_ones_are_named() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "setup", "engin"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert "simulator-image" in answer.stderr
    assert "Traceback" not in answer.stderr


def _certificate(body: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def test_only_authorities_that_the_distribution_lacks_are_carried_over(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped" / "mozilla"
    shipped.mkdir(parents=True)
    (shipped / "known.crt").write_text(_certificate("AAAA\nBBBB"), encoding="ascii")
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(
        _certificate("AAAABBBB") + "text between\n" + _certificate("CCCC") * 2, encoding="ascii"
    )
    found = certificates.extra([bundle, tmp_path / "absent"], tmp_path / "shipped")
    assert found == [_certificate("CCCC")]


def test_an_environment_is_stale_when_the_lock_or_the_place_changes(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("one", "two")]
    for root in roots:
        (root / "requirements").mkdir(parents=True)
        (root / environment.LOCK).write_text("click==1\n", encoding="utf-8")
    (roots[0] / ".venv").mkdir()
    assert not environment.is_ready(roots[0])
    (roots[0] / ".venv" / ".oturum").write_text(environment.state(roots[0]), encoding="utf-8")
    assert environment.is_ready(roots[0])
    roots[0].rename(tmp_path / "moved")
    assert not environment.is_ready(tmp_path / "moved")
    (tmp_path / "moved").rename(roots[0])
    (roots[0] / environment.LOCK).write_text("click==2\n", encoding="utf-8")
    assert not environment.is_ready(roots[0])


def test_equal_files_make_equal_build_contexts(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "two"):
        folder = tmp_path / name / "simulator"
        (folder / "__pycache__").mkdir(parents=True)
        (folder / "page.js").write_text("1", encoding="utf-8")
        (folder / "__pycache__" / f"{name}.pyc").write_bytes(os.urandom(8))
        archives.append(context.archive(context.sources(tmp_path / name, ("simulator", "absent"))))
    assert archives[0] == archives[1]


@pytest.fixture
def docker_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` and a `dockerd` of our own on PATH: the file written to decides what the client answers."""
    words = tmp_path / "words"
    for name in ("docker", "dockerd"):
        program = tmp_path / name
        program.write_text(
            f'#!/bin/sh\n[ "$1" = version ] || exit 1\ncat "{words}" >&2\nexit 1\n', encoding="utf-8"
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("OTURUM_LANG", "en")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return words


def test_a_remote_engine_that_is_silent_is_not_replaced_by_a_local_one(
    docker_says: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker_says.write_text("error during connect: no route to host", encoding="utf-8")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    with pytest.raises(SetupError, match=r"tcp://192\.0\.2\.1:2376 does not answer .*no route to host"):
        engine.ensure()


def test_a_socket_that_is_not_ours_to_use_names_the_group(docker_says: Path) -> None:
    docker_says.write_text("permission denied while trying to connect to the Docker daemon socket", "utf-8")
    with pytest.raises(SetupError, match="usermod -aG docker"):
        engine.ensure()


def test_without_root_the_line_to_type_is_told(docker_says: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_says.write_text("Cannot connect to the Docker daemon. Is the docker daemon running?", "utf-8")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match="sudo systemctl start docker"):
        engine.ensure()


def test_pid_files_of_the_dead_are_forgotten_those_of_the_living_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path("/proc/self/comm").read_text("utf-8").strip()
    files = {"reused": "dockerd", "alive": own, "broken": "dockerd"}
    for name in files:
        (tmp_path / name).write_text("no number" if name == "broken" else str(os.getpid()), encoding="utf-8")
    monkeypatch.setattr(engine, "_PID_FILES", {str(tmp_path / name): each for name, each in files.items()})
    engine._forget_dead_pids()
    assert {path.name for path in tmp_path.iterdir()} == {"alive", "broken"}


def test_two_set_ups_take_turns(tmp_path: Path) -> None:
    hold = (
        "import sys, pathlib; from setup.host import turn\n"
        f"with turn('x', pathlib.Path({str(tmp_path)!r})): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as second:
            assert second.stderr is not None
            assert second.stdout is not None
            assert "x" in second.stderr.readline()  # it says what it waits for
            first.kill()  # a killed holder leaves no lock behind
            assert second.stdout.readline() == "held\n"
            second.communicate("")
    assert second.returncode == 0


def test_a_missing_or_silent_program_is_an_answer_not_a_traceback() -> None:
    assert host.run(["no-such-program-here"]).returncode == 127
    assert host.run(["sleep", "5"], timeout=0.05).returncode == 124


def test_os_release_is_read_with_quotes_and_comments(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    file.write_text("# c\nID=ubuntu\nID_LIKE=\"debian x\"\nPRETTY_NAME='U = 1'\n", encoding="utf-8")
    assert host.os_release(file) == {"ID": "ubuntu", "ID_LIKE": "debian x", "PRETTY_NAME": "U = 1"}
    assert host.os_release(tmp_path / "absent") == {}


def test_make_help_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\S+)", said, re.MULTILINE)) == set(phony[1].split())


def test_no_address_stands_in_what_images_are_made_of() -> None:
    texts = [(ROOT / name).read_text("utf-8") for name in ("Dockerfile", "setup/base_image.py")]
    texts += [path.read_text("utf-8") for path in (ROOT / "requirements").iterdir()]
    assert not any(re.search(r"https?://", text) for text in texts)


def test_what_people_wrote_into_the_stacks_settings_stays(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    monitor.note(file, {"OTURUM_MANAGER_IMAGE": "one:1"})
    file.write_text(file.read_text() + "OTURUM_GRAFANA_ADDRESS=0.0.0.0:3000\n# a note\n")
    monitor.note(file, {"OTURUM_MANAGER_IMAGE": "two:2"})
    assert file.read_text().splitlines() == [
        "OTURUM_GRAFANA_ADDRESS=0.0.0.0:3000",
        "# a note",
        "OTURUM_MANAGER_IMAGE=two:2",
    ]


def test_grafanas_password_is_made_once_and_nobody_elses_to_read(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "grafana_password"
    assert monitor.password(file)
    made = file.read_text()
    assert len(made) > 20
    assert not monitor.password(file)
    assert file.read_text() == made
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_the_stacks_images_are_those_of_its_file() -> None:
    text = (ROOT / "compose" / "compose.yaml").read_text("utf-8")
    assert set(monitor.public_images(text)) == {"prometheus", "alertmanager", "grafana"}
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for image in monitor.public_images(text).values())


def test_a_base_image_that_is_given_needs_no_engine() -> None:
    environ = {"PATH": "/nonexistent", "OTURUM_BASE": "debian:bookworm-slim", "HTTP_PROXY": "http://proxy:1"}
    answer = subprocess.run(
        [sys.executable, ROOT / "setup" / "base_image.py"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["base"] == found["buildArgs"]["BASE"] == "debian:bookworm-slim"
    assert found["buildArgs"]["HTTP_PROXY"] == "http://proxy:1"


def test_the_environment_knows_the_project_in_every_folder(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "manager", "validate"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "bots.yaml" in told.stderr
    assert "No module" not in told.stderr
