"""Help and usage errors, in both languages, for every command."""

from __future__ import annotations

import re
import tomllib

import pytest

from manager.cli import COMMANDS
from manager.text import LOCALES
from tests.cli.conftest import Cli

TEXTS = {each: tomllib.loads((LOCALES / f"{each}.toml").read_text("utf-8")) for each in ("en", "tr")}


def flowing(text: str) -> str:
    """However it is broken into lines."""
    return " ".join(text.split())


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(cli: Cli, command: str, language: str) -> None:
    ran = cli(command, "--help", OTURUM_LANG=language, COLUMNS="100")
    texts = TEXTS[language]
    assert (ran.code, ran.err) == (0, "")
    usage = texts["usage"]
    assert ran.lines[0].startswith(f"{usage['usage']} python -m manager {command} {usage['options_place']}")
    assert flowing(texts["help"][command]) in flowing(ran.out)
    assert f"{usage['options']}:" in ran.lines
    assert flowing(texts["option"]["help"]) in flowing(ran.out)
    assert flowing(texts["option"]["file"]) in flowing(ran.out)


@pytest.mark.parametrize("language", TEXTS)
def test_help_lists_every_command(cli: Cli, language: str) -> None:
    for args in (["--help"], []):
        ran = cli(*args, OTURUM_LANG=language, COLUMNS="200")
        assert ran.code == (0 if args else 2)
        told = flowing(ran.out + ran.err)
        assert flowing(TEXTS[language]["help"]["manager"]) in told
        for command in COMMANDS:
            assert f"{command} {TEXTS[language]['help'][command].splitlines()[0]}" in told


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("upp", "There is no command upp. Did you mean up? See: python -m manager --help"),
        ("frobnicate", "There is no command frobnicate. See: python -m manager --help"),
        (
            "up --dryrun",
            "There is no option --dryrun. Did you mean --dry-run? See: python -m manager up --help",
        ),
        ("rm", "CLIENT is missing. See: python -m manager rm --help"),
        ("rm a b", "Too much was given: b. See: python -m manager rm --help"),
        ("validate --file", "--file needs a value. See: python -m manager validate --help"),
        ("qr client-1 --png", "--png needs a value. See: python -m manager qr --help"),
        ("up --dry-run=1", "--dry-run takes no value. See: python -m manager up --help"),
        (
            "up --batch 0",
            "--batch: `0` is no whole number of at least 1. See: python -m manager up --help",
        ),
        (
            "logs --tail abc",
            "--tail: `abc` is no whole number of at least 0. See: python -m manager logs --help",
        ),
    ],
)
def test_wrong_usage_is_one_line(cli: Cli, command: str, message: str) -> None:
    ran = cli(*command.split())
    assert (ran.code, ran.out, ran.err) == (2, "", f"{message}\n")


def test_import_of_a_path_that_is_not_there(cli: Cli) -> None:
    ran = cli("import", "/no/such/path")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "/no/such/path: there is no such file or folder. Check the path.\n"


def test_wrong_usage_in_turkish(cli: Cli) -> None:
    ran = cli("upp", OTURUM_LANG="tr")
    assert ran.code == 2
    assert ran.err == "upp diye bir komut yok. up mi demek istediniz? Bakın: python -m manager --help\n"
    assert not re.search(r"\b(Usage|Error|Try)\b", cli("rm", OTURUM_LANG="tr").err)
