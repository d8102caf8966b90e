"""What other clients leave behind: recognised, named, and refused where it is in use or no session."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.archive import Damaged
from manager import profiles
from tests.profile_folders import PAIRED, make_profile


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (".wwebjs_auth/session-sales", "sales"),
        (".wwebjs_auth/session", ""),
        (".wwebjs_sessions/bot_sales/session", "sales"),
        (".wwebjs_sessions/bot_sales/session-front", "front"),
        (".wwebjs_auth/RemoteAuth-sales", "sales"),
        ("tokens/sales", "sales"),
        ("profiles/bot_7", "7"),
    ],
)
def test_folders_are_found_and_named_as_their_program_named_them(
    tmp_path: Path, place: str, name: str
) -> None:
    folder = make_profile(tmp_path / place)
    assert profiles.find(tmp_path) == [folder]
    assert profiles.find(folder) == [folder]
    assert profiles.find(folder / "Default") == [folder]
    assert profiles.name_of(folder) == name


def test_all_below_a_folder_are_found_but_nothing_in_node_modules_or_behind_a_link(tmp_path: Path) -> None:
    kept = [make_profile(tmp_path / "auth" / f"session-{name}") for name in ("a", "b")]
    make_profile(tmp_path / "node_modules" / "x" / "session-c")
    make_profile(tmp_path.parent / f"{tmp_path.name}-away")
    (tmp_path / "link").symlink_to(tmp_path.parent / f"{tmp_path.name}-away")
    assert profiles.find(tmp_path) == kept


def test_a_session_is_told_by_its_keys_and_only_its_files_travel(tmp_path: Path) -> None:
    folder = make_profile(tmp_path / "session-sales")
    (found,) = profiles.judge([folder])
    assert (found.problem, found.name, found.phone_masked) == (None, "sales", "90*******567")
    assert found.browser_version == "150.0.1.2"
    made = profiles.manifest(found)
    assert set(made.files) == {
        "Default/Local Storage/leveldb/000003.log",
        "Default/Local Storage/leveldb/CURRENT",
        "Default/Local Storage/leveldb/MANIFEST-000001",
        "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/CURRENT",
        "Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/MANIFEST-000001",
    }
    assert made.size == found.size
    assert b"".join(profiles.content(found, "Default/Local Storage/leveldb/CURRENT")) == b"MANIFEST-000001\n"


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"WANoiseInfo": "shown a QR, never scanned"},
        PAIRED | {"last-wid-md": ""},
    ],
)
def test_a_profile_that_never_paired_is_refused(tmp_path: Path, entries: dict[str, str]) -> None:
    (found,) = profiles.judge([make_profile(tmp_path / "session-sales", entries)])
    assert found.problem == "not_paired"


def test_missing_parts_are_named(tmp_path: Path) -> None:
    folder = make_profile(tmp_path / "session-sales")
    database = folder / "Default" / "IndexedDB"
    database.rename(folder / "Default" / "elsewhere")
    assert profiles.judge([folder])[0].problem == "no_indexed_db"
    (folder / "Default" / "Local Storage").rename(folder / "Default" / "elsewhere2")
    assert profiles.judge([folder])[0].problem == "no_local_storage"


def test_damage_is_told(tmp_path: Path) -> None:
    folder = make_profile(tmp_path / "session-sales")
    (folder / "Default" / "Local Storage" / "leveldb" / "000005.ldb").write_bytes(b"no table")
    assert profiles.judge([folder])[0].problem == "damaged"


def test_clashing_and_impossible_names(tmp_path: Path) -> None:
    one, two, bad = (
        make_profile(tmp_path / place) for place in ("x/session-Sales", "y/session-sales", "z/session-a b")
    )
    found = profiles.judge([one, two, bad, make_profile(tmp_path / ".wwebjs_auth" / "session")])
    assert [each.problem for each in found] == ["clash", "clash", "bad_name", "no_name"]
    assert dict(found[2].values)["better"] == "a-b"
    assert profiles.judge([bad], "front")[0].problem is None


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder = make_profile(tmp_path / "session-sales")
    endless = folder / "Default" / "Local Storage" / "leveldb" / "000009.log"
    endless.symlink_to(endless.name)
    (found,) = profiles.judge([folder])
    assert (found.problem, dict(found.values)["path"]) == ("not_whole", str(endless))


def test_two_copies_of_one_session_never_come_together(tmp_path: Path) -> None:
    other = {**PAIRED, "last-wid-md": '"905321234567:4@c.us"'}
    folders = [
        make_profile(tmp_path / "session-sales"),
        make_profile(tmp_path / "old" / "session-sales-copy"),
        make_profile(tmp_path / "session-front", other),
    ]
    found = profiles.judge(folders)
    assert [each.problem for each in found] == ["copy", "copy", None]
    assert dict(found[0].values)["other"] == folders[1]
    assert "905321234567" not in repr(found)


@pytest.mark.parametrize(
    "place", ["Local Storage", "Local Storage/leveldb", "Local Storage/leveldb/000003.log", "IndexedDB"]
)
def test_what_lies_behind_a_link_travels_too(tmp_path: Path, place: str) -> None:
    """The browser goes through links: what was read there is the session."""
    folder = make_profile(tmp_path / "session-sales")
    whole = set(profiles.manifest(profiles.judge([folder])[0]).files)
    away = tmp_path / "another disk"
    (folder / "Default" / place).rename(away)
    (folder / "Default" / place).symlink_to(away)
    (folder / "Default" / "IndexedDB" / "up").symlink_to("..")
    (found,) = profiles.judge([folder])
    assert found.problem is None
    assert set(profiles.manifest(found).files) == whole
    with (folder / "Default" / "Local Storage" / "leveldb" / "LOCK").open("r+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        child = (
            "import sys; from pathlib import Path; from manager.profiles import in_use;"
            "print(in_use(Path(sys.argv[1])))"
        )
        asked = subprocess.check_output([sys.executable, "-c", child, folder], text=True)
    assert asked.strip().endswith("LOCK")


@pytest.mark.parametrize("change", [Path.touch, Path.unlink])
def test_files_that_come_or_go_behind_the_reader_are_seen(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = make_profile(tmp_path / "session-sales")
    (found,) = profiles.judge([folder])
    database = folder / "Default" / "IndexedDB" / f"{profiles.INDEXED_DB}leveldb"
    pieces = profiles.pack(found, profiles.manifest(found), "in/")
    assert any(b"Local Storage" in piece[:100] for piece in pieces)  # IndexedDB has been read
    changed = database / ("000004.log" if change is Path.touch else "CURRENT")
    change(changed)
    with pytest.raises(Damaged, match=changed.name):
        list(pieces)


@pytest.mark.parametrize(
    "database", ["Local Storage/leveldb", "IndexedDB/" + profiles.INDEXED_DB + "leveldb"]
)
@pytest.mark.parametrize(
    ("missing", "problem"), [("CURRENT", "not_whole"), ("MANIFEST-000001", "not_whole"), ("", "damaged")]
)
def test_a_database_without_its_table_of_contents_is_refused(
    tmp_path: Path, database: str, missing: str, problem: str
) -> None:
    """A browser would begin a new, empty one in its place."""
    folder = make_profile(tmp_path / "session-sales")
    if missing:
        (folder / "Default" / database / missing).unlink()
    else:
        (folder / "Default" / database / "CURRENT").write_bytes(b"\0\0\0")
    assert profiles.judge([folder])[0].problem == problem


def test_pipes_in_the_place_of_files_are_not_waited_for(tmp_path: Path) -> None:
    folder = make_profile(tmp_path / "session-sales")
    database = folder / "Default" / "IndexedDB" / f"{profiles.INDEXED_DB}leveldb"
    (database / "LOCK").unlink()
    os.mkfifo(database / "LOCK")
    os.mkfifo(database / "000004.log")
    assert profiles.judge([folder])[0].problem is None
    os.mkfifo(folder / "Default" / "Local Storage" / "leveldb" / "000004.log")
    assert profiles.judge([folder])[0].problem == "damaged"


def test_a_database_that_another_process_has_locked_is_in_use(tmp_path: Path) -> None:
    """As Chromium's LevelDB locks it; whoever holds it, in whatever container."""
    folder = make_profile(tmp_path / "session-sales")
    lock = folder / "Default" / "Local Storage" / "leveldb" / "LOCK"
    holding = (
        "import fcntl,sys\n"
        f"f=open({str(lock)!r},'r+b')\n"
        "fcntl.lockf(f,fcntl.LOCK_EX)\n"
        "print('held',flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert profiles.judge([folder])[0].problem == "in_use"
        holder.communicate()
    assert profiles.judge([folder])[0].problem is None


def test_the_browsers_own_lock_counts_while_its_process_lives(tmp_path: Path) -> None:
    folder = make_profile(tmp_path / "session-sales")
    lock = folder / "SingletonLock"
    lock.symlink_to(f"{socket.gethostname()}-{os.getpid()}")
    assert profiles.judge([folder])[0].problem == "in_use"
    with subprocess.Popen(["true"]) as gone:
        pass
    lock.unlink()
    lock.symlink_to(f"{socket.gethostname()}-{gone.pid}")
    assert profiles.judge([folder])[0].problem is None
    lock.unlink()
    lock.symlink_to("0123456789ab-1")
    (found,) = profiles.judge([folder])
    assert (found.problem, found.foreign_host) == (None, "0123456789ab")


def test_a_process_started_on_the_folder_counts_too(tmp_path: Path) -> None:
    folder = make_profile(tmp_path / "my profiles" / "session-sales")
    command = ["sh", "-c", "echo runs; read line", f"--user-data-dir={folder}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as browser:
        # The kernel lets `Popen` return a moment before the new command line can be read.
        assert browser.stdout is not None
        assert browser.stdout.readline() == b"runs\n"
        (found,) = profiles.judge([folder])
        assert (found.problem, dict(found.values)) == ("in_use", {"holder": f"pid {browser.pid}"})
        browser.communicate()


def test_the_lock_question_is_laid_out_as_the_kernel_wants_it() -> None:
    assert struct.calcsize(profiles._FLOCK.format) == 32
    assert fcntl.F_UNLCK == 2
