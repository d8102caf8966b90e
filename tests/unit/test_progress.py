"""What is said of an image that is being built: one line a step, however much the builder has to say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from demo.__main__ import DemoProgress
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


def test_a_full_disk_under_the_log_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115  its end fails too
    monkeypatch.setattr(sys, "stdout", full)
    Plain(catalogue("en"), "shop")(ImageProgress("fetching the base image"))
    with pytest.raises(OSError, match="No space left"):
        full.close()


def test_the_demo_leaves_build_steps_out_that_come_from_the_cache(capsys: pytest.CaptureFixture[str]) -> None:
    report = DemoProgress(catalogue("en"), "shop")
    for progress in (
        ImageProgress("FROM base", 1, 4),
        ImageProgress("---> 0123abc", 1, 4),
        ImageProgress("RUN fetch", 2, 4),
        ImageProgress("---> Using cache", 2, 4),
        ImageProgress("---> 0123abd", 2, 4),
        ImageProgress("RUN make", 3, 4),
        ImageProgress("---> Running in 0123", 3, 4),
        ImageProgress("compiling a", 3, 4),
        ImageProgress("ENV A=1", 4, 4),
        ImageProgress("---> Using cache", 4, 4),
    ):
        report(progress)
    assert capsys.readouterr().out.splitlines() == [
        "build step 1 of 4: FROM base",
        "build step 3 of 4: RUN make",
    ]
