"""A thousand edits of bots.yaml, and whatever else happens meanwhile: the watcher ends where bots.yaml says.

The core, the passes, planner and executor are the real ones; the engine is a model, and time is a number.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.contract import LABEL_SPEC_HASH
from manager.confinement import fingerprint
from manager.fleet import Fleet
from manager.observed import ContainerState
from manager.plan import ActionKind
from manager.spec import build
from manager.watch.core import RELIST_SECONDS, Rang, StopAsked
from tests.fake_engine import FakeEngine
from tests.fleets import IMAGE
from tests.model_engine import ModelEngine
from tests.watching import Watching, fleet_text

CLIENTS = ("a", "b", "c")
EDITS_EACH, STORIES = 40, 25  # a thousand edits

BOT = ("", "memory: 512m", "memory: 1g", "memory: 512m, enabled: false")
GOOD = [
    fleet_text(
        "".join(f"- {{clientId: {c}, {keys}}}\n" for c, keys in zip(CLIENTS, each, strict=True) if keys)
    )
    for each in product(BOT, repeat=len(CLIENTS))
]
# Half written, or plainly wrong.
BAD = [text[:-cut] + "- [" for text, cut in zip(GOOD, range(1, 20), strict=False)]
# A text is drawn in one go: a thousand of them are soon drawn.
good, edits = st.sampled_from(GOOD), st.sampled_from(GOOD + BAD)
pauses = st.sampled_from([0.0, 0.1, 0.5, 0.7, 3.0, 40.0])


def goal(fleet: Fleet) -> dict[str, str]:
    version = IMAGE.removeprefix("sha256:")[:12]
    specs = [build(fleet, bot, IMAGE, version, confinement=fingerprint()) for bot in fleet.enabled]
    return {spec.client_id: spec.labels[LABEL_SPEC_HASH] for spec in specs}


def assert_converged(watching: Watching) -> None:
    """After a while without any happening: what runs is what the last good file says, and nothing goes on."""
    watching.wait(2 * RELIST_SECONDS)
    assert watching.core.fleet is not None
    alive = {each.client_id: each.spec_hash for each in watching.engine.model.containers.values()}
    assert watching.engine.model.running() == {bot.client_id for bot in watching.core.fleet.enabled}
    assert alive == goal(watching.core.fleet)
    assert watching.metrics.number("drift") == 0
    before, writes = len(watching.passes), watching.engine.model.writes
    watching.wait(10 * RELIST_SECONDS)
    assert len(watching.passes) - before <= 10
    assert watching.engine.model.writes == writes


@settings(max_examples=STORIES)
@given(good, st.lists(st.tuples(edits, pauses), min_size=EDITS_EACH, max_size=EDITS_EACH))
def test_a_thousand_edits_converge_and_make_no_container_that_need_not_be(
    first: str, story: list[tuple[str, float]]
) -> None:
    """Each bot's container is made at most as often as its settings became others (or it came back): of a change that
    waits for its turn in a roll-out and is taken back meanwhile nothing is seen."""
    watching = Watching()
    watching.save(first)
    for text, pause in story:
        watching.save(text)
        watching.wait(pause)
    assert_converged(watching)
    needed = 0
    now: dict[str, str] = {}
    for _, fleet in watching.passes:
        wanted = goal(fleet)
        needed += sum(now.get(client) != spec for client, spec in wanted.items())
        now = wanted
    made = watching.metrics.registry.get_sample_value(
        "oturum_manager_actions_total", {"kind": ActionKind.CREATE.value, "result": "ok"}
    )
    assert made is not None
    assert made <= needed


class Trouble:
    """People, other managers and the engine's own moods, beside the watcher."""

    def __init__(self, watching: Watching) -> None:
        self.watching = watching
        self.model = watching.engine.model

    def befall(self, what: str, client: str) -> None:
        engine = self.watching.engine
        if what == "engine goes":
            engine.down = True
        elif what == "engine comes":
            engine.down = False
            self.watching.happen(Rang(connection=True))
        elif what == "refuse":
            engine.refuse_next = True
        else:
            self._to_containers(what, client)

    def _to_containers(self, what: str, client: str) -> None:
        for each in [each for each in self.model.containers.values() if each.client_id == client]:
            if what == "removed":
                del self.model.containers[each.id]
            else:
                self.model.containers[each.id] = replace(each, state=ContainerState(what))
        if not self.watching.engine.down:
            self.watching.happen(Rang())


troubles = st.tuples(
    st.sampled_from(["engine goes", "engine comes", "refuse", "removed", "exited", "paused", "dead"]),
    st.sampled_from(CLIENTS),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.one_of(edits, troubles), pauses), min_size=5, max_size=30))
def test_it_converges_whatever_else_happens(story: list[tuple[str | tuple[str, str], float]]) -> None:
    watching = Watching()
    trouble = Trouble(watching)
    watching.save(fleet_text("- clientId: a\n- clientId: b\n"))
    for what, pause in story:
        if isinstance(what, str):
            watching.save(what)
        else:
            trouble.befall(*what)
        watching.wait(pause)
    trouble.befall("engine comes", "a")
    assert_converged(watching)


@given(st.lists(st.tuples(edits, st.sampled_from([0.0, 0.1, 0.7])), max_size=6), st.integers(1, 12), edits)
def test_a_watcher_that_is_stopped_anywhere_leaves_what_the_next_one_finishes(
    story: list[tuple[str, float]], step: int, after: str
) -> None:
    """Not a step begins after the stop, except those under way; whoever comes next goes on from there."""
    engine = FakeEngine(ModelEngine())
    watching = Watching(engine)
    steps = 0

    def stop_at(kind: ActionKind) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            watching.happen(StopAsked())

    engine.before_write = stop_at
    watching.save(fleet_text("- clientId: a\n- clientId: b\n- clientId: c\n"))
    for text, pause in story:
        watching.save(text)
        watching.wait(pause)
    watching.happen(StopAsked())
    assert watching.over
    assert steps <= step + len(CLIENTS), "one lane a bot, each with at most one step under way"
    watching.holder.release()
    engine.before_write = lambda kind: None
    successor = Watching(engine)
    successor.save(fleet_text("- clientId: a\n"))
    successor.save(after)
    successor.wait(1)
    assert_converged(successor)
