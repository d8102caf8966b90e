"""`up --rebuild`: an image of the same sources, built anew; no engine, and nothing is really built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click
import pytest

from manager import image, reconcile, rolling
from manager.app import App
from manager.commands import fleet as command
from manager.plan import ActionKind
from manager.rollout import Rollout
from manager.text import catalogue
from tests.fake_engine import FakeEngine
from tests.fleets import IMAGE, fleet_of
from tests.model_engine import ModelEngine

FLEET = replace(fleet_of("a", "b"), image=None)
NEWER = "sha256:" + "b" * 64


class BuildingEngine(FakeEngine):
    """Each build gives the tag another image."""

    def __init__(self) -> None:
        super().__init__(ModelEngine())
        self.now = IMAGE
        self.builds: list[dict[str, Any]] = []

    def image_id(self, reference: str) -> str | None:
        return self.now

    def build(self, context: Any, **options: Any) -> Iterator[dict[str, Any]]:
        self.builds.append(options)
        self.now = NEWER
        return iter([{"stream": "Step 1/1 : FROM base"}])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> BuildingEngine:
    monkeypatch.setattr(image, "_base_image", lambda *_: {})
    made = BuildingEngine()
    assert reconcile.up(FLEET, made).ok
    assert made.builds == []
    return made


def images(engine: FakeEngine) -> set[str]:
    return {each.image_id for each in engine.model.containers.values()}


def test_it_is_built_without_the_cache_and_every_bot_moves(engine: BuildingEngine) -> None:
    outcome = reconcile.up(FLEET, engine, rebuild=True)
    assert outcome.ok
    assert outcome.image
    assert outcome.image.built
    (options,) = engine.builds
    assert options["nocache"] is True
    assert options["tag"] == outcome.image.tag
    assert images(engine) == {NEWER}
    assert engine.model.running() == {"a", "b"}
    assert reconcile.up(FLEET, engine).nothing_to_do
    assert len(engine.builds) == 1


def test_an_ordinary_build_may_use_the_cache(engine: BuildingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "image_id", lambda _: NEWER if engine.builds else None)
    reconcile.up(FLEET, engine)
    assert not engine.builds[0].get("nocache")


def test_a_dry_run_tells_that_every_bot_would_move_and_builds_nothing(engine: BuildingEngine) -> None:
    outcome = reconcile.up(FLEET, engine, dry_run=True, rebuild=True)
    assert [lane[-1].kind for lane in outcome.plan.lanes] == [ActionKind.START] * 2
    assert outcome.image
    assert outcome.image.rebuild
    assert engine.builds == []
    assert images(engine) == {IMAGE}


def test_a_roll_out_builds_once_for_all_its_passes(
    engine: BuildingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "LOOK_SECONDS", 0)
    passes: list[bool] = []
    real = reconcile.up

    def counted(*given: Any, **named: Any) -> reconcile.Outcome:
        passes.append(named["rebuild"])
        return real(*given, **named)

    monkeypatch.setattr(reconcile, "up", counted)
    outcome = rolling.up(
        FLEET, engine, Rollout(batch=1), None, lambda _: None, "en",  # type: ignore[arg-type]
        confirm=lambda _: True, environ={}, rebuild=True,
    )  # fmt: skip
    assert outcome.image
    assert outcome.image.built
    assert passes[0]
    assert not any(passes[1:])
    assert len(passes) > 1
    assert len(engine.builds) == 1


def test_an_image_that_bots_yaml_names_is_not_ours_to_build(tmp_path: Any) -> None:
    file = tmp_path / "bots.yaml"
    file.write_text("project: p\nimage: theirs:1\nbots:\n  - clientId: a\n")
    app = App(catalogue("en"), {}, file)
    with pytest.raises(click.UsageError) as caught:
        command.up.main(["--rebuild"], obj=app, standalone_mode=False)
    assert "docker pull theirs:1" in caught.value.message
