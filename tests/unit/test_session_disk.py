"""A full disk and folders of no use: what is kept, and what is said then."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from bot.contract import BotExit
from bot.mounts import Mount
from bot.preflight import SessionError, SessionProblem
from bot.problem import LOCALES
from bot.session import Session
from bot.text import Catalogue
from tests.crashes import Volume, refusal
from tests.disks import BreakableDisk, thin_disk, tmpfs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB of its own."""
    with tmpfs(tmp_path / "disk", "size=40m") as place:
        yield place


def fill(place: Path) -> Path:
    """Not one byte is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return filler


# Root without its powers is a user like any other, but one who can read the program wherever it lies.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


STRANGER = 12345


# --- a full disk -----------------------------------------------------------------------------------------


def test_a_full_disk_costs_the_ballast_before_it_costs_the_session(small_disk: Path) -> None:
    volume = Volume(small_disk / "session")
    ballast = volume.folder / "ballast"
    assert ballast.stat().st_size == 1024**2
    fill(small_disk)
    volume.session.store_mirror(volume.entries("alpha") | {"other": "x" * 100_000})
    volume.session.mark_paired("alpha:1@c.us")
    assert not ballast.exists()
    assert volume.mirrored() == "alpha"
    fill(small_disk)
    with pytest.raises(SessionError) as refused:
        volume.session.store_mirror(volume.entries("alpha") | {"other": "y" * 200_000})
    assert "free" in str(refused.value)
    assert volume.mirrored() == "alpha", "the old mirror stays"
    volume.close()


def test_a_full_disk_is_opened_and_no_browser_is_launched_until_there_is_room(small_disk: Path) -> None:
    volume = Volume(small_disk / "session")
    volume.browse("alpha")
    volume.pair("alpha")
    filler = fill(small_disk)
    volume.close()
    assert refusal(volume.folder) == (0, "")
    volume.reopen()
    assert (volume.session.info().present, volume.profile()) == (True, "alpha")
    problem = volume.session.storage_problem()
    assert problem is not None
    assert (problem.problem, problem.only_soon) == (SessionProblem.NO_SPACE, False)
    assert "16 MiB needed" in str(problem)
    assert "df -h" in str(problem)
    filler.unlink()
    assert volume.session.storage_problem() is None
    volume.close()


def test_a_full_disk_leaves_no_half_generation_and_the_old_ones(small_disk: Path) -> None:
    volume = Volume(small_disk / "session")
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    assert volume.session.take_generation().taken
    volume.browse("alpha", "x" * 1_000_000)
    fill(small_disk)
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).total - 6_000_000))
    assert volume.session.take_generation().reason == "no_space"
    assert volume.session.generations() == [1]
    assert [each.name for each in (volume.folder / "generations").iterdir()] == ["1"]
    volume.close()


def test_the_disk_is_looked_at_before_it_is_full(small_disk: Path) -> None:
    volume = Volume(small_disk / "session")
    volume.browse("alpha", "x" * 1_500_000)
    volume.pair("alpha")
    session = volume.session
    assert session.storage_problem() is None
    filler = small_disk / "filler"

    def leave(megabytes: int) -> None:
        filler.unlink(missing_ok=True)
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - megabytes * 1024**2))

    leave(20)
    soon = session.storage_problem()
    assert soon is not None
    assert soon.problem is SessionProblem.LOW_SPACE
    assert soon.only_soon
    assert "20 MiB free" in str(soon)
    assert "25 MiB needed" in str(soon), "16 and three copies"
    leave(10)
    now = session.storage_problem()
    assert now is not None
    assert now.problem is SessionProblem.NO_SPACE
    assert not now.only_soon
    (volume.folder / "ballast").unlink()
    filler.unlink()
    assert session.storage_problem() is None
    assert (volume.folder / "ballast").exists(), "there is room for it again"
    volume.close()


# --- folders that can't be used --------------------------------------------------------------------------


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "session").write_text("")
    for folder in (tmp_path / "session", tmp_path / "session/below"):
        code, said = refusal(folder)
        assert code == BotExit.SESSION_UNUSABLE
        assert "is not a folder" in said
        assert "mv " in said


@pytest.mark.parametrize("below", ["", "new/folder"])
def test_a_folder_of_somebody_else_says_what_to_type(tmp_path: Path, below: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, STRANGER, STRANGER)
    code, said = refusal(theirs / below, POWERLESS)
    assert code == BotExit.SESSION_UNUSABLE
    assert "permission" in said
    assert f"chown -R {os.getuid()}" in said
    assert f"{STRANGER}:{STRANGER}" in said


def test_one_file_of_somebody_else_is_found_before_it_costs_the_session(tmp_path: Path) -> None:
    deep = tmp_path / "profile/Default/IndexedDB"
    deep.mkdir(parents=True)
    (deep / "000003.log").write_text("x")
    os.chown(deep / "000003.log", STRANGER, STRANGER)
    (deep / "000003.log").chmod(0o600)
    code, said = refusal(tmp_path, POWERLESS)
    assert code == BotExit.SESSION_UNUSABLE
    assert "000003.log" in said
    assert "chown" in said


@pytest.mark.parametrize("words", [["look"], ["rollback"], ["export"], ["export", "--generation", "1"]])
def test_whoever_works_on_a_volume_of_somebody_else_is_told_what_to_type(
    tmp_path: Path, words: list[str]
) -> None:
    volume = Volume(tmp_path / "session")
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    assert volume.session.take_generation().taken
    volume.close()
    subprocess.run(["chown", "-R", f"{STRANGER}:{STRANGER}", volume.folder], check=True)
    command = [sys.executable, "-m", "bot", "volume", *words, "--json", "--session-dir", str(volume.folder)]
    done = subprocess.run(
        [*POWERLESS, *command], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    told = json.loads((done.stderr if words[0] == "export" else done.stdout) or done.stderr)
    assert done.returncode == told["exit"] == BotExit.SESSION_UNUSABLE
    assert told["problem"] == "permission"
    assert f"sudo chown -R {os.getuid()}:{os.getgid()} {volume.folder}" in told["error"]["fix"]


def test_what_an_import_left_keeps_no_bot_from_starting_whoever_owns_it(tmp_path: Path) -> None:
    left = tmp_path / "incoming-1" / "shop"
    left.mkdir(parents=True)
    os.chown(left.parent, STRANGER, STRANGER)
    left.parent.chmod(0o755)
    assert refusal(tmp_path, POWERLESS) == (BotExit.OK, "")


def test_a_read_only_mount(small_disk: Path) -> None:
    (small_disk / "session").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    code, said = refusal(small_disk / "session")
    assert code == BotExit.SESSION_UNUSABLE
    assert "read-only" in said
    assert f"sudo mount -o remount,rw {small_disk}" in said
    code, said = refusal(small_disk / "other")
    assert "read-only" in said


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    disk = BreakableDisk(tmp_path / "disk")
    try:
        volume = Volume(disk.path / "session")
        volume.browse("alpha")
        volume.pair("alpha")
        disk.breaks()
        problem = volume.session.storage_problem()
        assert problem is not None
        assert (problem.problem, problem.only_soon) == (SessionProblem.FSYNC, False)
        assert "Input/output error" in str(problem)
        assert "backup shop" in str(problem)
        volume.close()
    finally:
        disk.close()


def test_a_disk_that_has_promised_more_than_it_has(tmp_path: Path) -> None:
    with thin_disk(tmp_path) as (place, pool):
        volume = Volume(place / "session")
        fill(pool)
        problem = volume.session.storage_problem()
        assert problem is not None
        assert (problem.problem, problem.only_soon) == (SessionProblem.LIMIT, False)
        assert "no 16 MiB more, although" in str(problem)
        assert "enlarge the disk" in str(problem)
        volume.close()


def test_a_quota_that_is_used_up(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "session")
    beyond = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    with mock.patch("os.posix_fallocate", side_effect=beyond):
        problem = volume.session.storage_problem()
    assert problem is not None
    assert (problem.problem, problem.no_room) == (SessionProblem.LIMIT, True)
    assert f"edquota -u {os.geteuid()}" in str(problem)
    volume.close()


def test_a_file_system_without_room_for_more_files(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "size=40m,nr_inodes=900") as place:
        volume = Volume(place / "session")
        volume.browse("alpha")
        volume.pair("alpha")
        soon = volume.session.storage_problem()
        assert soon is not None
        assert (soon.problem, soon.only_soon) == (SessionProblem.LOW_INODES, True)
        for number in range(700):
            (place / str(number)).touch()
        problem = volume.session.storage_problem()
        assert problem is not None
        assert (problem.problem, problem.only_soon) == (SessionProblem.NO_INODES, False)
        assert "256 needed" in str(problem)
        assert "df -i" in str(problem)
        volume.close()


def test_a_network_mount_whose_locks_no_other_machine_sees(tmp_path: Path) -> None:
    volume = Volume(tmp_path / "session")
    with mock.patch("bot.preflight.mount_of", return_value=Mount("/mnt", "nfs", frozenset({"nolock"}))):
        problem = volume.session.storage_problem()
    assert problem is not None
    assert (problem.problem, problem.only_soon) == (SessionProblem.LOCAL_LOCKS, True)
    assert "nfs, nolock" in str(problem)
    volume.close()


def test_a_file_system_without_locks(tmp_path: Path) -> None:
    with (
        mock.patch("fcntl.flock", side_effect=OSError(errno.ENOLCK, "No locks available")),
        pytest.raises(SessionError) as refused,
    ):
        Session.open(tmp_path, "shop")
    assert "no locks" in str(refused.value)


def test_every_refusal_has_words_in_both_languages(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError) as refused:
        Session.open(tmp_path / "file", "shop")
    for language in ("en", "tr"):
        said = refused.value.say(Catalogue(LOCALES, language))
        assert all((said.message, said.hint, said.fix))
