"""The volume of one bot: what it remembers, damaged files, and who holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot import marker
from bot.contract import BotExit
from bot.generations import RestoreOutcome
from bot.marker import Marker, Stage
from bot.session import Session
from tests.crashes import Volume, refusal

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


def test_the_newest_stays_aside_though_the_clock_was_put_back(volume: Volume) -> None:
    """By a year, say, once the time was fetched."""
    for number in range(3):
        volume.browse(f"future{number}")
        volume.pair(f"future{number}")
        aside = volume.session.set_aside("logout")
        assert aside is not None
        aside.rename(aside.with_name(f"9{aside.name[1:]}"))
    for name in ("now1", "now2"):
        volume.browse(name)
        volume.pair(name)
        volume.session.set_aside("session_lost")
        assert name in volume.asides()
    assert volume.asides() == {"future2", "now1", "now2"}


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


def test_leftover_singletons_are_removed_under_the_lock(volume: Volume) -> None:
    lock = volume.session.profile / "SingletonLock"
    lock.symlink_to("another-container-4711")
    volume.session.sweep()
    assert not lock.is_symlink()
