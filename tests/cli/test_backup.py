"""backup and restore of several bots on a real engine: all that was asked for, or told what is missing."""

from __future__ import annotations

import fcntl
import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest

from bot.contract import LABEL_TOOL, SESSION_MOUNT
from manager.engine import Engine
from manager.exits import Exit
from tests.cli.conftest import Cli, Ran, Terminal
from tests.cli.test_transfer import powerless
from tests.profile_folders import PAIRED, make_profile

pytestmark = pytest.mark.engine
BOTS = ("sales", "support")


def volumes_of(sdk: docker.APIClient, project: str) -> set[str]:
    found = sdk.volumes(filters={"name": f"{project}-session-"})["Volumes"] or []
    return {each["Name"].removeprefix(f"{project}-session-") for each in found}


def questions(cli: Cli, *commands: str) -> list[Terminal]:
    """Each of the commands where it waits for an answer."""
    started = [cli.terminal(*command.split()) for command in commands]
    for each in started:
        each.expect("[y/N]")
    return started


def yes(asked: Terminal) -> Ran:
    asked.type("y")
    return asked.end()


@pytest.fixture
def saved(cli: Cli, project: str, tmp_path: Path) -> Path:
    """A backup of both bots, whose volumes are gone since."""
    bots = "".join(f"  - {{clientId: {each}}}\n" for each in (*BOTS, "fresh"))
    cli.file.write_text(f"project: {project}\nbots:\n{bots}")
    for number, each in enumerate(BOTS, 1):
        entries = PAIRED | {"last-wid-md": f'"905321234567:{number}@c.us"'}
        make_profile(tmp_path / "auth" / f"session-{each}", entries, version=None)
    imported = cli("import", "auth", "--yes")
    assert imported.code == Exit.OK, imported
    made = cli("backup", *BOTS, "-o", "two.plain", "--plain")
    assert made.code == Exit.OK, made
    for each in BOTS:
        assert cli("rm", each, "--volume", "--yes").code == Exit.OK
    return tmp_path / "two.plain"


def test_every_bot_of_a_backup_is_restored(
    cli: Cli, sdk: docker.APIClient, engine: Engine, project: str, saved: Path
) -> None:
    tools = sdk.events(decode=True, filters={"event": "create", "label": f"{LABEL_TOOL}={project}"})
    restored = cli("restore", saved.name, "--yes")
    assert restored.code == Exit.OK, restored
    assert cli("rollback", "sales", "--yes").code == Exit.OK
    (saved.parent / "auth" / "session-support").rename(saved.parent / "session-third")
    assert cli("import", "session-third").code == Exit.OK
    # Where nobody is asked each command looks once: at the image's browser, then at the session.
    once = ["none", *BOTS, *("sales", "none", "sales", "sales"), *("none", "third")]
    assert [_tool_of(event, project) for event in itertools.islice(tools, len(once))] == once
    tools.close()
    for each in BOTS:
        assert f"{each}: restored." in restored.out
        looked = _in_volume(
            engine, f"{project}-session-{each}", "python", "-m", "bot", "volume", "look", "--json"
        )
        assert json.loads(looked)["present"] is True
        assert "incoming-" not in _in_volume(engine, f"{project}-session-{each}", "ls", "-a", SESSION_MOUNT)
    assert volumes_of(sdk, project) == {*BOTS, "third"}


def test_where_nobody_can_be_asked_the_command_that_is_named_does_what_was_asked_for(
    cli: Cli, sdk: docker.APIClient, project: str, saved: Path
) -> None:
    refused = cli("restore", saved.name, "sales", "--as", "my-sales")
    assert refused.code == Exit.USAGE, refused
    assert f"python -m manager restore {saved.name} sales --as my-sales --yes" in refused.err
    assert volumes_of(sdk, project) == set()


def test_of_a_whole_fleets_backup_the_one_that_was_lost_is_named(cli: Cli, saved: Path) -> None:
    assert cli("restore", saved.name, "sales", "--yes").code == Exit.OK
    refused = cli("restore", saved.name, "--yes")
    assert refused.code != Exit.OK
    (command,) = [
        line.partition("python -m manager ")[2] for line in refused.err.splitlines() if "of: " in line
    ]
    assert command == f"restore {saved.name} --yes support"
    assert "support: restored." in cli(*command.split()).out


def test_a_question_that_nobody_answers_holds_up_no_other_manager(
    cli: Cli, sdk: docker.APIClient, project: str, saved: Path
) -> None:
    """And what another one did meanwhile is not undone by the answer."""
    restoring = cli.terminal("restore", saved.name, "sales")
    restoring.expect("[y/N]")
    importing = cli.terminal("import", "auth")
    importing.expect("[y/N]")
    assert cli("restore", saved.name, "--yes").code == Exit.OK
    for asked in (restoring, importing):
        asked.type("y")
        ran = asked.end()
        assert (ran.code, "sales has a session already" in ran.out) == (Exit.FAILED, True), ran
    assert volumes_of(sdk, project) == set(BOTS)


def test_what_became_another_while_the_question_stood_open_is_refused(
    cli: Cli, sdk: docker.APIClient, project: str, saved: Path, tmp_path: Path
) -> None:
    """The project, the backup's file, the volume, and the generation that bears the number now."""
    assert cli("restore", saved.name, "sales", "--yes").code == Exit.OK
    restore, back = f"restore {saved.name} support", "rollback sales"
    elsewhere = questions(cli, restore, "import auth/session-support", back)
    text = cli.file.read_text()
    cli.file.write_text(text.replace(project, f"{project}-b", 1))
    for asked in elsewhere:
        ran = yes(asked)
        assert (ran.code, f"another project by now: {project}-b" in ran.out) == (Exit.FAILED, True), ran
    assert volumes_of(sdk, f"{project}-b") == set()
    cli.file.write_text(text)

    restoring, gone, another = questions(cli, restore, back, back)
    shutil.copy(saved, tmp_path / "copy")
    (tmp_path / "copy").replace(saved)
    ran = yes(restoring)
    assert (ran.code, f"{saved.name} was changed or replaced" in ran.out) == (Exit.FAILED, True), ran

    assert cli("rm", "sales", "--volume", "--yes").code == Exit.OK
    ran = yes(gone)
    assert (ran.code, "sales has no volume" in ran.out) == (Exit.FAILED, True), ran
    assert volumes_of(sdk, project) == set()

    (tmp_path / "auth" / "session-sales" / "Default" / "Local Storage" / "leveldb" / "CURRENT").touch()
    assert cli("import", "auth/session-sales", "--yes").code == Exit.OK
    ran = yes(another)
    assert (ran.code, "Generation 1 is another one by now" in ran.out) == (Exit.FAILED, True), ran
    assert cli("rollback", "sales", "--yes").code == Exit.OK


def test_a_folder_is_judged_again_when_the_answer_has_come(
    cli: Cli, sdk: docker.APIClient, project: str, saved: Path, tmp_path: Path
) -> None:
    databases = tmp_path / "auth" / "session-sales" / "Default"
    storage = databases / "Local Storage" / "leveldb"
    theirs = "import auth/session-sales"
    in_use, another, elsewhere, grown = questions(cli, theirs, theirs, theirs, theirs)

    with (storage / "LOCK").open("r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        ran = yes(in_use)
    assert (ran.code, "It is in use" in ran.out) == (Exit.FAILED, True), ran

    log = storage / "000003.log"
    before = log.read_bytes()
    log.write_bytes(before.replace(b"905321234567:1@", b"905321234567:9@"))
    ran = yes(another)
    assert (ran.code, "another session by now" in ran.out) == (Exit.FAILED, True), ran
    log.write_bytes(before)

    (tmp_path / "auth" / "session-sales" / "SingletonLock").symlink_to("0123456789ab-1")
    ran = yes(elsewhere)
    assert (ran.code, "A browser on `0123456789ab`" in ran.out) == (Exit.FAILED, True), ran
    (tmp_path / "auth" / "session-sales" / "SingletonLock").unlink()
    assert volumes_of(sdk, project) == set()

    (storage / "000004.log").touch()
    ran = yes(grown)
    assert (ran.code, ", 6 files)" in ran.out) == (Exit.OK, True), ran


def test_a_paused_bot_is_not_started_by_up_alone(cli: Cli, saved: Path) -> None:
    assert cli("pause", "sales").code == Exit.OK
    restored = cli("restore", saved.name, "sales", "--yes")
    assert "python -m manager resume sales && python -m manager up sales" in restored.out, restored


def test_a_volume_that_cannot_be_read_is_told_with_what_mends_it(
    cli: Cli, engine: Engine, project: str, tmp_path: Path, saved: Path
) -> None:
    assert cli("restore", saved.name, "sales", "--yes").code == Exit.OK
    _in_volume(engine, f"{project}-session-sales", "chown", "-R", "0:0", SESSION_MOUNT, user="0")
    made = cli("backup", "-o", "one.plain", "--plain")
    assert made.code == Exit.FAILED
    assert "NOT in the file: sales: no write permission" in made.err
    assert f"docker run --rm --user 0 --volume {project}-session-sales" in made.err
    assert "No session could be read; no file was written." in made.err
    assert not (tmp_path / "one.plain").exists()


def test_what_the_bots_file_does_not_take_is_told_before_a_session_is_copied(
    cli: Cli, sdk: docker.APIClient, project: str, tmp_path: Path
) -> None:
    """And after what stands in the way of the sessions themselves, all of it."""
    cli.file.write_text(f"project: {project}\nbots:\n  - {{clientId: sales}}\n")
    make_profile(tmp_path / "auth" / "session-SALES")
    make_profile(tmp_path / "auth" / "session-unpaired", {})
    for more in ("--yes", "--dry-run"):
        told = cli("import", "auth", "--add", more)
        assert (told.code, "Nothing was imported: 2 of 2" in told.err) == (Exit.FAILED, True), told

    shutil.rmtree(tmp_path / "auth")
    make_profile(tmp_path / "auth" / "session-new", version=None)
    (asked,) = questions(cli, "import auth --add")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    cli.file.rename(theirs / "bots.yaml")
    subprocess.run(["chown", "-R", "12345:12345", theirs], check=True)
    subprocess.run(["chmod", "-R", "a+rX", theirs], check=True)
    for more in ("--yes", "--dry-run"):
        refused = powerless(cli, "--file", "theirs/bots.yaml", "import", "auth", "--add", more)
        assert refused.returncode == Exit.FAILED, refused
        assert "could not be written" in refused.stderr
    assert [each.name for each in theirs.iterdir()] == ["bots.yaml"]

    cli.file.write_text(f"project: {project}\nbots: &all\n  - {{clientId: sales}}\n")
    ran = yes(asked)
    assert (ran.code, "cannot be edited safely here" in ran.out) == (Exit.FAILED, True), ran
    assert volumes_of(sdk, project) == set()

    added = cli("--file", "theirs/bots.yaml", "import", "auth", "--add", "--yes")
    assert (added.code, "new: imported" in added.out) == (Exit.OK, True), added
    assert "clientId: new" in (theirs / "bots.yaml").read_text()


def _tool_of(event: dict[str, Any], project: str) -> str:
    """The bot on whose volume a short-lived container was to work."""
    name: str = event["Actor"]["Attributes"]["name"]
    return name.removeprefix(f"{project}-volume-").rpartition("-")[0]


def _in_volume(engine: Engine, volume: str, *command: str, user: str = "10001") -> str:
    words = (
        "docker",
        "--host",
        engine.host,
        "run",
        "--rm",
        "--user",
        user,
        "--volume",
        f"{volume}:{SESSION_MOUNT}",
    )
    newest = engine.images_with("io.oturum.image=bot")[0]  # the sources may have changed since it was built
    return subprocess.run([*words, newest, *command], check=True, capture_output=True, text=True).stdout
