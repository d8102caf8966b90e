"""A file for people stands there whole or not at all, and nothing else is lost over it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from manager.wholefile import is_taken, sync_folder, whole_file


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def write(path: Path, *, force: bool) -> None:
    with whole_file(path, force=force) as file:
        file.write(b"new")


def test_a_file_is_replaced_only_where_that_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write(file, force=False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write(file, force=False)
    assert file.read_bytes() == b"old"
    write(file, force=True)
    assert file.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


def test_no_device_pipe_or_folder_is_ever_replaced(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for each in (pipe, folder, link):
        with pytest.raises(OSError, match="not a regular file"):
            write(each, force=True)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(link.stat().st_mode)
    assert names(tmp_path) == ["folder", "link", "pipe"]


def test_a_link_to_a_file_stays_one(tmp_path: Path) -> None:
    there, link = tmp_path / "shares" / "week.html", tmp_path / "week.html"
    there.parent.mkdir()
    link.symlink_to(there)
    assert is_taken(link)
    with pytest.raises(FileExistsError):
        write(link, force=False)
    for _ in range(2):
        write(link, force=True)
        assert link.is_symlink()
        assert there.read_bytes() == b"new"


def test_a_name_that_cannot_be_looked_at_is_said_when_it_is_written(tmp_path: Path) -> None:
    long = tmp_path / ("a" * 300)
    assert not is_taken(long)
    with pytest.raises(OSError, match="too long"):
        write(long, force=False)


def test_links_in_a_circle_give_way(tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    write(circle, force=True)
    assert circle.read_bytes() == b"new"


def test_where_no_links_are_known_nothing_is_replaced_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write(tmp_path / "file", force=False)
    assert (tmp_path / "file").read_bytes() == b"new"
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", force=False)
    assert names(tmp_path) == ["file"]


def test_a_folder_that_cannot_be_synced_is_no_failure() -> None:
    sync_folder(Path("/proc/self"))
