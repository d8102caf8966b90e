"""What the commands about sessions tell, and how they end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from bot import archive
from bot.archive import MIRROR, Manifest
from manager import backupfile
from manager.app import App
from manager.backupfile import Key, Kind
from manager.commands.backup import put_in_place
from manager.exits import Exit
from manager.overviewtext import amount
from manager.text import catalogue
from manager.volumes import Volumes


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0.0 KiB"), (6952, "6.8 KiB"), (1024**2, "1.0 MiB"), (700 * 1024**2 + 52_000, "700.0 MiB")],
)
def test_what_is_small_is_not_told_as_nothing(count: int, said: str) -> None:
    assert amount(count) == said


def test_a_session_that_is_not_in_the_backup_after_all_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, key = tmp_path / "one.plain", Key(Kind.PLAIN)
    held = Manifest("support", datetime.now(UTC), {MIRROR: archive.fingerprint([b"{}"])})
    backupfile.write(file, [*archive.pack(held, lambda name: [b"{}"]), archive.END], key)
    app = App(catalogue("en"), {}, Path("bots.yaml"))
    assert put_in_place(app, cast(Volumes, None), file, key, {"sales": "sales"}) == Exit.FAILED
    assert "Not restored: sales." in capsys.readouterr().err
