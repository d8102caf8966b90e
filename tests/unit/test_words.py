"""The manager's texts: both languages say the same things, and everything that is said is there. README too."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bot.text import LANGUAGES, load_catalogue
from manager.app import App
from manager.cli import COMMANDS, root
from manager.exits import Exit
from manager.text import LOCALES

ROOT = Path(__file__).resolve().parents[2]
TEXTS = {language: load_catalogue(LOCALES, language) for language in LANGUAGES}
SECTIONS = {key.split(".")[0] for key in TEXTS["en"]}
READMES = {"en": ROOT / "README.md", "tr": ROOT / "README.tr.md"}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_languages_have_the_same_keys() -> None:
    assert TEXTS["en"].keys() == TEXTS["tr"].keys()


@pytest.mark.parametrize("key", sorted(TEXTS["en"]))
def test_the_languages_have_the_same_places(key: str) -> None:
    assert places(TEXTS["en"][key]) == places(TEXTS["tr"].get(key, ""))


def said() -> Iterator[tuple[str, str]]:
    """(file:line, key) for every text that looks like one of our keys in the manager's sources; a part that is
    put together when the program runs is `*`."""
    for path in sorted((ROOT / "manager").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = ""
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            elif isinstance(node, ast.JoinedStr):
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values
                )
            if re.fullmatch(rf"({'|'.join(sorted(SECTIONS))})\.[a-z0-9_*-]+", text):
                text = f"{text}*" if text.endswith("_") else text
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def test_every_text_that_is_said_is_in_the_catalogue() -> None:
    known = TEXTS["en"]
    lost = []
    for where, key in said():
        pattern = re.escape(key).replace(r"\*", "[a-z0-9_-]+")
        if not any(re.fullmatch(pattern, each) for each in known):
            lost.append(f"{where}: {key}")
    assert lost == []


def test_every_text_of_the_command_line_is_said() -> None:
    patterns = [re.escape(key).replace(r"\*", "[a-z0-9_-]+") for _, key in said()]
    patterns.append(rf"help\.(manager|{'|'.join(COMMANDS)})")
    patterns += [rf"option\.{name}" for name in option_texts()]
    sections = ("execute", "image", "cli", "usage", "help", "option", "botsfile", "rm")
    unsaid = [
        key
        for key in TEXTS["en"]
        if key.split(".")[0] in sections and not any(re.fullmatch(pattern, key) for pattern in patterns)
    ]
    assert unsaid == []


def commands() -> dict[str, click.Command]:
    context = click.Context(root, obj=App.of({}))
    found = {name: root.get_command(context, name) for name in COMMANDS}
    return {name: command for name, command in found.items() if command is not None}


def options(command: click.Command) -> list[click.Option]:
    return [param for param in command.params if isinstance(param, click.Option)]


def option_texts() -> set[str]:
    each = [*commands().values(), root]
    return {str(option.help) for command in each for option in options(command)} | {"help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_its_text(name: str) -> None:
    for option in options(commands()[name]):
        assert f"option.{option.help}" in TEXTS["en"]
    assert f"help.{name}" in TEXTS["en"]


# ---- README


def command_rows(text: str) -> str:
    """The first cells of the command table, whatever its language."""
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    start = next(at for at, row in enumerate(rows) if row.startswith("| `up "))
    return "\n".join(rows[start:])


@pytest.mark.parametrize("language", READMES)
@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command_with_its_options(name: str, language: str) -> None:
    rows = command_rows(READMES[language].read_text("utf-8"))
    found = re.search(rf"`{name}\b([^`]*)`", rows)
    assert found, f"{name} is not in the command table"
    for option in options(commands()[name]):
        if option.name != "file" and "--file" not in option.opts:
            assert set(option.opts) & set(re.findall(r"--?[a-z][a-z-]*", found[1])), f"{name} {option.opts}"


@pytest.mark.parametrize("language", READMES)
@pytest.mark.parametrize("code", Exit)
def test_the_readme_and_the_help_name_every_exit_code(code: Exit, language: str) -> None:
    assert re.search(rf"^\| {int(code)} \| \S", READMES[language].read_text("utf-8"), re.MULTILINE)
    assert re.search(rf"[ ,]{int(code)} ", TEXTS[language]["help.manager"])
