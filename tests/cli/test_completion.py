"""The completion scripts, read by the shells they are for."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from manager.cli import COMMANDS
from manager.commands.completion import SCRIPTS
from tests.cli.conftest import Cli

# What each shell does when the tab key is pressed after a line, without a person: the words it would offer.
_PRESS_TAB = {
    "bash": """
        eval "$(cat completion)"
        offer() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            $(complete -p oturum | sed -E 's/.*-F ([^ ]+) .*/\\1/') oturum
            (( ${#COMPREPLY[@]} )) && printf '%s\\n' "${COMPREPLY[@]}"
        }
    """,
    "zsh": """
        eval "$(cat completion)"
        compadd() { print -rl -- "${(@P)@[-1]}" }
        _describe() { print -rl -- "${(@)${(@P)@[-2]}%%:*}" }
        offer() { words=("$@") CURRENT=$#; $_comps[oturum] }
    """,
    "fish": """
        source completion
        function offer; complete -C "$argv" | string replace -r '\\t.*' ''; end
    """,
}
_HERE = [shell for shell in SCRIPTS if shutil.which(shell)]


def shell(cli: Cli, name: str, line: str, **environ: str) -> list[str]:
    """What `line` prints in a shell that has read the script, started elsewhere and without our PYTHONPATH."""
    (cli.folder / "completion").write_text(cli("completion", name).out)
    clean = {key: value for key, value in cli.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run(
        [name, *(["--norc"] if name == "bash" else ["-f"] if name == "zsh" else ["--no-config"]), "-c",
         f"{_PRESS_TAB[name]}\n{line}"],
        cwd=cli.folder,
        env={**clean, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.stdout.splitlines()


@pytest.mark.parametrize("name", _HERE)
class TestInItsShell:
    def test_oturum_stands_for_the_program(self, cli: Cli, name: str) -> None:
        cli.bots("shop", "sales", "support")
        assert shell(cli, name, "oturum validate") == ["bots.yaml is valid: project shop, 2 bot(s)."]

    def test_commands(self, cli: Cli, name: str) -> None:
        begins = sorted(command for command in COMMANDS if command.startswith("re"))
        assert sorted(shell(cli, name, "offer oturum re")) == begins

    def test_every_command(self, cli: Cli, name: str) -> None:
        blank = "offer 'oturum '" if name == "fish" else "offer oturum ''"
        assert set(COMMANDS) <= set(shell(cli, name, blank))

    def test_bots(self, cli: Cli, name: str) -> None:
        cli.bots("shop", "sales", "support", "night")
        assert sorted(shell(cli, name, "offer oturum up s")) == ["sales", "support"]
        assert shell(cli, name, "offer oturum up sales s") == ["support"]
        assert shell(cli, name, "offer oturum rm n") == ["night"]

    def test_options_and_shells(self, cli: Cli, name: str) -> None:
        assert shell(cli, name, "offer oturum up --dry") == ["--dry-run"]
        assert shell(cli, name, "offer oturum completion f") == ["fish"]

    def test_an_unreadable_file_offers_no_bots_and_says_nothing(self, cli: Cli, name: str) -> None:
        cli.file.write_text("bots: [")
        assert shell(cli, name, "offer oturum up s") == []


def test_there_is_a_shell_to_try_in() -> None:
    assert "bash" in _HERE


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_calls_this_program(cli: Cli, name: str) -> None:
    ran = cli("completion", name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("-P -m manager") == 2
    assert f"_OTURUM_COMPLETE={name}_complete" in ran.out


def test_another_shell(cli: Cli) -> None:
    ran = cli("completion", "ksh")
    assert (ran.code, ran.out) == (2, "")
    assert "`ksh` is none of: bash, zsh, fish." in ran.err
