"""The watchdog in random stories: bots that fall ill, die, are killed for memory, ask for a person, are mended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from manager.observed import ContainerState
from manager.watchdog import Decision, Kind, Policy, Seen, Watchdog

POLICY = Policy()
HEALTH = ("starting", "healthy", "healthy", "unhealthy", "unhealthy", "unhealthy", None)
PLACES = (ContainerState.RUNNING,) * 5 + (ContainerState.RESTARTING, ContainerState.EXITED)


@dataclass
class Bot:
    """A container as an engine has it; `anew`: when somebody other than the watchdog or the engine started it. `ended`:
    by itself, and the engine has not started it again yet.
    """

    seen: Seen
    starts: int = 0
    ended: bool = False
    anew: list[float] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)

    def begin(self, **changes: object) -> None:
        self.starts += 1
        self.ended = False
        self.seen = replace(self.seen, started_at=f"t{self.starts}", health="starting", **changes)  # type: ignore[arg-type]

    def end(self) -> None:
        self.ended = True
        count = (self.seen.restart_count or 0) + 1
        self.seen = replace(self.seen, place=ContainerState.RESTARTING, restart_count=count)


@st.composite
def steps(draw: st.DrawFn) -> tuple[float, str, int]:
    what = st.sampled_from(
        ["health", "health", "health", "place", "ends", "engine", "oom", "hand", "remade", "said"]
    )
    return draw(st.sampled_from([1, 5, 30, 60, 300, 1000])), draw(what), draw(st.integers(0, 6))


def happen(bot: Bot, what: str, number: int, now: float) -> None:
    match what:
        case "health":
            bot.seen = replace(bot.seen, health=HEALTH[number])
        case "place":
            bot.seen = replace(bot.seen, place=PLACES[number])
        case "ends":
            bot.end()
        case "engine":
            if not bot.ended:
                bot.end()
            bot.begin(place=ContainerState.RUNNING)
        case "oom":
            bot.seen = replace(bot.seen, oom_kills=bot.seen.oom_kills + 1)
        case "hand" | "remade":
            bot.anew.append(now)
            bot.begin(restart_count=0)
            if what == "remade":
                bot.seen = replace(bot.seen, container=f"c{bot.starts}")
        case "said":
            person = number > 2
            bot.seen = replace(bot.seen, state="?", needs_person=person, permanent=person and number > 4)


Story = list[tuple[float, str, int]]
STORIES = st.lists(steps(), max_size=60)


def play(story: Story) -> tuple[Watchdog, Bot, list[tuple[float, Seen, Decision | None]]]:
    """Every restart is carried out at once; what was seen and decided at each look."""
    dog, now = Watchdog(POLICY), 0.0
    bot = Bot(Seen("a", "c0", health="healthy", restart_count=0, started_at="t0"))
    told = []
    for seconds, what, number in story:
        now += seconds
        happen(bot, what, number, now)
        decision = next(iter(dog.look([bot.seen], now)), None)
        told.append((now, bot.seen, decision))
        if decision and decision.kind is Kind.RESTART:
            bot.restarts.append(now)
            bot.begin(restart_count=0)
    return dog, bot, told


@given(STORIES)
def test_never_more_restarts_than_agreed_in_any_calm_length_of_time(story: Story) -> None:
    _, bot, _ = play(story)
    for begin in bot.restarts:
        among = [each for each in bot.restarts if begin <= each < begin + POLICY.calm]
        helped = [each for each in bot.anew if begin <= each <= among[-1]]
        assert len(among) <= POLICY.attempts * (1 + len(helped))


@given(STORIES)
def test_only_what_runs_and_is_unhealthy_is_restarted_and_never_what_waits_for_a_person(story: Story) -> None:
    _, _, told = play(story)
    for _, seen, decision in told:
        if decision and decision.kind is Kind.RESTART:
            assert (seen.place, seen.health) == (ContainerState.RUNNING, "unhealthy")
            assert not seen.needs_person


@given(STORIES, st.integers(0, 5))
def test_a_permanent_state_outlives_the_voice_that_told_of_it(story: Story, looks: int) -> None:
    dog, bot, told = play(story)
    now = told[-1][0] if told else 0.0
    bot.seen = replace(bot.seen, state="BANNED", needs_person=True, permanent=True)
    dog.look([bot.seen], now)
    mute = replace(bot.seen, state=None, needs_person=None, permanent=None, health="unhealthy")
    for look in range(looks):
        kinds = {each.kind for each in dog.look([mute], now + 300 * look)}
        assert Kind.RESTART not in kinds


@given(STORIES)
def test_health_always_brings_back_what_was_given_up(story: Story) -> None:
    dog, bot, told = play(story)
    now = told[-1][0] if told else 0.0
    well = replace(bot.seen, place=ContainerState.RUNNING, health="healthy")
    dog.look([well], now)
    assert not [each for each in dog.look([well], now + POLICY.mended) if each.kind is Kind.GAVE_UP]
    assert dog.gave_up == frozenset()
    dog.look([well], now + POLICY.calm)
    ill = replace(well, health="unhealthy", state=None, needs_person=False, permanent=False)
    dog.look([ill], now + POLICY.calm + 1)
    found = dog.look([ill], now + POLICY.calm + 1 + POLICY.patience)
    assert [(each.kind, each.attempt) for each in found] == [(Kind.RESTART, 1)]


@given(STORIES)
def test_an_unhealthy_bot_that_nobody_can_help_is_given_up_in_bounded_time(story: Story) -> None:
    dog, bot, told = play(story)
    now = told[-1][0] if told else 0.0
    bot.seen = replace(
        bot.seen, place=ContainerState.RUNNING, health="unhealthy", needs_person=False, permanent=False
    )
    longest = sum(POLICY.wait(each) + POLICY.patience + 10 for each in range(1, POLICY.attempts + 2))
    for later in range(0, int(longest), 5):
        for decision in dog.look([bot.seen], now + later):
            if decision.kind is Kind.RESTART:
                bot.begin(restart_count=0)
                bot.seen = replace(bot.seen, health="unhealthy")
    assert dog.gave_up == {"a"}


@given(STORIES)
def test_the_same_story_is_decided_the_same_way(story: Story) -> None:
    assert play(story)[2] == play(story)[2]
