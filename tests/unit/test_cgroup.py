"""What a control group says of memory: both versions, in a container and beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import cgroup

_MIB = 1024 * 1024


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def own(folder: Path, *lines: str) -> Path:
    file = folder / "own"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def second(folder: Path, limit: object) -> None:
    stat = f"anon 5\ninactive_file {100 * _MIB}\nactive_file 7"
    group(folder, memory__current=600 * _MIB, memory__max=limit, memory__stat=stat)


def first(folder: Path, limit: object) -> None:
    stat = f"inactive_file 1\ntotal_inactive_file {100 * _MIB}"
    group(
        folder, **{"memory.usage_in_bytes": 600 * _MIB, "memory.limit_in_bytes": limit, "memory.stat": stat}
    )


def test_version_2_in_a_container(tmp_path: Path) -> None:
    second(tmp_path, 768 * _MIB)
    assert cgroup.memory(tmp_path, own(tmp_path, "0::/")) == (500 * _MIB, 768 * _MIB)


def test_version_2_in_a_group_below(tmp_path: Path) -> None:
    second(tmp_path / "system.slice" / "bot.service", 768 * _MIB)
    assert cgroup.memory(tmp_path, own(tmp_path, "0::/system.slice/bot.service")) == (500 * _MIB, 768 * _MIB)


def test_version_1_in_a_container_whose_path_is_the_hosts(tmp_path: Path) -> None:
    first(tmp_path / "memory", 768 * _MIB)
    lines = own(tmp_path, "9:cpu:/docker/0123", "4:memory:/docker/0123", "0::/")
    assert cgroup.memory(tmp_path, lines) == (500 * _MIB, 768 * _MIB)


def test_a_group_of_both_versions(tmp_path: Path) -> None:
    first(tmp_path / "memory" / "bot", 768 * _MIB)
    lines = own(tmp_path, "4:memory:/bot", "0::/")
    assert cgroup.memory(tmp_path, lines) == (500 * _MIB, 768 * _MIB)


@pytest.mark.parametrize("limit", ["max", 9223372036854771712])
def test_no_limit_is_told_as_none(tmp_path: Path, limit: object) -> None:
    second(tmp_path, limit)
    first(tmp_path / "memory", limit)
    assert cgroup.memory(tmp_path, own(tmp_path, "4:memory:/", "0::/")) == (0, 0)


def test_no_group_and_nonsense_are_told_as_none(tmp_path: Path) -> None:
    assert cgroup.memory(tmp_path, tmp_path / "absent") == (0, 0)
    group(tmp_path, memory__current="x", memory__max="y")
    assert cgroup.memory(tmp_path, own(tmp_path, "0::/")) == (0, 0)
