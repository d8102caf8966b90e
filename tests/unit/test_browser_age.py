"""What an older browser can't read: noted before a newer one writes it, refused, and never all that is kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot import chromium
from bot.chromium import BrowserError, BrowserProblem, check_age
from bot.contract import BotExit
from bot.generations import KEPT, Generations, Origin
from bot.text import Catalogue
from manager.app import App, UserError
from manager.commands import generations as command
from manager.exits import Exit
from manager.text import catalogue
from tests.crashes import Volume

NOW = datetime(2026, 1, 2, tzinfo=UTC)
EXECUTABLE = Path("/usr/bin/chromium")


@pytest.fixture
def store(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "generations")


def take(store: Generations, version: str) -> int:
    file = store.folder.parent / "profile" / "Default" / "Local Storage" / "leveldb" / "000003.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{len(store.numbers())} {max(store.numbers(), default=0)} {version}")
    taken = store.take(store.folder.parent / "profile", store.folder.parent / "none", Origin(NOW, version))
    assert taken.number is not None
    return taken.number


def test_the_newest_of_an_older_browser_is_kept_beside_the_newest(store: Generations) -> None:
    for version in ("149.0", "150.0", "150.1", "156.0", "156.0", "156.1", "156.2", "156.2"):
        last = take(store, version)
    assert store.numbers() == [last, last - 1, last - 2, 3]
    assert store.intact(3)
    take(store, "157.0")
    assert len(store.numbers()) == KEPT  # one of 156 is among the newest already
    for _ in range(KEPT):
        take(store, "157.0")
    kept = [store.read(number) for number in store.numbers()]
    assert [each and each.browser_version for each in kept] == ["157.0", "157.0", "157.0", "156.2"]


def test_one_age_needs_no_place_of_its_own(store: Generations) -> None:
    for _ in range(KEPT + 3):
        take(store, "156.0")
    assert len(store.numbers()) == KEPT


def test_the_budget_counts_for_the_older_one_too(store: Generations, monkeypatch: pytest.MonkeyPatch) -> None:
    take(store, "150.0")
    for _ in range(KEPT):
        take(store, "156.0")
    assert len(store.numbers()) == KEPT + 1
    monkeypatch.setattr("bot.generations.BUDGET_BYTES", store.size() - 1)
    store.prune()
    assert len(store.numbers()) == KEPT


def test_what_is_dropped_costs_the_older_one_no_room(
    store: Generations, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(store, "150.0")
    size = store.size()
    monkeypatch.setattr("bot.generations.KEPT", 10)
    for _ in range(KEPT + 3):
        take(store, "156.0")
    monkeypatch.setattr("bot.generations.KEPT", KEPT)
    monkeypatch.setattr("bot.generations.BUDGET_BYTES", (KEPT + 1) * size)
    store.prune()
    assert store.numbers() == [7, 6, 5, 1]


def test_a_copy_of_an_unknown_browser_is_no_way_back(store: Generations) -> None:
    take(store, "150.0")
    take(store, "")
    for _ in range(KEPT):
        take(store, "156.0")
    assert store.numbers() == [5, 4, 3, 1]


def test_which_browser_uses_the_profile_is_known_before_it_does(volume: Volume) -> None:
    volume.session.store_mirror(volume.entries("alpha"))
    volume.session.mark_paired("905321234567:1@c.us")
    volume.session.mark_ready("150.0.1.2")
    volume.session.mark_browser("156.0.3.4")
    volume.reopen()
    assert volume.session.info().browser_version == "156.0.3.4"


@pytest.mark.parametrize("version", ["156.0.1", "157.0", None])
def test_the_same_or_a_newer_browser_may_use_it(version: str | None) -> None:
    check_age(EXECUTABLE, version, "156.9.9", "sales")
    check_age(EXECUTABLE, version, None, "sales")


@pytest.mark.parametrize("language", ["en", "tr"])
def test_an_older_one_is_refused_with_the_command_that_goes_back(language: str) -> None:
    with pytest.raises(BrowserError) as caught:
        check_age(EXECUTABLE, "150.0", "156.0", "sales")
    error = caught.value
    assert (error.problem, error.permanent, error.exit) == (
        BrowserProblem.DOWNGRADE, True, BotExit.BROWSER_UNUSABLE,
    )  # fmt: skip
    fix = error.say(Catalogue(chromium.Path(chromium.__file__).parent / "locales", language)).fix
    assert fix.endswith("python -m manager rollback sales --force")


def generation(number: int, version: str | None, verdict: str = "good") -> dict[str, Any]:
    return {"number": number, "browser_version": version, "verdict": verdict}


FOUND = [
    generation(9, "156.1", "candidate"),
    generation(8, "156.0"),
    generation(5, "150.2"),
    generation(4, "150.1"),
]
APP = App(catalogue("en"), {}, Path("bots.yaml"))


def chosen(found: list[dict[str, Any]], ours: str | None, number: str | None = None, *, force: bool) -> int:
    return int(command.choose(APP, "sales", found, number, ours, force=force)["number"])


def test_forced_it_takes_the_newest_good_one_that_the_browser_can_read() -> None:
    assert chosen(FOUND, "150.9", force=True) == 5
    assert chosen(FOUND, "156.0", force=True) == 8
    assert chosen(FOUND, None, force=True) == 8
    assert chosen([generation(3, "156.0"), generation(2, None, "candidate")], "150.0", force=True) == 2


def test_unforced_one_that_it_could_not_read_is_refused_with_what_to_type() -> None:
    with pytest.raises(UserError) as caught:
        chosen(FOUND, "150.9", force=False)
    assert "Generation 8 was made by Chromium 156.0" in caught.value.message
    assert "python -m manager rollback sales --force" in caught.value.fix
    assert chosen(FOUND, "150.9", "4", force=False) == 4
    with pytest.raises(UserError):
        chosen(FOUND, "150.9", "9", force=False)


def test_what_was_shown_must_be_readable_still_and_no_other_of_its_number() -> None:
    taken = [each | {"taken_at": f"2026-01-{each['number']:02}"} for each in FOUND]
    shown = taken[1]
    command.refuse_another(APP, "sales", taken, shown, "156.0")
    older = "the present browser (150.9) is older"
    another = "Generation 8 is another one by now"
    for found, ours, why in (
        (taken, "150.9", older),
        ([shown | {"taken_at": "2026-02-01"}], "156.0", another),
        (taken[2:], "156.0", another),
        ([], "156.0", another),
    ):
        with pytest.raises(UserError, match=re.escape(why)) as caught:
            command.refuse_another(APP, "sales", found, shown, ours)
        assert caught.value.code == Exit.FAILED


def test_where_none_can_be_read_no_command_is_named_that_would_not_work() -> None:
    for force in (False, True):
        with pytest.raises(UserError) as caught:
            chosen(FOUND, "140.0", force=force)
        assert "None of sales's generations" in caught.value.message
        assert "--force" not in caught.value.fix
