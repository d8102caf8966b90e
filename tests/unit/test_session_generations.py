"""The copies of a session: which are made, which are kept, and which comes back first."""

from __future__ import annotations

import errno
from pathlib import Path
from unittest import mock

import pytest

from bot import durable
from bot.generations import KEPT, Moment, RestoreOutcome
from bot.preflight import SessionError
from tests.crashes import Volume


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
