"""What is said of an image that is being built: one line a step, however much the builder has to say."""

from __future__ import annotations

import pytest

from manager.image import ImageProgress
from manager.progress import Plain
from manager.text import catalogue


def test_the_first_line_of_each_build_step(capsys: pytest.CaptureFixture[str]) -> None:
    report = Plain(catalogue("en"), "shop")
    for progress in (
        ImageProgress("fetching the base image"),
        ImageProgress("unpacking it"),
        ImageProgress("FROM base", 1, 2),
        ImageProgress("---> 0123", 1, 2),
        ImageProgress("RUN make", 2, 2),
        ImageProgress("compiling a", 2, 2),
        ImageProgress("compiling b", 2, 2),
    ):
        report(progress)
    assert capsys.readouterr().out.splitlines() == [
        "base image: fetching the base image",
        "base image: unpacking it",
        "build step 1 of 2: FROM base",
        "build step 2 of 2: RUN make",
    ]
