"""Sizes as the commands about sessions tell them."""

from __future__ import annotations

import pytest

from manager.overviewtext import amount


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0.0 KiB"), (6952, "6.8 KiB"), (1024**2, "1.0 MiB"), (700 * 1024**2 + 52_000, "700.0 MiB")],
)
def test_what_is_small_is_not_told_as_nothing(count: int, said: str) -> None:
    assert amount(count) == said
