"""Plans on random fleets and random engines: they converge, and never let two write to one volume.

The model engine raises TwoWritersError the moment a start would do that. It cannot remove a volume.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from manager.fleet import Fleet
from manager.observed import ContainerState
from manager.plan import ActionKind, Plan, make_plan, plan_down, plan_restart
from manager.spec import ContainerSpec
from tests.fleets import read, specs_of
from tests.model_engine import ModelEngine, carry_out, steps

CLIENTS = ("a", "b", "c")
ALIVE = (ContainerState.RUNNING, ContainerState.RESTARTING)


@dataclass(frozen=True)
class Wanted:
    """One version of bots.yaml."""

    fleet: Fleet
    specs: tuple[ContainerSpec, ...]

    def plan(self, engine: ModelEngine) -> Plan:
        return make_plan(self.specs, engine.observe(), disabled=self.fleet.disabled)


@st.composite
def wanted(draw: st.DrawFn) -> Wanted:
    lines = []
    for client_id in draw(st.sets(st.sampled_from(CLIENTS))):
        memory = draw(st.sampled_from(["512m", "1g"]))
        enabled = draw(st.sampled_from(["true", "true", "false"]))
        proxy = draw(st.sampled_from(["", ", proxy: 'http://u:p@h:1'"]))
        lines.append(f"- {{clientId: {client_id}, memory: {memory}, enabled: {enabled}{proxy}}}\n")
    fleet = read("project: p\nbots:\n" + "".join(lines) if lines else "project: p\nbots: []\n")
    return Wanted(fleet, tuple(specs_of(fleet)))


@st.composite
def engines(draw: st.DrawFn, *, sane: bool = False) -> ModelEngine:
    """Whatever earlier versions, interrupted runs and people may have left behind.

    `sane`: no container under another bot's name or on another bot's volume (people's doing, never ours).
    """
    engine = ModelEngine(network=draw(st.sampled_from([None, "now", "now"])))
    names = [f"p-bot-{client_id}" for client_id in CLIENTS] + ["odd", "strange"]
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        spec = draw(st.sampled_from(_every_spec()))
        if sane and name.startswith("p-bot-"):
            spec = draw(st.sampled_from([each for each in _every_spec() if each.name == name]))
        state = draw(st.sampled_from(list(ContainerState)))
        volume = spec.volume if sane else draw(st.sampled_from([spec.volume, spec.volume, "p-session-a"]))
        network = (
            engine.network if state in ALIVE else draw(st.sampled_from([engine.network, "before", None]))
        )
        detached = draw(st.sampled_from([False, False, True]))
        known = None if detached else network
        engine.put(spec, state, name=name, volume=volume, network_id=known, detached=detached)
        for each in _every_spec():
            if each.volume == volume:
                engine.put_volume(each)
    for client_id in draw(st.sets(st.sampled_from(CLIENTS))):
        engine.put_volume(next(each for each in _every_spec() if each.client_id == client_id))
    return engine


def _every_spec() -> list[ContainerSpec]:
    return _EVERY


_EVERY = [
    spec
    for memory in ("512m", "1g")
    for proxy in ("", ", proxy: 'http://u:p@h:1'")
    for spec in specs_of(
        read(
            "project: p\nbots:\n"
            + "".join(f"- {{clientId: {each}, memory: {memory}{proxy}}}\n" for each in CLIENTS)
        )
    )
]


def assert_converges(engine: ModelEngine, goal: Wanted, passes: int = 4) -> None:
    """`up` again and again (another bot's container in the way needs it) ends in nothing to do."""
    volumes = set(engine.volumes)
    for _ in range(passes):
        plan = goal.plan(engine)
        carry_out(engine, plan)
    assert goal.plan(engine).empty, goal.plan(engine)
    assert not goal.plan(engine).blocked
    alive = {each.client_id for each in engine.containers.values() if each.state in ALIVE}
    assert alive == {spec.client_id for spec in goal.specs}
    assert len(engine.containers) == len(goal.specs)
    assert volumes <= set(engine.volumes)


@given(engines(), wanted())
def test_converges_from_anywhere(engine: ModelEngine, goal: Wanted) -> None:
    assert_converges(engine, goal)


@given(engines(sane=True), wanted())
def test_one_run_is_enough_on_what_we_left_ourselves(engine: ModelEngine, goal: Wanted) -> None:
    carry_out(engine, goal.plan(engine))
    assert goal.plan(engine).empty
    writes = engine.writes
    carry_out(engine, goal.plan(engine))
    assert engine.writes == writes


@given(engines(), wanted(), wanted(), st.integers(0, 30))
def test_converges_after_being_cut_short_at_any_step(
    engine: ModelEngine, first: Wanted, second: Wanted, cut: int
) -> None:
    """`first` dies after `cut` steps; then bots.yaml may even have changed."""
    for number, _ in enumerate(steps(engine, first.plan(engine))):
        if number >= cut:
            break
    assert_converges(engine, second)


@settings(max_examples=300)
@given(engines(), st.lists(wanted(), min_size=2, max_size=3), st.data())
def test_several_managers_at_once_never_make_two_writers(
    engine: ModelEngine, goals: list[Wanted], data: st.DataObject
) -> None:
    """Each with its own bots.yaml, and restart and down beside them, in any order of single steps."""
    running: list[Iterator[None]] = []
    commands = [lambda goal=goal: goal.plan(engine) for goal in goals]
    commands += [lambda: plan_restart(engine.observe()), lambda: plan_down(engine.observe())]
    chosen = data.draw(st.lists(st.sampled_from(range(len(commands))), min_size=2, max_size=5))
    while chosen or running:
        if chosen and (not running or data.draw(st.booleans())):
            running.append(steps(engine, commands[chosen.pop()]()))
            continue
        one = data.draw(st.sampled_from(range(len(running))))
        if next(running[one], StopIteration) is StopIteration:
            del running[one]
    assert_converges(engine, goals[0])


@given(engines(sane=True), wanted(), st.sampled_from(CLIENTS))
def test_only_one_client_is_touched(engine: ModelEngine, goal: Wanted, client_id: str) -> None:
    plan = make_plan(goal.specs, engine.observe(), only=frozenset({client_id}), disabled=goal.fleet.disabled)
    assert {action.client_id for lane in plan.lanes for action in lane} <= {client_id}


@given(engines(), wanted())
def test_shape_of_every_plan(engine: ModelEngine, goal: Wanted) -> None:
    """One client a lane, one lane a client; a container is stopped before it is removed; START comes last."""
    plan = goal.plan(engine)
    clients = [{action.client_id for action in lane} for lane in plan.lanes]
    assert all(len(each) == 1 for each in clients)
    assert len(set().union(*clients)) == len(clients)
    for lane in plan.lanes:
        kinds = [action.kind for action in lane]
        assert ActionKind.START not in kinds[:-1]
        if ActionKind.CREATE in kinds:
            after = kinds[kinds.index(ActionKind.CREATE) :]
            assert after == [ActionKind.CREATE, ActionKind.START]
        removed = [action.target for action in lane if action.kind is ActionKind.REMOVE]
        states = {each.id: each.state for each in engine.containers.values()}
        for target in removed:
            stops = [
                n for n, each in enumerate(lane) if (each.kind, each.target) == (ActionKind.STOP, target)
            ]
            removal = next(
                n for n, each in enumerate(lane) if (each.kind, each.target) == (ActionKind.REMOVE, target)
            )
            assert bool(stops) == states[target].may_write
            assert all(stop < removal for stop in stops)


@given(st.integers(0, 8), wanted())
def test_one_more_bot_touches_no_other(count: int, goal: Wanted) -> None:
    engine = ModelEngine()
    assert_converges(engine, goal)
    more = read(
        "project: p\nbots:\n" + "".join(f"- {{clientId: new-{number}}}\n" for number in range(count + 1))
    )
    plan = make_plan([*goal.specs, *specs_of(more)], engine.observe(), disabled=goal.fleet.disabled)
    touched = {action.client_id for lane in plan.lanes for action in lane}
    assert touched == {f"new-{number}" for number in range(count + 1)}
