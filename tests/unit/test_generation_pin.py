"""A generation that somebody is about to put back is not pushed out by the one taken at the stop before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bot.generations import KEPT, Generations, Origin

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_pinned_generation_stays_until_it_is_unpinned(tmp_path: Path) -> None:
    store = Generations(tmp_path / "generations")
    file = tmp_path / "profile" / "Default" / "Local Storage" / "leveldb" / "000003.log"
    file.parent.mkdir(parents=True)

    def take(content: str) -> None:
        file.write_text(content)
        assert store.take(tmp_path / "profile", tmp_path / "mirror.json", Origin(NOW, "156.0")).taken

    take("first")
    store.pin(1)
    for number in range(KEPT + 1):
        take(f"later {number}")
    assert 1 in store.numbers()
    assert store.intact(1)

    store.unpin()
    store.prune()
    assert store.numbers() == list(range(KEPT + 2, 2, -1))
