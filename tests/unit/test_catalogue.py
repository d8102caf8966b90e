"""Every sentence the bot can say is there in both languages, with the same places, and none in vain."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter

import pytest

from bot.browser import BrowserProblem
from bot.contract import DisconnectReason, Level, State, UserAction
from bot.preflight import SessionProblem
from bot.problem import LOCALES
from bot.text import LANGUAGES, load_catalogue

BOT = Path(__file__).parents[2] / "bot"
CATALOGUES = {language: load_catalogue(LOCALES, language) for language in LANGUAGES}
ENGLISH = CATALOGUES["en"]


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def constants() -> set[str]:
    """Every text constant in the bot's code."""
    found = set()
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def emitted() -> set[str]:
    """The key, as far as it is written out, of every line of the log: `x.emit(name, level, key)` or `Emit(…)`."""
    found = set()
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or len(node.args) < 3:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("emit", "Emit") and isinstance(node.args[2], ast.Constant):
                found.add(node.args[2].value)
    return found


def composed() -> set[str]:
    """Keys the code puts together."""
    persons = [state.value.lower() for state in State if state.permanent and state is not State.FAILED]
    return {
        *(f"event.disconnect_{reason.value.lower()}" for reason in DisconnectReason),
        *(f"event.{name}" for name in persons),
        *(f"event.shutdown_{session}" for session in ("present", "absent")),
        *(
            f"event.{key}{how}"
            for key in ("reconnect_", "never_ready_", "incomplete_")
            for how in ("reload", "relaunch")
        ),
        *(f"level.{level.value}" for level in Level),
        *(f"ctl.action_{action.value}" for action in UserAction),
        *(
            f"session_problem.{problem.value}{part}"
            for problem in SessionProblem
            for part in ("", "_hint", "_fix")
        ),
        *(
            f"browser_problem.{problem.value}{part}"
            for problem in BrowserProblem
            for part in ("", "_hint", "_fix")
        ),
    }


def test_both_languages_have_the_same_keys() -> None:
    assert set(CATALOGUES["tr"]) == set(ENGLISH)


@pytest.mark.parametrize("key", sorted(ENGLISH))
def test_both_languages_have_the_same_places(key: str) -> None:
    assert places(CATALOGUES["tr"][key]) == places(ENGLISH[key])


def test_every_key_the_code_emits_has_a_text() -> None:
    keys = emitted()
    assert len(keys) > 25
    assert {f"event.{key}" for key in keys} <= set(ENGLISH)
    assert composed() <= set(ENGLISH)


def reported() -> set[str]:
    """The kinds of Report: the first argument, either side of a choice, or what the variable given was set to."""
    found = set()
    for path in BOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        sets = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Report":
                continue
            kind = node.args[0]
            named = [each.value for each in sets if ast.dump(each.targets[0]) == ast.dump(_stored(kind))]
            for given in named or [kind]:
                found |= {each.value for each in ast.walk(given) if isinstance(each, ast.Constant)}
    return found


def _stored(node: ast.expr) -> ast.expr:
    return ast.Name(node.id, ast.Store()) if isinstance(node, ast.Name) else node


def test_every_report_of_the_volume_has_a_text() -> None:
    kinds = reported()
    assert kinds >= {
        "damaged_marker",
        "damaged_mirror",
        "leftover_browser",
        "unkillable_browser",
        "finished_aside",
    }
    assert {f"event.session_report_{kind}" for kind in kinds} <= set(ENGLISH)


@pytest.mark.parametrize("section", ["event", "level", "ctl", "control", "server", "settings"])
def test_no_text_is_there_in_vain(section: str) -> None:
    said = constants()
    pieces = {each.removeprefix(f"{section}.") for each in said}
    for key in (each for each in ENGLISH if each.startswith(f"{section}.")):
        name = key.partition(".")[2]
        known = name in pieces or name.removesuffix("_fix") in pieces or name.removesuffix("_hint") in pieces
        spliced = name.startswith(("session_report_", "action_")) or key in composed()
        assert known or spliced, f"nobody says {key}"
