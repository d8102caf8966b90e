"""Which of a session's files the system refuses, and with which error."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bot.chromium import out_of_memory_files
from bot.inquest import faults
from bot.session import SessionError
from tests.crashes import Volume
from tests.disks import BreakableDisk, tmpfs

DATABASE = "profile/Default/IndexedDB/https.indexeddb.leveldb"


def paired(folder: Path) -> Volume:
    volume = Volume(folder)
    volume.browse("alpha")
    volume.pair("alpha")
    return volume


def test_a_session_that_is_well_has_no_faults(tmp_path: Path) -> None:
    volume = paired(tmp_path / "session")
    assert faults(volume.folder, "shop") == []
    volume.close()


def test_a_disk_that_takes_nothing_names_the_error(tmp_path: Path) -> None:
    disk = BreakableDisk(tmp_path / "disk")
    try:
        volume = paired(disk.path / "session")
        disk.breaks()
        assert faults(volume.folder, "shop") == ["session: EIO"]
        with pytest.raises(SessionError) as refused:
            volume.session.store_mirror(volume.entries("alpha") | {"other": "y"})
        assert refused.value.trace == "mirror.json: EIO"
        volume.close()
    finally:
        disk.close()


def test_a_full_disk_names_the_file_that_found_no_room(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "size=40m") as place:
        volume = paired(place / "session")
        (volume.folder / "ballast").unlink()
        (place / "filler").write_bytes(bytes(shutil.disk_usage(place).free))
        assert faults(volume.folder, "shop") == ["session: no_space"]
        with pytest.raises(SessionError) as refused:
            volume.session.store_mirror(volume.entries("alpha") | {"other": "y" * 100_000})
        assert refused.value.trace == "mirror.json: ENOSPC"
        volume.close()


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    volume = paired(tmp_path / "session")
    busy = volume.folder / "profile/Default/Local Storage/leveldb/000006.ldb"
    shutil.copy2("/bin/sleep", busy)
    runs = subprocess.Popen([busy, "60"])
    try:
        assert faults(volume.folder, "shop") == ["Local Storage/leveldb/000006.ldb: ETXTBSY"]
    finally:
        runs.kill()
        runs.wait()
    volume.close()


def test_what_the_browsers_databases_say_of_themselves(tmp_path: Path) -> None:
    volume = paired(tmp_path / "session")
    (volume.folder / DATABASE / "LOG").write_text(
        "2026/11/25-03:12:00.1 7f Recovering log #3\n"
        "2026/11/25-03:12:00.2 7f Compaction error: IO error: /session/x/000012.ldb: No space left on device "
        "(ChromeMethodBFE: 5::WritableFileAppend::8)\n"
        "2026/11/25-03:12:00.3 7f Compaction error: Corruption: 000009.ldb: bad block contents\n"
    )
    assert faults(volume.folder, "shop") == [
        "IndexedDB/000012.ldb: ENOSPC",
        "IndexedDB/000009.ldb: bad block contents",
    ]
    volume.close()


@pytest.mark.parametrize(
    ("groups", "first"),
    [
        ("0::/", "/sys/fs/cgroup/memory.events"),
        ("0::/system.slice/bot.service", "/sys/fs/cgroup/system.slice/bot.service/memory.events"),
        ("4:memory:/docker/ab\n1:cpu:/x\n0::/", "/sys/fs/cgroup/memory/docker/ab/memory.oom_control"),
        ("", "/sys/fs/cgroup/memory.events"),
    ],
)
def test_the_kernels_own_count_of_its_kills_is_looked_for_in_our_group(groups: str, first: str) -> None:
    found = out_of_memory_files(groups)
    assert first in found
    assert "/sys/fs/cgroup/memory/memory.oom_control" in found
    assert "/sys/fs/cgroup/memory.events" in found
