"""A bot that dies between any two operations on its volume: the next one finds the session, or knows that it ended."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.generations import Moment, RestoreOutcome
from bot.session import Session
from tests.crashes import Died, Volume, dying_after, give_back_lock

Deed = Callable[[Volume], object]


def ready(volume: Volume) -> None:
    volume.session.mark_ready("150.0.1.2")


def two_generations(volume: Volume) -> None:
    volume.browse("alpha")
    volume.pair("alpha")
    for note in ("one", "two", "three", "four"):
        ready(volume)
        volume.browse("alpha", note)
        volume.session.take_generation()


def restore(volume: Volume) -> None:
    volume.session.restore_generation("session_lost")


def store_mirror(volume: Volume) -> None:
    volume.session.store_mirror(volume.entries("alpha") | {"other": "y"})


DEEDS: dict[str, Deed] = {
    "the mirror is written": store_mirror,
    "marked paired": lambda volume: volume.session.mark_paired("alpha:1@c.us"),
    "marked ready": ready,
    "a generation is taken": lambda volume: (volume.browse("alpha", "new"), volume.session.take_generation()),
    "a generation is taken under the browser": lambda volume: (
        volume.browse("alpha", "new"), volume.session.take_generation(Moment.LIVE),
    ),
    "a candidate is taken": lambda volume: (
        volume.browse("alpha", "new"), volume.session.take_generation(Moment.LAUNCH),
    ),
    "a candidate proves itself": lambda volume: (
        volume.browse("alpha", "new"), volume.session.take_generation(Moment.LAUNCH), ready(volume),
    ),
    "a generation is restored": restore,
    "opened": Volume.reopen,
    "opened with a damaged marker": lambda volume: (
        (volume.folder / "marker.json").write_text("{"), volume.reopen(),
    ),
}  # fmt: skip


def crash_everywhere(tmp_path: Path, prepare: Deed, deed: Deed, check: Callable[[Volume], None]) -> None:
    """The deed, cut short after 0, 1, 2 … operations until it is done; each time the next process looks."""
    for left in range(10_000):
        folder = tmp_path / str(left)
        folder.mkdir()
        volume = Volume(folder)
        with dying_after(None):
            prepare(volume)
        whole = True
        with dying_after(left):
            try:
                deed(volume)
            except Died:
                whole = False
        with dying_after(None):
            volume.reopen()
        check(volume)
        volume.close()
        if whole:
            assert left > 0, "it did nothing"
            return
    raise AssertionError("it never ended")


@pytest.mark.parametrize("name", DEEDS)
def test_a_session_outlives_a_death_at_any_step(tmp_path: Path, name: str) -> None:
    def check(volume: Volume) -> None:
        assert volume.session.info().present
        assert volume.profile() == "alpha"
        assert volume.mirrored() == "alpha"
        assert volume.generations()
        assert set(volume.generations()) == {"alpha"}
        assert volume.good()

    crash_everywhere(tmp_path, two_generations, DEEDS[name], check)


def test_a_death_during_a_restore_of_a_damaged_profile_leaves_a_good_generation(tmp_path: Path) -> None:
    def prepare(volume: Volume) -> None:
        two_generations(volume)
        volume.browse("")

    def check(volume: Volume) -> None:
        assert volume.session.info().present
        assert volume.profile() in ("alpha", "damaged")
        assert set(volume.generations()) == {"alpha"}
        for _ in range(4):
            if volume.profile() == "alpha":
                return
            assert volume.session.restore_generation("again").outcome is RestoreOutcome.RESTORED
        raise AssertionError("no generation brought it back")

    crash_everywhere(tmp_path, prepare, restore, check)


def test_a_death_during_a_logout_leaves_all_of_the_session_or_nothing(tmp_path: Path) -> None:
    def check(volume: Volume) -> None:
        if volume.session.info().present:
            assert (volume.profile(), volume.mirrored()) == ("alpha", "alpha")
            assert set(volume.generations()) == {"alpha"}
        else:
            assert (volume.profile(), volume.mirrored(), volume.generations()) == (None, None, [])
            assert "alpha" in volume.asides()
            assert volume.session.profile.is_dir()

    crash_everywhere(tmp_path, two_generations, Volume.log_out, check)


def everything_a_volume_can_hold(volume: Volume) -> None:
    """Copies, a session that ended, one that was damaged, a restore and an import that were cut short."""
    volume.browse("elder")
    volume.pair("elder")
    volume.log_out()
    two_generations(volume)
    volume.browse("")
    restore(volume)
    for name in (
        "marker.damaged",
        "mirror.json.part",
        "incoming-1/shop/file",
        "profile.restoring/Default/file",
    ):
        path = volume.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("alpha")
    ready(volume)


def test_a_death_during_a_logout_by_our_own_command_leaves_all_of_the_session_or_no_trace(
    tmp_path: Path,
) -> None:
    seen: set[str] = set()

    def check(volume: Volume) -> None:
        info = volume.session.info()
        if info.present:
            assert (volume.profile(), volume.mirrored()) == ("alpha", "alpha")
            assert set(volume.generations()) == {"alpha"}
            seen.add("wanted" if info.unlinking else "paired")
            if info.unlinking:
                assert volume.session.restore_generation("session_lost").outcome is RestoreOutcome.NONE
                assert not volume.session.take_generation(Moment.LAUNCH).taken
                volume.session.erase("own_command")
        else:
            seen.add("gone")
        if not info.present or info.unlinking:
            assert volume.traces() == []
            assert volume.session.info().ended == "own_command"
            volume.reopen()
            assert not volume.session.info().present
            volume.browse("beta")
            volume.pair("beta")
            assert volume.mirrored() == "beta"

    full = Volume(tmp_path / "full")
    everything_a_volume_can_hold(full)
    full.close()

    def prepare(volume: Volume) -> None:
        shutil.copytree(full.folder, volume.folder, dirs_exist_ok=True)
        volume.reopen()

    crash_everywhere(tmp_path, prepare, Volume.log_out_by_command, check)
    assert seen == {"paired", "wanted", "gone"}


def test_a_logout_nothing_came_of_is_forgotten_at_any_step(tmp_path: Path) -> None:
    def prepare(volume: Volume) -> None:
        two_generations(volume)
        volume.session.plan_erase()

    def check(volume: Volume) -> None:
        assert volume.session.info().present
        assert (volume.profile(), volume.mirrored()) == ("alpha", "alpha")
        assert set(volume.generations()) == {"alpha"}

    crash_everywhere(tmp_path, prepare, lambda volume: volume.session.drop_erase(), check)


def test_a_death_during_the_next_pairing_never_brings_the_last_session_back(tmp_path: Path) -> None:
    def prepare(volume: Volume) -> None:
        two_generations(volume)
        volume.log_out()
        volume.browse("beta")

    def check(volume: Volume) -> None:
        assert volume.mirrored() in (None, "beta")
        assert volume.profile() == "beta"
        assert volume.generations() == []
        if volume.mirrored() == "beta":
            assert volume.session.info().present

    crash_everywhere(tmp_path, prepare, lambda volume: volume.pair("beta"), check)


def test_a_death_at_the_first_opening(tmp_path: Path) -> None:
    for left in range(40):
        folder = tmp_path / str(left)
        folder.mkdir()
        with dying_after(left), contextlib.suppress(Died):
            Session.open(folder, "shop")
        give_back_lock(folder)
        volume = Volume(folder)
        assert not volume.session.info().present
        volume.browse("alpha")
        volume.pair("alpha")
        volume.reopen()
        assert (volume.session.info().present, volume.profile()) == (True, "alpha")
        volume.close()


# --- any story ------------------------------------------------------------------------------------------

ORDINARY = st.sampled_from(
    ["ready", "take", "live", "launch", "restore", "reopen", "mirror", "damage", "logout", "erase", "pair"]
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(ORDINARY, st.one_of(st.none(), st.integers(0, 60))), max_size=14))
def test_any_story_with_deaths(story: list[tuple[str, int | None]]) -> None:
    """After each death: a session that was marked is there, in the profile or in a good generation; an ended one is
    not; and where there was a good generation there still is one.
    """
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(Path(folder))
        alive: str | None = None
        number = 0
        for name, left in story:
            had = bool(volume.good())
            before = alive
            if name == "pair":
                if alive is not None:
                    continue
                number += 1
                alive = f"s{number}"
                volume.browse(alive)
            died = False
            with dying_after(left):
                try:
                    _carry_out(volume, name, alive)
                except Died:
                    died = True
            with dying_after(None):
                volume.reopen()
            present = volume.session.info().present
            if name in ("logout", "erase"):
                alive = alive if died and present else None
            elif name == "pair" and died and not present:
                alive = None
                volume.browse("")  # what the browser wrote meanwhile is of no session that we know
            assert present == (alive is not None)
            _check(volume, alive, had and alive == before)
        volume.close()


def _carry_out(volume: Volume, name: str, alive: str | None) -> None:
    match name:
        case "pair":
            volume.pair(str(alive))
        case "reopen":
            volume.reopen()
        case "ready" if alive and volume.profile() == alive:
            ready(volume)
        case "take" if volume.profile() == alive:
            volume.session.take_generation()
        case "live" if volume.profile() == alive:
            volume.session.take_generation(Moment.LIVE)
        case "launch":
            volume.session.take_generation(Moment.LAUNCH)
        case "restore" if alive:
            restore(volume)
        case "mirror" if alive:
            volume.session.store_mirror(volume.entries(alive) | {"other": str(len(volume.generations()))})
        case "damage" if alive:
            volume.browse("")
        case "logout" if alive:
            volume.log_out()
        case "erase" if alive:
            volume.log_out_by_command()


def _check(volume: Volume, alive: str | None, had_generation: bool) -> None:
    assert set(volume.good()) <= {alive}
    assert set(volume.generations()) <= ({alive, "damaged"} if alive else set())
    assert len(volume.generations()) <= len(volume.good()) + 1
    assert bool(volume.good()) or not had_generation
    if alive is None:
        assert volume.mirrored() is None
    else:
        assert volume.mirrored() == alive
        assert volume.profile() in (alive, "damaged")
