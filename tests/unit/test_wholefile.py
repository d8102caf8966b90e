"""A file for people is replaced as a whole, in its own place, and nothing but a file is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from manager.wholefile import sync_folder, whole_file


def put(path: Path, content: bytes = b"new", *, force: bool = True) -> None:
    with whole_file(path, force=force) as file:
        file.write(content)


def test_a_link_stays_and_leads_to_what_was_written(tmp_path: Path) -> None:
    latest, dated = tmp_path / "latest", tmp_path / "disk" / "monday"
    dated.parent.mkdir()
    dated.write_bytes(b"old")
    latest.symlink_to(dated)
    put(latest)
    assert latest.is_symlink()
    assert dated.read_bytes() == b"new"
    with pytest.raises(FileExistsError):
        put(latest, force=False)
    assert sorted(tmp_path.iterdir()) == [dated.parent, latest]
    assert list(dated.parent.iterdir()) == [dated]


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    """A device's name, say: root could."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link", tmp_path):
        with pytest.raises(OSError, match="not a regular file"):
            put(path)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "pipe"]


def test_links_in_a_circle_give_way(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    put(circle)
    assert circle.read_bytes() == b"new"


def test_a_folder_that_cannot_be_synced_is_no_failure() -> None:
    sync_folder(Path("/proc/self"))
