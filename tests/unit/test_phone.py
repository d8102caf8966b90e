"""When the phone was last seen: the newest counts, it outlives the process, and it goes with its session."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.phone import FILE, PhoneSeen


def test_the_newest_sign_counts_and_outlives_the_process(tmp_path: Path) -> None:
    phone = PhoneSeen(tmp_path)
    assert phone.at == 0
    phone.saw(10_000.0)
    phone.saw(9_000.0)
    phone.saw(None)
    assert phone.at == 10_000
    assert PhoneSeen(tmp_path).at == 10_000


def test_the_volume_is_not_written_for_every_message(tmp_path: Path) -> None:
    phone = PhoneSeen(tmp_path)
    for at in range(10_000, 10_100):
        phone.saw(float(at))
    assert phone.at == 10_099
    assert PhoneSeen(tmp_path).at == 10_000
    phone.saw(13_600.0)
    assert PhoneSeen(tmp_path).at == 13_600


def test_it_goes_with_its_session(tmp_path: Path) -> None:
    phone = PhoneSeen(tmp_path)
    phone.saw(10_000.0)
    phone.forget()
    phone.forget()
    assert phone.at == 0
    assert list(tmp_path.iterdir()) == []
    phone.saw(5_000.0)
    assert PhoneSeen(tmp_path).at == 5_000


@pytest.mark.parametrize("content", ["", "[]", '{"seen": "x"}', "{}"])
def test_a_damaged_file_is_no_sign(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert PhoneSeen(tmp_path).at == 0


def test_a_volume_that_refuses_costs_nothing_but_memory(tmp_path: Path) -> None:
    phone = PhoneSeen(tmp_path / "absent" / "folder")
    phone.saw(10_000.0)
    assert phone.at == 10_000
