"""The volume of one bot: damaged files, a full disk, a second holder, folders of no use, and what is said then."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from bot import durable, marker
from bot.contract import BotExit
from bot.generations import KEPT, Moment, RestoreOutcome
from bot.marker import Marker, Stage
from bot.preflight import SessionError, SessionProblem
from bot.problem import LOCALES
from bot.session import Session
from bot.text import Catalogue
from tests.crashes import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    made = Volume(tmp_path / "session")
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m,mode=777", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    """Not one byte is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return filler


def refusal(folder: Path, prefix: tuple[str, ...] = ()) -> tuple[int, str]:
    """What opening the folder says in another process (as another user, with `prefix`)."""
    script = (
        "import sys; from pathlib import Path; from bot.session import Session, SessionError\n"
        "try: Session.open(Path(sys.argv[1]), 'shop')\n"
        "except SessionError as error: print(error); sys.exit(error.exit)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, folder],
        capture_output=True, text=True, check=False, cwd="/", env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


# Root without its powers is a user like any other, but one who can read the program wherever it lies.
POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
STRANGER = 12345


# --- what the volume remembers ---------------------------------------------------------------------------


def test_a_new_store(volume: Volume) -> None:
    assert volume.session.created
    assert not volume.session.info().present
    assert volume.session.profile.is_dir()
    assert volume.session.take_generation().reason == "not_ready"
    assert volume.session.restore_generation("x").outcome is RestoreOutcome.NONE
    assert volume.session.set_aside("logout") is None
    volume.reopen()
    assert not volume.session.created


def test_a_session_is_present_from_its_mirror_on(volume: Volume) -> None:
    volume.session.store_mirror(volume.entries("alpha"))
    assert volume.session.info().present
    volume.reopen()
    assert volume.session.info().present
    volume.session.mark_paired("905321234567:1@c.us")
    volume.session.mark_ready("150.0.1.2")
    volume.reopen()
    info = volume.session.info()
    assert (info.phone_masked, info.browser_version) == ("90*******567", "150.0.1.2")
    assert info.paired_at is not None
    assert info.last_ready_at is not None


def test_no_phone_number_and_no_key_stands_in_the_marker(volume: Volume) -> None:
    volume.session.store_mirror(volume.entries("905321234567"))
    volume.session.mark_paired("905321234567:1@c.us")
    volume.session.mark_logged_out("phone")
    written = (volume.folder / "marker.json").read_text()
    assert "905321234567" not in written
    assert "noise of" not in written


def test_half_a_session_is_no_mirror(volume: Volume) -> None:
    volume.session.store_mirror({"WANoiseInfo": "x"})
    volume.session.store_mirror({"WANoiseInfo": "x", "last-wid-md": ""})
    assert not (volume.folder / "mirror.json").exists()


def test_a_mirror_that_did_not_change_is_not_written_again(volume: Volume) -> None:
    volume.session.store_mirror(volume.entries("alpha"))
    before = (volume.folder / "mirror.json").stat().st_ino
    volume.session.store_mirror(volume.entries("alpha"))
    assert (volume.folder / "mirror.json").stat().st_ino == before
    volume.session.store_mirror(volume.entries("alpha") | {"other": "y"})
    assert (volume.folder / "mirror.json").stat().st_ino != before


@pytest.mark.parametrize("lone", ["\ud800", "\x00", "😀", "x" * 1_000_000])
def test_any_text_of_the_page_comes_back_as_it_was(volume: Volume, lone: str) -> None:
    entries = volume.entries("alpha") | {"other": lone}
    volume.session.store_mirror(entries)
    volume.reopen()
    assert volume.session.load_mirror() == entries


def test_the_mirror_of_a_session_that_ended_is_dead_until_another_is_paired(volume: Volume) -> None:
    volume.pair("alpha")
    mirror = (volume.folder / "mirror.json").read_bytes()
    volume.log_out()
    (volume.folder / "mirror.json").write_bytes(mirror)
    volume.reopen()
    assert volume.session.load_mirror() is None
    assert not volume.session.info().present
    volume.pair("beta")
    volume.reopen()
    assert volume.mirrored() == "beta"


@pytest.mark.parametrize(("reason", "ended"), [("phone", "phone"), ("session_lost", "session_lost")])
def test_how_the_last_session_ended_is_known_to_the_next_process(
    volume: Volume, reason: str, ended: str
) -> None:
    volume.pair("alpha")
    assert volume.session.info().ended is None
    volume.session.mark_logged_out(reason)
    volume.session.set_aside(reason)
    volume.reopen()
    assert volume.session.info().ended == ended
    volume.pair("beta")
    assert volume.session.info().ended is None


def test_what_is_set_aside_is_marked_as_over_whatever_was_said_before(volume: Volume) -> None:
    """The mark may have failed on a full disk: files that are gone must not count as a session."""
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.set_aside("logout")
    volume.reopen()
    assert not volume.session.info().present
    assert volume.asides() == {"alpha"}


def test_asides_are_few_and_the_newest_stays(volume: Volume) -> None:
    for number in range(5):
        volume.browse(f"s{number}")
        volume.pair(f"s{number}")
        volume.log_out()
    assert volume.asides() == {"s2", "s3", "s4"}


def test_caches_are_not_kept_aside(volume: Volume) -> None:
    volume.browse("alpha")
    cache = volume.session.profile / "Default/Cache/big"
    cache.parent.mkdir()
    cache.write_bytes(bytes(1000))
    volume.pair("alpha")
    aside = volume.session.set_aside("logout")
    assert aside is not None
    assert not (aside / "profile/Default/Cache").exists()
    assert (aside / "profile/Default/IndexedDB").exists()


# --- generations -----------------------------------------------------------------------------------------


def test_generations_are_few_whole_and_only_of_a_session_that_was_ready(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    assert volume.session.take_generation().reason == "not_ready"
    volume.session.mark_ready("150")
    for number in range(5):
        volume.browse("alpha", str(number))
        assert volume.session.take_generation().taken
        assert volume.session.take_generation().reason == "unchanged"
    assert volume.session.generations() == [5, 4, 3]
    assert not list((volume.folder / "generations").rglob("LOCK"))


def test_the_newest_good_generation_comes_back_and_each_is_tried_once(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    for number in range(3):
        volume.browse("alpha", str(number))
        volume.session.take_generation()
    newest = next((volume.folder / "generations/3").rglob("*.log"))
    newest.write_text("bit rot")
    volume.browse("")
    assert volume.session.restore_generation("lost").outcome is RestoreOutcome.DAMAGED
    assert volume.profile() == "damaged"
    restored = volume.session.restore_generation("lost")
    assert (restored.outcome, restored.number) == (RestoreOutcome.RESTORED, 2)
    assert restored.aside is not None
    assert volume.profile() == "alpha"
    assert volume.mirrored() == "alpha"
    assert volume.session.restore_generation("lost").number == 1
    assert volume.session.restore_generation("lost").outcome is RestoreOutcome.NONE
    volume.session.mark_ready("150")
    assert volume.session.restore_generation("lost").number == 3


def test_a_generation_that_could_not_be_copied_was_not_tried(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    volume.session.take_generation()
    volume.browse("")
    with (
        mock.patch.object(
            durable, "copy_synced", side_effect=OSError(errno.ENOSPC, "No space left on device")
        ),
        pytest.raises(SessionError),
    ):
        volume.session.restore_generation("lost")
    volume.reopen()
    assert volume.session.restore_generation("lost").outcome is RestoreOutcome.RESTORED
    assert volume.profile() == "alpha"


def test_a_copy_before_a_launch_is_a_candidate_until_a_start_from_it_is_ready(volume: Volume) -> None:
    volume.browse("alpha")
    assert volume.session.take_generation(Moment.LAUNCH).reason == "not_ready", "no session"
    volume.pair("alpha")
    assert volume.session.take_generation(Moment.LAUNCH).taken
    assert volume.good() == []
    volume.browse("")
    assert volume.session.take_generation(Moment.LAUNCH).reason == "in_doubt", "the first one stays"
    volume.reopen()
    volume.browse("alpha", "ready")
    volume.session.mark_ready("150")
    assert volume.good() == ["alpha"]
    assert volume.session.take_generation(Moment.LAUNCH).taken
    volume.session.mark_ready("150")
    assert volume.session.take_generation(Moment.LAUNCH).reason == "unchanged"


def test_good_ones_come_back_first_and_then_the_candidate(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    for note in ("one", "two"):
        volume.browse("alpha", note)
        assert volume.session.take_generation(Moment.LIVE).taken
    volume.browse("alpha", "three")
    assert volume.session.take_generation(Moment.LAUNCH).number == 3
    assert [volume.session.restore_generation("lost").number for _ in range(4)] == [2, 1, 3, None]
    volume.session.mark_ready("150")
    assert len(volume.good()) == 3, "the candidate itself was put back last, and READY"


def test_ready_from_another_copy_proves_no_candidate(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    volume.session.take_generation()
    volume.browse("")
    assert volume.session.take_generation(Moment.LAUNCH).number == 2
    assert volume.session.restore_generation("lost").number == 1
    volume.reopen()
    volume.session.mark_ready("150")
    assert (volume.session.generations(), volume.good()) == ([1], ["alpha"])


def test_no_candidate_is_taken_of_a_session_in_doubt(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_in_doubt()
    volume.reopen()
    assert volume.session.take_generation(Moment.LAUNCH).reason == "in_doubt"
    volume.session.mark_ready("150")
    assert volume.session.take_generation(Moment.LAUNCH).taken


def test_candidates_push_no_good_one_out(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    for number in range(KEPT):
        volume.browse("alpha", str(number))
        volume.session.take_generation()
    volume.browse("alpha", "later")
    assert volume.session.take_generation(Moment.LAUNCH).taken
    assert len(volume.good()) == KEPT
    assert len(volume.session.generations()) == KEPT + 1
    size = sum(path.stat().st_size for path in (volume.folder / "generations").rglob("Default/**/*.log"))
    with mock.patch("bot.generations.BUDGET_BYTES", size):
        volume.session.mark_ready("150")
        volume.browse("alpha", "and later")
        assert volume.session.take_generation(Moment.LAUNCH).reason == "no_space"
        assert volume.good() == ["alpha"] * len(volume.session.generations())


def test_all_generations_together_stay_within_the_budget(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    with mock.patch("bot.generations.BUDGET_BYTES", 500_000):
        for number in range(4):
            volume.browse("alpha", str(number) * 100_000)
            assert volume.session.take_generation(Moment.LIVE).taken
        assert volume.session.generations() == [4, 3]
        volume.browse("alpha", "x" * 300_000)
        assert volume.session.take_generation(Moment.LIVE).reason == "no_space"
        assert volume.session.generations() == [4, 3]


def test_a_live_copy_needs_the_mirror(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    assert volume.session.take_generation(Moment.LIVE).reason == "not_ready"
    volume.session.mark_ready("150")
    (volume.folder / "mirror.json").unlink()
    assert volume.session.take_generation(Moment.LIVE).reason == "no_mirror"


def test_a_live_copy_is_of_one_moment(volume: Volume) -> None:
    """The browser replaces a file while it is copied: that copy is thrown away, and another is made."""
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    store = volume.session.profile / "Default/IndexedDB/https.indexeddb.leveldb"
    copied = durable.copy_synced
    steps = iter([True, True, False])

    def compacting(source: Path, target: Path) -> tuple[int, str]:
        found = copied(source, target)
        if source.name == "000004.log" and next(steps, False):
            (store / f"{len(list(store.iterdir()))}.ldb").write_text("alpha compacted")
        return found

    with mock.patch.object(durable, "copy_synced", compacting):
        assert volume.session.take_generation(Moment.LIVE).taken
    copy = volume.folder / "generations/1/Default/IndexedDB/https.indexeddb.leveldb"
    assert {each.name for each in copy.iterdir()} == {each.name for each in store.iterdir()}
    with mock.patch.object(durable, "copy_synced", compacting):
        steps = iter([True] * 9)
        volume.browse("alpha", "again")
        assert volume.session.take_generation(Moment.LIVE).reason == "moving"
    assert [each.name for each in (volume.folder / "generations").iterdir()] == ["1"]


def test_a_copy_that_is_interrupted_leaves_nothing(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    volume.session.mark_ready("150")
    asked = iter([False, True])
    assert volume.session.take_generation(Moment.LIVE, lambda: next(asked)).reason == "interrupted"
    assert list((volume.folder / "generations").iterdir()) == []


# --- damage ----------------------------------------------------------------------------------------------

GARBAGE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"\xff\xfe\x00",
    b'{"stage": "paires"}',
    b'{"stage": 5}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_damaged_marker_is_kept_beside_and_the_profile_counts(volume: Volume, garbage: bytes) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    (volume.folder / "marker.json").write_bytes(garbage)
    volume.reopen()
    assert [report.kind for report in volume.session.reports] == ["damaged_marker"]
    assert (volume.folder / "marker.damaged").read_bytes() == garbage
    assert volume.session.info().present
    volume.reopen()
    assert volume.session.reports == []
    assert volume.session.info().present


def test_a_damaged_marker_of_an_empty_volume_is_no_session(volume: Volume) -> None:
    (volume.folder / "marker.json").write_bytes(b"{")
    volume.reopen()
    assert not volume.session.info().present


@pytest.mark.parametrize(
    "garbage",
    [*GARBAGE, b'{"sha256": "0", "entries": "{}"}', b'{"entries": 5, "sha256": 5}'],
)
def test_a_damaged_mirror_is_not_put_back_and_is_told(volume: Volume, garbage: bytes) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    (volume.folder / "mirror.json").write_bytes(garbage)
    volume.reopen()
    assert [report.kind for report in volume.session.reports] == ["damaged_mirror"]
    assert volume.session.load_mirror() is None
    assert volume.session.info().present
    volume.session.store_mirror(volume.entries("alpha"))
    assert volume.mirrored() == "alpha"


def test_a_flipped_bit_in_the_mirror_is_seen(volume: Volume) -> None:
    volume.pair("alpha")
    path = volume.folder / "mirror.json"
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert volume.session.load_mirror() is None


def test_the_marker_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "marker.json"
    known = Marker(Stage.LOGGED_OUT, logout_reason="phone", pending_aside="logout", pending_restore=3)
    marker.store(path, known)
    assert marker.load(path) == known
    assert oct(path.stat().st_mode)[-3:] == "600"


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


def test_a_full_disk_keeps_the_bot_from_starting_until_there_is_room(small_disk: Path) -> None:
    volume = Volume(small_disk / "session")
    volume.browse("alpha")
    volume.pair("alpha")
    filler = fill(small_disk)
    volume.close()
    code, said = refusal(volume.folder)
    assert code == BotExit.SESSION_UNUSABLE
    assert "16 MiB needed" in said
    assert "df -h" in said
    filler.unlink()
    volume.reopen()
    assert (volume.session.info().present, volume.profile()) == (True, "alpha")
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


# --- who holds it ----------------------------------------------------------------------------------------


def test_a_second_holder_is_told_who_the_first_is(volume: Volume) -> None:
    code, said = refusal(volume.folder)
    assert code == BotExit.SESSION_IN_USE
    for part in ("shop", str(os.getpid()), os.uname().nodename, "stop the other one"):
        assert part in said


def test_the_lock_is_gone_with_its_process(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from bot.session import Session\n"
        "Session.open(Path(sys.argv[1]), 'shop'); os.kill(os.getpid(), 9)\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", script, tmp_path], env={"PYTHONPATH": root}, check=False)
    assert done.returncode == -9
    Session.open(tmp_path, "shop").close()


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


def test_a_read_only_mount(small_disk: Path) -> None:
    (small_disk / "session").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    code, said = refusal(small_disk / "session")
    assert code == BotExit.SESSION_UNUSABLE
    assert "read-only" in said
    assert "remount,rw" in said
    code, said = refusal(small_disk / "other")
    assert "read-only" in said


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    broken = OSError(errno.EIO, "Input/output error")
    with mock.patch("os.fsync", side_effect=broken), pytest.raises(SessionError) as refused:
        Session.open(tmp_path, "shop")
    assert "dmesg" in str(refused.value)


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


def test_leftover_singletons_are_removed_under_the_lock(volume: Volume) -> None:
    lock = volume.session.profile / "SingletonLock"
    lock.symlink_to("another-container-4711")
    volume.session.sweep()
    assert not lock.is_symlink()
