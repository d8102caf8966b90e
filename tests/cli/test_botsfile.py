"""The commands about bots.yaml alone: no engine is asked, so none need be there."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


@pytest.fixture(autouse=True)
def _no_engine(cli: Cli) -> None:
    cli.environ.update(NO_ENGINE)


def test_validate_counts_the_bots(cli: Cli) -> None:
    cli.bots("shop", "sales, memory: 384m", "support, enabled: false")
    ran = cli("validate")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "bots.yaml is valid: project shop, 2 bot(s), 1 of them disabled.\n"


def test_validate_as_json(cli: Cli) -> None:
    cli.bots("shop", "sales, memory: 384m", "support, enabled: false")
    ran = cli("validate", "--json")
    assert ran.code == 0
    assert ran.json == {
        "ok": True,
        "file": "bots.yaml",
        "project": "shop",
        "bots": [{"client_id": "sales", "enabled": True}, {"client_id": "support", "enabled": False}],
        "warnings": [],
    }


def test_validate_warns_of_a_limit_in_which_no_browser_can_start(cli: Cli) -> None:
    cli.bots("shop", "sales, memory: 383m", "support, memory: 384m", "spare, enabled: false")
    ran = cli("validate")
    assert ran.code == 0
    (warning,) = ran.out.splitlines()[1:]
    assert "for a browser: sales." in warning
    assert "384m" in warning
    assert cli("validate", "--json").json["warnings"] == [warning]


def test_validate_tells_every_problem_with_its_place(cli: Cli) -> None:
    cli.file.write_text("project: shop\nbots:\n  - clientId: a\n    memroy: 1g\n  - clientId: b c\n  - {}\n")
    ran = cli("validate")
    assert (ran.code, ran.out) == (4, "")
    places = [line.split(": ")[0] for line in ran.err.splitlines()]
    assert places == ["bots.yaml:4:5", "bots.yaml:5:15", "bots.yaml:6:5"]
    assert "did you mean memory?" in ran.err

    told = cli("validate", "--json")
    assert told.code == 4
    assert told.json["exit"] == 4
    assert [(each["line"], each["column"]) for each in told.json["problems"]] == [(4, 5), (5, 15), (6, 5)]
    assert told.json["problems"][0]["path"] == "bots[0].memroy"


def test_another_file_before_and_after_the_command(cli: Cli) -> None:
    cli.bots("shop", "sales")
    cli.file.rename(cli.folder / "other.yaml")
    for args in (("--file", "other.yaml", "validate"), ("validate", "--file", "other.yaml")):
        assert cli(*args).code == 0
    assert cli("validate", OTURUM_FILE="other.yaml").code == 0
    missing = cli("validate")
    assert missing.code == 4
    assert "--file" in missing.err


def test_add_pause_and_resume_leave_the_rest_of_the_file(cli: Cli) -> None:
    before = "project: shop\nbots:\n  # the first\n  - clientId: sales\n"
    cli.file.write_text(before)
    added = cli("add", "support")
    assert (added.code, added.err) == (0, "")
    assert "python -m manager up support" in added.out
    with_both = cli.file.read_text()
    assert with_both.startswith(before)

    assert "is disabled in bots.yaml now" in cli("pause", "support").out
    assert cli("validate", "--json").json["bots"][1] == {"client_id": "support", "enabled": False}
    paused = cli.file.read_text()
    again = cli("pause", "support")
    assert (again.code, again.out) == (0, "support was disabled already; bots.yaml stays as it is.\n")
    assert cli.file.read_text() == paused

    assert "is enabled in bots.yaml now" in cli("resume", "support").out
    assert cli("validate", "--json").json["bots"][1] == {"client_id": "support", "enabled": True}
    assert cli("resume", "support").out == "support was enabled already; bots.yaml stays as it is.\n"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_an_unknown_bot_and_the_one_that_was_meant(cli: Cli, command: str) -> None:
    cli.bots("shop", "sales", "support")
    before = cli.file.read_text()
    ran = cli(command, "sale")
    assert (ran.code, ran.out) == (6, "")
    assert ran.err == "No bot sale in bots.yaml. Known: sales, support. Did you mean sales?\n"
    assert cli.file.read_text() == before


def test_a_bot_that_is_there_already_is_not_added(cli: Cli) -> None:
    cli.bots("shop", "sales")
    taken = cli("add", "sales")
    assert taken.code == 1
    assert "stands in bots.yaml already (line 5)" in taken.err
    assert cli("add", "SALES").code == 1
    assert cli("add", "two words").code == 2
    assert cli("add").code == 2
