"""Plans: the least that must be done, in which order, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from manager import plan as planning
from manager.observed import ContainerState, Observed
from manager.plan import Lane, Plan, make_plan, render
from manager.spec import ContainerSpec
from manager.text import catalogue
from tests.fleets import fleet_of, read, specs_of
from tests.model_engine import ModelEngine, carry_out, kinds

SAY = catalogue("en")


def engine_with(*specs: ContainerSpec) -> ModelEngine:
    """An engine on which everything runs as it should."""
    engine = ModelEngine(network="n0")
    for spec in specs:
        engine.put_volume(spec)
        engine.put(spec, ContainerState.RUNNING)
    return engine


def one_lane(plan: Plan) -> Lane:
    (lane,) = plan.lanes
    return lane


def cause(plan: Plan) -> str:
    return planning.leading_cause(one_lane(plan)).say(SAY)


def test_from_nothing() -> None:
    plan = make_plan(specs_of(fleet_of("a", "b")), Observed(project="p"))
    assert render(plan, SAY) == [
        "create p-bots: the bots' network does not exist",
        "create a: new",
        "create b: new",
    ]
    assert kinds(plan.shared) == ["create-network"]
    assert [kinds(lane) for lane in plan.lanes] == [["create-volume", "create", "start"]] * 2


def test_nothing_to_do() -> None:
    specs = specs_of(fleet_of("a", "b"))
    plan = make_plan(specs, engine_with(*specs).observe())
    assert plan == Plan()
    assert plan.empty


def test_an_empty_fleet_needs_no_network() -> None:
    assert make_plan([], Observed(project="p")).empty


def test_one_more_bot_touches_none_of_fifty() -> None:
    fifty = [f"bot-{number}" for number in range(50)]
    engine = engine_with(*specs_of(fleet_of(*fifty)))
    plan = make_plan(specs_of(fleet_of(*fifty, "new")), engine.observe())
    assert [action.client_id for action in one_lane(plan)] == ["new"] * 3
    assert not plan.shared


def test_a_changed_setting_recreates_and_says_which() -> None:
    old, new = specs_of(fleet_of("a", memory="512m")), specs_of(fleet_of("a", memory="1g"))
    plan = make_plan(new, engine_with(*old).observe())
    assert kinds(one_lane(plan)) == ["stop", "remove", "create", "start"]
    assert render(plan, SAY) == ["recreate a: memory 512m -> 1g"]
    assert render(plan, catalogue("tr")) == ["yeniden oluştur a: memory 512m -> 1g"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "timezone: Europe/Istanbul", "timezone default -> Europe/Istanbul"),
        ("locale: tr-TR", "locale: de-DE", "locale tr-TR -> de-DE"),
        ("reconnect: {networkWait: 5}", "reconnect: {networkWait: 7}", "reconnect.networkWait 5 -> 7"),
        ("reconnect: {networkWait: 5}", "", "reconnect.networkWait 5 -> default"),
        ("", "browser: {sandbox: false}", "browser.sandbox default -> false"),
        ("", "browser: {args: [--x]}", 'browser.args default -> ["--x"]'),
        ("", "proxy: http://h:1", "proxy default -> http://h:1"),
        ("", "env: {A: geheim}", "env.A added"),
        ("env: {A: geheim}", "env: {A: anders}", "env.A changed"),
        ("env: {A: geheim}", "", "env.A removed"),
        ("proxy: 'http://u:geheim@h:1'", "proxy: 'http://u:anders@h:1'", "proxy credentials changed"),
        ("language: en", "language: tr", "language en -> tr"),
        ("url: https://x.example/", "", "url https://x.example/ -> https://web.whatsapp.com/"),
    ],
)
def test_every_setting_has_its_word(old: str, new: str, said: str) -> None:
    before, after = (specs_of(read(f"project: p\nbots:\n- clientId: a\n  {keys}\n")) for keys in (old, new))
    plan = make_plan(after, engine_with(*before).observe())
    assert cause(plan) == said
    assert kinds(one_lane(plan)) == ["stop", "remove", "create", "start"]


def test_a_new_image() -> None:
    fleet = fleet_of("a")
    new = specs_of(fleet, "sha256:" + "b" * 64)
    assert cause(make_plan(new, engine_with(*specs_of(fleet)).observe())) == f"image {'a' * 12} -> {'b' * 12}"


def test_a_container_of_another_version_whose_settings_cannot_be_read() -> None:
    (spec,) = specs_of(fleet_of("a"))
    engine = ModelEngine(network="n0")
    engine.put_volume(spec)
    engine.put(spec, ContainerState.RUNNING, spec_hash="old", settings={})
    plan = make_plan([spec], engine.observe())
    assert kinds(one_lane(plan)) == ["stop", "remove", "create", "start"]
    assert "another version" in cause(plan)


@pytest.mark.parametrize(
    ("state", "expected", "said"),
    [
        (ContainerState.RUNNING, [], ""),
        (ContainerState.RESTARTING, [], ""),
        (ContainerState.EXITED, ["start"], "not running (exit code 137)"),
        (ContainerState.CREATED, ["start"], "made but never started"),
        (ContainerState.PAUSED, ["stop", "start"], "paused"),
        (ContainerState.DEAD, ["remove", "create", "start"], "dead (a removal that failed)"),
        (ContainerState.REMOVING, ["remove", "create", "start"], "half removed"),
    ],
)
def test_the_right_container_in_every_state(state: ContainerState, expected: list[str], said: str) -> None:
    (spec,) = specs_of(fleet_of("a"))
    engine = ModelEngine(network="n0")
    engine.put_volume(spec)
    engine.put(spec, state, exit_code=137)
    plan = make_plan([spec], engine.observe())
    assert [kind for lane in plan.lanes for kind in kinds(lane)] == expected
    if expected:
        assert cause(plan) == said
    if state is ContainerState.RESTARTING:
        assert "again and again" in plan.notes[0].say(SAY)


def test_created_with_secrets_is_made_anew() -> None:
    """Whoever made it may have been killed before the secrets were on the volume."""
    (spec,) = specs_of(read("project: p\nbots: [{clientId: a, proxy: 'http://u:p@h:1'}]"))
    engine = ModelEngine(network="n0")
    engine.put_volume(spec)
    engine.put(spec, ContainerState.CREATED)
    assert kinds(one_lane(make_plan([spec], engine.observe()))) == ["remove", "create", "start"]


@pytest.mark.parametrize("state", list(ContainerState))
def test_a_stale_container_in_every_state(state: ContainerState) -> None:
    (old,), (new,) = specs_of(fleet_of("a", memory="512m")), specs_of(fleet_of("a", memory="1g"))
    engine = ModelEngine(network="n0")
    engine.put_volume(old)
    engine.put(old, state)
    lane = kinds(one_lane(make_plan([new], engine.observe())))
    stop = ["stop"] if state.may_write else []
    assert lane == [*stop, "remove", "create", "start"]


def test_a_network_made_anew() -> None:
    """The engine starts no container whose network was removed, even when one of that name exists again."""
    (spec,) = specs_of(fleet_of("a"))
    engine = ModelEngine(network="new")
    engine.put_volume(spec)
    engine.put(spec, ContainerState.EXITED, network_id="old")
    plan = make_plan([spec], engine.observe())
    assert kinds(one_lane(plan)) == ["remove", "create", "start"]
    assert cause(plan) == "the bots' network was made anew"


@pytest.mark.parametrize("state", [ContainerState.RUNNING, ContainerState.RESTARTING, ContainerState.EXITED])
def test_a_container_that_was_taken_off_the_network(state: ContainerState) -> None:
    """It may run, and reaches nobody: a start would not bring it back, nor would a restart."""
    (spec,) = specs_of(fleet_of("a"))
    engine = engine_with()
    engine.put_volume(spec)
    engine.put(spec, state, network_id=None, detached=True)
    plan = make_plan([spec], engine.observe())
    assert kinds(one_lane(plan))[-3:] == ["remove", "create", "start"]
    assert cause(plan) == "it was taken off the bots' network"
    restart = planning.plan_restart(engine.observe())
    assert (restart.empty, restart.blocked) == (True, {"a"})
    carry_out(engine, plan)
    assert make_plan([spec], engine.observe()).empty


def test_a_network_that_is_gone() -> None:
    (spec,) = specs_of(fleet_of("a"))
    engine = ModelEngine(network="old")
    engine.put_volume(spec)
    engine.put(spec, ContainerState.EXITED)
    engine.network = None
    plan = make_plan([spec], engine.observe())
    assert kinds(plan.shared) == ["create-network"]
    assert kinds(one_lane(plan)) == ["remove", "create", "start"]


def test_a_second_container_on_the_volume_goes_first() -> None:
    (spec,) = specs_of(fleet_of("a"))
    engine = engine_with()
    engine.put_volume(spec)
    engine.put(spec, ContainerState.RUNNING, name="somebody-renamed-it")
    plan = make_plan([spec], engine.observe())
    assert kinds(one_lane(plan)) == ["stop", "remove", "create", "start"]
    assert one_lane(plan)[0].cause.say(SAY) == "somebody-renamed-it is a second container of this bot"
    carry_out(engine, plan)
    assert [each.name for each in engine.containers.values()] == ["p-bot-a"]


def test_a_duplicate_beside_the_right_one() -> None:
    (spec,) = specs_of(fleet_of("a"))
    engine = engine_with(spec)
    engine.put(spec, ContainerState.EXITED, name="copy")
    plan = make_plan([spec], engine.observe())
    assert kinds(one_lane(plan)) == ["remove"]
    assert render(plan, SAY) == ["remove a: copy is a second container of this bot"]


def test_a_disabled_bot_stops_and_keeps_its_volume() -> None:
    specs = specs_of(fleet_of("a", "b"))
    engine = engine_with(*specs)
    plan = make_plan(specs[1:], engine.observe(), disabled=frozenset({"a"}))
    assert kinds(one_lane(plan)) == ["stop", "remove"]
    assert render(plan, SAY) == [
        "stop a: disabled in bots.yaml",
        "a is disabled; its volume p-session-a stays.",
    ]
    carry_out(engine, plan)
    assert make_plan(specs[1:], engine.observe(), disabled=frozenset({"a"})) == Plan()


def test_a_disabled_bot_that_is_named_gets_a_word() -> None:
    specs = specs_of(fleet_of("a", "b"))
    engine = engine_with(specs[1])
    off = frozenset({"a"})
    word = "a is disabled in bots.yaml; to start it: python -m manager resume a && python -m manager up a"
    up = make_plan(specs[1:], engine.observe(), only=off, disabled=off)
    restart = planning.plan_restart(engine.observe(), only=off, disabled=off)
    assert render(up, SAY) == render(restart, SAY) == [word]
    assert (up.blocked, restart.blocked) == (frozenset(), off)


def test_a_bot_taken_out_stops_and_keeps_its_volume() -> None:
    specs = specs_of(fleet_of("a", "b"))
    engine = engine_with(*specs)
    plan = make_plan(specs[1:], engine.observe())
    assert render(plan, SAY)[0] == "stop a: not in bots.yaml any more"
    assert "its volume p-session-a stays" in render(plan, SAY)[1]
    carry_out(engine, plan)
    again = make_plan(specs[1:], engine.observe())
    assert again.empty
    assert render(again, SAY)[0].startswith("1 volume(s) without a bot in bots.yaml: a.")
    assert "p-session-a" in engine.volumes


def test_only() -> None:
    specs = specs_of(fleet_of("a", "b", "c"))
    engine = engine_with(specs[2])
    plan = make_plan(specs[:2], engine.observe(), only=frozenset({"b"}))
    assert [lane[0].client_id for lane in plan.lanes] == ["b"]
    plan = make_plan(specs[:2], engine.observe(), only=frozenset({"c"}))
    assert render(plan, SAY)[0] == "stop c: not in bots.yaml any more"


def test_a_new_bot_that_runs_in_another_project_too_is_told() -> None:
    """As when `project:` is changed while the fleet runs."""
    specs = specs_of(fleet_of("a", "b", "c"))
    neighbours = {"old": frozenset({"a", "b", "x"}), "far": frozenset({"x"})}
    plan = make_plan(specs, Observed(project="p", neighbours=neighbours))
    (note,) = plan.notes
    assert not note.blocking
    assert note.say(SAY).startswith("a, b: ")
    assert "project old" in note.say(SAY)
    assert len(plan.lanes) == 3
    (note,) = make_plan(specs, Observed(project="p", neighbours=neighbours), only=frozenset({"b", "c"})).notes
    assert note.say(SAY).startswith("b: ")
    known = replace(engine_with(*specs).observe(), neighbours=neighbours)
    assert make_plan(specs, known) == Plan()


class TestObstacles:
    def blocked(self, plan: Plan, client_id: str = "a") -> str:
        assert not any(action.client_id == client_id for lane in plan.lanes for action in lane)
        assert plan.blocked == {client_id}
        return next(note for note in plan.notes if note.blocking).say(SAY)

    def test_a_name_taken_by_a_stranger(self) -> None:
        specs = specs_of(fleet_of("a", "b"))
        plan = make_plan(specs, Observed(project="p", foreign_names=frozenset({"p-bot-a"})))
        assert "docker rename p-bot-a" in self.blocked(plan)
        assert kinds(one_lane(plan)) == ["create-volume", "create", "start"]

    def test_a_volume_of_another_project(self) -> None:
        (spec,) = specs_of(fleet_of("a"))
        engine = ModelEngine()
        engine.put_volume(spec, project="other")
        plan = make_plan([spec], engine.observe())
        assert "p-session-a belongs to another project" in self.blocked(plan)
        assert plan.empty

    def test_a_stranger_on_the_volume(self) -> None:
        (spec,) = specs_of(fleet_of("a"))
        observed = Observed(project="p", volume_users={"p-session-a": "backup"})
        assert "docker stop backup" in self.blocked(make_plan([spec], observed))

    def test_a_stranger_on_the_volume_of_a_bot_that_runs_is_no_obstacle(self) -> None:
        (spec,) = specs_of(fleet_of("a"))
        observed = replace(engine_with(spec).observe(), volume_users={"p-session-a": "backup"})
        assert make_plan([spec], observed) == Plan()

    def test_another_bots_container_on_the_volume(self) -> None:
        a, b = specs_of(fleet_of("a", "b"))
        engine = engine_with(b)
        engine.put_volume(a)
        engine.put(b, ContainerState.RUNNING, name="odd", volume=a.volume)
        plan = make_plan([a, b], engine.observe())
        assert "odd of b runs on the volume p-session-a" in self.blocked(plan)
        carry_out(engine, plan)
        carry_out(engine, make_plan([a, b], engine.observe()))
        assert make_plan([a, b], engine.observe()).empty
        assert engine.running() == {"a", "b"}

    def test_another_bots_container_under_the_name(self) -> None:
        a, b = specs_of(fleet_of("a", "b"))
        engine = engine_with(b)
        engine.put(b, ContainerState.EXITED, name=a.name)
        plan = make_plan([a, b], engine.observe())
        assert "the name p-bot-a is held by a container of b" in self.blocked(plan)


class TestOtherCommands:
    def test_down(self) -> None:
        specs = specs_of(fleet_of("a", "b"))
        engine = engine_with(*specs)
        plan = planning.plan_down(engine.observe())
        assert render(plan, SAY) == ["stop a: down", "stop b: down"]
        carry_out(engine, plan)
        assert not engine.containers
        assert len(engine.volumes) == 2
        assert planning.plan_down(engine.observe()).empty
        assert [
            lane[0].client_id
            for lane in planning.plan_down(engine_with(*specs).observe(), frozenset("b")).lanes
        ]

    def test_restart(self) -> None:
        (spec,) = specs_of(fleet_of("a"))
        engine = engine_with(spec)
        plan = planning.plan_restart(engine.observe())
        assert render(plan, SAY) == ["restart a: restart was asked for"]
        assert kinds(one_lane(plan)) == ["stop", "start"]

    def test_restart_of_a_stopped_bot_starts_it(self) -> None:
        (spec,) = specs_of(fleet_of("a"))
        engine = ModelEngine(network="n")
        engine.put(spec, ContainerState.EXITED)
        assert kinds(one_lane(planning.plan_restart(engine.observe()))) == ["start"]

    def test_restart_with_a_duplicate_stops_both_and_starts_one(self) -> None:
        (spec,) = specs_of(fleet_of("a"))
        engine = engine_with(spec)
        engine.put(spec, ContainerState.RUNNING, name="copy")
        plan = planning.plan_restart(engine.observe())
        assert kinds(one_lane(plan)) == ["stop", "stop", "start"]
        carry_out(engine, plan)

    @pytest.mark.parametrize(
        ("state", "network"),
        [(ContainerState.DEAD, "n"), (ContainerState.CREATED, "n"), (ContainerState.EXITED, "o")],
    )
    def test_restart_of_what_cannot_start(self, state: ContainerState, network: str) -> None:
        (spec,) = specs_of(fleet_of("a"))
        engine = ModelEngine(network="n")
        engine.put(spec, state, network_id=network)
        plan = planning.plan_restart(engine.observe())
        assert plan.blocked == {"a"}
        assert plan.empty

    def test_rm(self) -> None:
        specs = specs_of(fleet_of("a", "b"))
        plan = planning.plan_rm(engine_with(*specs).observe(), "a")
        assert kinds(one_lane(plan)) == ["stop", "remove"]
        assert one_lane(plan)[0].client_id == "a"


def test_a_restart_by_name_of_a_bot_without_a_container_says_what_starts_it() -> None:
    specs = specs_of(fleet_of("a", "b"))
    plan = planning.plan_restart(engine_with(specs[0]).observe(), only=frozenset({"a", "b"}))
    assert [note.say(SAY) for note in plan.notes] == [
        "b has no container that could be restarted. Run: python -m manager up b"
    ]
    assert plan.blocked == {"b"}
    assert [kinds(lane) for lane in plan.lanes] == [["stop", "start"]]
    assert not planning.plan_restart(engine_with(specs[0]).observe()).notes
