"""Where the output goes: into a pipe that closes, onto a full disk, or nowhere at all."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.conftest import PROGRAM, Cli


def started(cli: Cli, redirected: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "sh", *PROGRAM, *words],
        cwd=cli.folder, env=cli.environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("words", ["validate", "validate --json", "--help", "completion bash"])
def test_onto_a_full_disk(cli: Cli, words: str) -> None:
    cli.file.write_text("bots: []\n")
    ran = started(cli, ">/dev/full", *words.split())
    assert (ran.returncode, ran.stderr) == (1, "The output could not be written: No space left on device.\n")


def test_a_reader_that_leaves_early(cli: Cli) -> None:
    cli.file.write_text("bots: []\n")
    ran = started(cli, "| true", "validate")
    assert ran.stderr == ""


@pytest.mark.parametrize(("redirected", "code"), [(">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)])
def test_without_output_at_all(cli: Cli, redirected: str, code: int) -> None:
    """As some supervisors start programs; what is opened next must not get the output's number."""
    cli.file.write_text("bots: []\n")
    ran = started(cli, redirected, "add", "one")
    assert (ran.returncode, ran.stderr) == (code, "")
    assert cli.file.read_text() == "bots:\n  - clientId: one\n"


def test_an_error_without_output(cli: Cli) -> None:
    assert started(cli, ">&- 2>&-", "validate").returncode == 4


@pytest.mark.parametrize(
    ("encoding", "said"), [("latin-1", "Kullan?m"), ("latin-1:backslashreplace", "Kullan\\u0131m")]
)
def test_an_encoding_that_lacks_letters(cli: Cli, encoding: str, said: str) -> None:
    environ = cli.environ | {"PYTHONIOENCODING": encoding, "OTURUM_LANG": "tr"}
    ran = subprocess.run([*PROGRAM, "--help"], env=environ, capture_output=True, check=True, timeout=60)
    assert ran.stdout.startswith(said.encode())


@pytest.mark.engine
def test_a_locale_that_was_never_set(cli: Cli, project: str) -> None:
    """Neither Python's own help against it."""
    cli.bots(project, "one")
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OTURUM_LANG": "tr"}
    watching = cli.terminal("status", "--watch", **bare)
    watching.expect("oluşturulmadı")
    watching.interrupt()
    assert watching.end().code == 130


@pytest.mark.engine
def test_no_colour_where_none_is_wanted(cli: Cli, project: str) -> None:
    cli.bots(project, "one")
    for words in ("status", "status two"):
        shown = {wish: cli.terminal(*words.split(), NO_COLOR=wish) for wish in ("", "1")}
        for terminal in shown.values():
            terminal.end()
        assert "\x1b[31m" in shown[""].seen
        assert "\x1b[3" not in shown["1"].seen


@pytest.mark.engine
def test_a_broken_docker_configuration(cli: Cli) -> None:
    """A docker configuration that is no JSON is told of, not fallen over."""
    config = cli.folder / "docker"
    config.mkdir()
    (config / "config.json").write_text("{")
    cli.file.write_text("bots: []\n")
    environ = {"DOCKER_CONFIG": str(config), "DOCKER_HOST": "", "DOCKER_CONTEXT": ""}
    ran = cli("status", **environ)
    assert "Traceback" not in ran.err
    assert ran.code in (0, 5)
