"""import, backup and restore as people mistype them: told before any engine is asked."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pyrage
import pytest

from manager import backupfile
from manager.backupfile import Key, Kind
from manager.exits import Exit
from tests.cli.conftest import PROGRAM, Cli
from tests.profile_folders import make_profile


@pytest.fixture(autouse=True)
def _bots(cli: Cli) -> None:
    """No engine answers here: what asks one ends with ENGINE."""
    cli.bots("nobody", "sales")
    cli.environ["DOCKER_HOST"] = f"unix://{cli.folder}/no.sock"


def powerless(cli: Cli, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """As by somebody who may not do everything."""
    return subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *PROGRAM, *words],
        cwd=cli.folder, env=cli.environ | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_path_without_a_session(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in ("empty", "nowhere"):
        ran = cli("import", path)
        assert ran.code == Exit.FAILED
        assert "empty" in ran.err or "nowhere" in ran.err
        assert "Traceback" not in ran.err
    assert "There is no session at empty" in cli("import", "empty").err


def test_one_name_for_several_sessions_and_a_name_that_is_none(cli: Cli, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_profile(tmp_path / "auth" / f"session-{name}")
    several = cli("import", "auth", "--as", "front")
    assert (several.code, "2 sessions" in several.err) == (Exit.USAGE, True)
    assert cli("import", "auth", "--as", "front desk").code == Exit.USAGE


@pytest.mark.parametrize(("language", "word"), [("en", "never paired"), ("tr", "hiç eşleşmemiş")])
def test_one_bad_folder_keeps_all_out_and_every_reason_is_told(
    cli: Cli, tmp_path: Path, language: str, word: str
) -> None:
    make_profile(tmp_path / "auth" / "session-new", {})
    make_profile(tmp_path / "auth" / "session-a b", {})
    ran = cli("import", "auth", "--dry-run", OTURUM_LANG=language)
    assert ran.code == Exit.FAILED
    assert word in ran.err
    assert "a-b" in ran.err


def test_a_backup_needs_a_key_and_a_free_name(cli: Cli, tmp_path: Path) -> None:
    none = cli("backup", "-o", "file.age")
    assert none.code == Exit.USAGE
    assert "--recipient" in none.err
    assert "OTURUM_PASSPHRASE" in none.err
    both = cli("backup", "-o", "file.age", "--plain", "--recipient", "age1x")
    assert (both.code, "do not go together" in both.err) == (Exit.USAGE, True)
    assert cli("backup", "-o", "file.age", "--recipient", "age1nonsense").code == Exit.USAGE
    (tmp_path / "there.age").write_text("precious")
    taken = cli("backup", "-o", "there.age", "--plain")
    assert (taken.code, "--force" in taken.err) == (Exit.FAILED, True)
    (tmp_path / "word").write_text("\n")
    assert "empty" in cli("backup", "-o", "file.age", "--passphrase-file", "word").err
    assert not (tmp_path / "file.age").exists()


def test_a_passphrase_is_asked_for_twice_and_not_shown(cli: Cli, tmp_path: Path) -> None:
    terminal = cli.terminal("backup", "-o", "file.age")
    terminal.expect("Passphrase: ")
    terminal.type("one")
    terminal.expect("The same again: ")
    terminal.type("two")
    ran = terminal.end()
    assert ran.code == Exit.FAILED
    assert "differ" in ran.out
    assert "two" not in ran.out.replace("The two", "")
    assert not (tmp_path / "file.age").exists()


def test_what_cannot_be_opened_is_told(cli: Cli, tmp_path: Path) -> None:
    mine = pyrage.x25519.Identity.generate()
    backupfile.write(tmp_path / "key.age", [b"x"], Key(Kind.RECIPIENTS, keys=(mine.to_public(),)))
    backupfile.write(tmp_path / "word.age", [b"x"], Key(Kind.PASSPHRASE, "one"))
    backupfile.write(tmp_path / "hollow.zst", [b"x"], Key(Kind.PLAIN))
    (tmp_path / "mine.txt").write_text(f"{mine}\n")

    assert cli("restore", "key.age").code == Exit.USAGE
    assert "--identity" in cli("restore", "key.age").err
    assert cli("restore", "word.age").code == Exit.USAGE
    assert "passphrase is another" in cli("restore", "word.age", OTURUM_PASSPHRASE="two").err
    assert "passphrase is another" in cli("restore", "word.age", "--passphrase-file", "-", stdin="two\n").err
    for hollow in (
        cli("restore", "hollow.zst"),
        cli("restore", "key.age", "-i", "mine.txt"),
        cli("restore", "word.age", OTURUM_PASSPHRASE="one"),
        cli("restore", "word.age", "--passphrase-file", "-", stdin="one\n"),
    ):
        assert hollow.code == Exit.FAILED
        assert "Nothing was written" in hollow.err
    assert "no backup" in cli("restore", "bots.yaml").err
    assert "cannot be read" in cli("restore", "missing").err


@pytest.mark.parametrize("language", ["en", "tr"])
def test_what_belongs_to_somebody_else_is_told_with_what_mends_it(
    cli: Cli, tmp_path: Path, language: str
) -> None:
    """By whoever is bound by permissions, as root is without its capabilities."""
    closed = tmp_path / "closed"
    folder = make_profile(closed / "session-sales")
    backupfile.write(closed / "file.zst", [b"x"], Key(Kind.PLAIN))
    subprocess.run(["chown", "-R", "12345:12345", closed], check=True)
    (closed / "file.zst").chmod(0o600)
    lock = folder / "Default" / "Local Storage" / "leveldb" / "LOCK"
    lock.chmod(0o600)

    for words in (("restore", "closed/file.zst"), ("import", "closed/session-sales", "--dry-run")):
        told = powerless(cli, *words, OTURUM_LANG=language)
        assert told.returncode == Exit.FAILED, told
        assert os.strerror(errno.EACCES) in told.stderr
    assert f"sudo chown -R $(id -un) {folder}\n" in told.stderr
    closed.chmod(0o700)
    for words in (("backup", "-o", "closed/new", "--plain"), ("report", "--html", "closed/new")):
        told = powerless(cli, *words, OTURUM_LANG=language)
        assert told.returncode == Exit.ENGINE, told
