from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crashes import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    made = Volume(tmp_path / "session")
    yield made
    made.close()
