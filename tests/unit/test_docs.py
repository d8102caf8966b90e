"""docs/*.md say what the code is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.__main__ import pages
from manager.overview import Place, Row, Weight
from manager.text import catalogue

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text() == pages()[name], "run: python -m docs"


def test_the_readme_names_no_page_that_is_not_there() -> None:
    for readme in ("README.md", "README.tr.md"):
        text = (DOCS.parent / readme).read_text()
        for name in ("metrics.md", "watch.md", "bot.md", "status.md"):
            assert f"docs/{name}" in text


def test_the_page_on_status_names_every_key() -> None:
    text = (DOCS / "status.md").read_text()
    missing = [key for key in Row("sales", Place.ANSWERS).as_json(catalogue("en")) if f"`{key}`" not in text]
    missing += [word for word in (*Place, *Weight) if f"`{word}`" not in text]
    assert not missing
