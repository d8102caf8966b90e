"""A session's life under anything, in any order, at any time: what may never happen never does.

The world is the runner's: what takes time is answered one after the other, late, or never; closing the browser abandons
what the browser was doing; a look is taken only at a page. Every effect goes through the watch in tests/living.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from bot import stimuli as s
from bot.contract import BotExit, QrCause, State
from bot.lifecycle import TRANSITIONS, Due, Page
from bot.signals import Belief, Kind
from tests import living
from tests.living import CONNECTED, FAILED_FOR_GOOD, FAILED_ONCE, NEEDS_QR, OFF, Life, kinds

BELIEFS = [value for value in vars(living).values() if isinstance(value, Belief)] + [
    living.qr(2),
    living.qr(3),
]
RETRIES = {
    "Launch",
    "Navigate",
    "Reload",
    "Takeover",
    "RestoreGeneration",
    "RefreshQr",
    "Unlink",
    "SetAside",
    "Erase",
}


@dataclass(frozen=True)
class Step:
    """`do` tells the world what happens; a step that can't happen now changes nothing.

    `frees`: it may lead out of a state that needs a person.
    """

    name: str
    do: Callable[[Life], object]
    frees: bool = False

    def __repr__(self) -> str:
        return self.name


def look(belief: Belief) -> Step:
    return Step(
        f"see {belief.kind}{'' if belief.certain else '?'}",
        lambda bot: has_page(bot) and bot.see(belief),
        True,
    )


def happens(event: s.Event, possible: Callable[[Life], bool] = lambda _: True) -> Step:
    frees = isinstance(event, s.ReloadRequested)
    return Step(str(event), lambda bot: possible(bot) and bot.tell(event), frees)


def has_page(bot: Life) -> bool:
    return bot.heart.page in (Page.NAVIGATING, Page.OPEN)


def has_browser(bot: Life) -> bool:
    return bot.watch.browser


def answers(name: str, **world: object) -> Step:
    """The operation that is under way ends."""

    def answer(bot: Life) -> None:
        for key, value in world.items():
            setattr(bot, key, value)
        if bot.pending:
            ended = bot.answer(bot.pending.popleft())
            if ended is not None:
                bot.tell(ended)

    return Step(name, answer)


GOOD = {
    "launch": s.Launched("150", True), "fetch": s.Navigated(), "network": True, "refresh": True, "unlink": True,
    "refuse": False,
}  # fmt: skip
ANSWERS = [
    answers("it works", **GOOD),
    answers("it works, without a mirror", **GOOD | {"launch": s.Launched("150", False)}),
    answers(
        "it fails", launch=FAILED_ONCE, fetch=OFF, network=False, refresh=False, unlink=False, refuse=True
    ),
    answers(
        "it fails for good", launch=FAILED_FOR_GOOD, fetch=OFF, network=None, refresh=False, unlink=False
    ),
]
COPIES = [
    Step(f"kept: {outcome} {number}", lambda bot, o=outcome, n=number: bot.copies.append(s.Restored(o, n)))
    for outcome, number in [(s.Restore.RESTORED, 1), (s.Restore.RESTORED, 2), (s.Restore.DAMAGED, 3)]
]
EVENTS = [
    happens(s.PageCrashed(), has_browser),
    happens(s.BrowserGone("it ended"), has_browser),
    happens(s.ProbeFailed(), has_page),
    happens(s.QrRequested()),
    happens(s.PairingCodeShown(180), has_page),
    happens(s.LogoutRequested()),
    happens(s.GenerationRequested()),
    happens(s.ReloadRequested()),
    happens(s.StorageUnsafe()),
]
PAUSES = [Step(f"{n:g} s", lambda bot, n=n: bot.wait(n)) for n in (0.1, 1, 3, 10, 30, 120, 400)]
TO_THE_NEXT = Step("next", lambda bot: bot.heart.wake_at and bot.wait(max(0.0, bot.heart.wake_at - bot.now)))
STOP = happens(s.StopRequested("SIGTERM"))
LOOKS = [look(belief) for belief in BELIEFS]

STEPS = st.one_of(
    st.sampled_from(ANSWERS[:1]),
    st.sampled_from(LOOKS),
    st.sampled_from([*PAUSES, TO_THE_NEXT]),
    st.sampled_from([*ANSWERS, *EVENTS, *COPIES]),
)
STORIES = st.lists(STEPS, max_size=40)
BOTS = st.builds(
    dict,
    session=st.booleans(),
    created=st.booleans(),
    episode=st.sampled_from([None, QrCause.LOGOUT]),
    unlinking=st.booleans(),
    reconnect=st.fixed_dictionaries({"takeover": st.booleans(), "networkWait": st.sampled_from([0.5, 20.0])}),
    random=st.floats(0, 1, exclude_max=True),
)


def born(given_: dict[str, object]) -> Life:
    off = {"episode": None} if given_["session"] else {"unlinking": False}
    return Life(obey=False, **given_ | off)  # type: ignore[arg-type]


def live(bot: Life, story: list[Step]) -> Iterator[Step]:
    """Plays the story. While a person is needed, nothing but a person or the page itself may lead on."""
    for step in story:
        state, before = bot.state, len(bot.effects)
        step.do(bot)
        if state.permanent and not step.frees:
            assert not RETRIES & set(kinds(bot.effects[before:])), f"{state} retried by itself"
            # A page that goes on showing its chats is believed after a while, also with one signal only.
            shown = bot.heart.belief is not None and bot.heart.belief.kind is Kind.CONNECTED
            assert bot.state in (state, State.FAILED) or (bot.state is State.READY and shown)
        yield step


def assert_not_stuck(bot: Life) -> None:
    """Whoever is not where a person is needed has a deadline, work under way, or a page that is as it should."""
    if bot.state.permanent or bot.state is State.STOPPING or bot.pending:
        return
    assert bot.heart.page not in (Page.LAUNCHING, Page.NAVIGATING, Page.RESTORING), (
        "waits for what nobody does"
    )
    # There the next look decides, and a page that can't be looked at is hung.
    settled = bot.state in (State.READY, State.WAITING_FOR_QR_SCAN)
    if not settled or bot.heart.page is not Page.OPEN:
        assert bot.heart.wake_at is not None, f"{bot.state} on {bot.heart.page} waits for nothing"


def settle(bot: Life, belief: Belief, goal: State) -> None:
    """From here on the world is good, and the page says `belief`."""
    for key, value in GOOD.items():
        setattr(bot, key, value)
    bot.obey = True
    bot.answer_all()
    if bot.state.permanent and bot.heart.page is not Page.OPEN:
        bot.tell(s.ReloadRequested())
    for _ in range(3000):
        if bot.state is goal:
            return
        if has_page(bot):
            bot.see(belief)
        bot.wait(1)
    raise AssertionError(f"{bot.state} on {bot.heart.page} never became {goal}")


@settings(max_examples=300, deadline=None)
@given(BOTS, STORIES)
def test_nothing_forbidden_happens_and_nobody_gets_stuck(
    given_: dict[str, object], story: list[Step]
) -> None:
    bot = born(given_)
    for _ in live(bot, story):
        assert_not_stuck(bot)


@settings(max_examples=200, deadline=None)
@given(BOTS, STORIES)
def test_from_anywhere_a_good_world_leads_to_ready(given_: dict[str, object], story: list[Step]) -> None:
    bot = born(given_)
    for step in story:
        step.do(bot)
    if bot.watch.ended:
        return
    settle(bot, CONNECTED, State.READY)
    assert bot.heart.owns_session
    bot.wait(600, CONNECTED, every=10)
    assert bot.state is State.READY
    assert kinds(bot.tell(s.LogoutRequested()))[:1] == ["Unlink"]


@settings(max_examples=200, deadline=None)
@given(BOTS, STORIES)
def test_from_anywhere_a_page_that_asks_is_shown_or_a_person_is(
    given_: dict[str, object], story: list[Step]
) -> None:
    bot = born(given_)
    for step in story:
        step.do(bot)
    if bot.state.permanent:
        return
    bot.copies.clear()
    settle(bot, NEEDS_QR, State.WAITING_FOR_QR_SCAN)
    bot.see(NEEDS_QR)
    assert bot.watch.shown == NEEDS_QR.qr_text
    assert not bot.heart.owns_session


@settings(max_examples=100, deadline=None)
@given(BOTS, STORIES)
def test_a_stop_ends_it_from_anywhere(given_: dict[str, object], story: list[Step]) -> None:
    bot = born(given_)
    for step in story:
        step.do(bot)
    if bot.watch.ended:
        return
    end = kinds(bot.tell(s.StopRequested("SIGTERM")))
    assert end[-1] == "Exit"
    assert "CloseBrowser" in end
    assert not {"SetAside", "Erase"} & set(end)
    assert bot.heart.wake_at is None


@settings(max_examples=100, deadline=None)
@given(BOTS, STORIES)
def test_the_same_story_has_the_same_end(given_: dict[str, object], story: list[Step]) -> None:
    lives = [born(given_), born(given_)]
    for bot in lives:
        for step in story:
            step.do(bot)
    assert lives[0].effects == lives[1].effects


def test_the_table_of_ways_is_what_can_happen_no_more_and_no_less() -> None:
    """Breadth first over short stories: every documented way is gone by some story, and no other exists."""
    alphabet = [*LOOKS, *ANSWERS, *EVENTS, TO_THE_NEXT, STOP, PAUSES[0]]
    gone: set[tuple[State, State]] = set()
    known: set[object] = set()
    stories: deque[tuple[bool, bool, tuple[Step, ...]]] = deque(
        (session, takeover, ()) for session in (True, False) for takeover in (True, False)
    )
    while stories:
        session, takeover, story = stories.popleft()
        for step in alphabet:
            bot = Life(session=session, obey=False, reconnect={"takeover": takeover})
            for each in (*story, step):
                each.do(bot)
            gone |= {(each.old, each.new) for each in bot.effects if isinstance(each, s.Enter)}
            heart = bot.heart
            due = frozenset(due for due in Due if heart.due_in(due, bot.now) is not None)
            here = (
                heart.state,
                heart.page,
                heart.owns_session,
                min(heart.attempts, 2),
                due,
                bot.watch.ended,
                takeover,
            )
            if here not in known:
                known.add(here)
                stories.append((session, takeover, (*story, step)))
    ways = {(old, new) for old, news in TRANSITIONS.items() for new in news}
    assert {f"{old} -> {new}" for old, new in ways - gone} == set()
    assert {f"{old} -> {new}" for old, new in gone - ways} == set()
    assert {new for _, new in gone} | {State.STARTING} == set(State)


def test_the_exit_says_why() -> None:
    for event, code in [(FAILED_FOR_GOOD, BotExit.BROWSER_UNUSABLE), (s.StopRequested("SIGINT"), BotExit.OK)]:
        bot = Life(session=False, obey=False)
        assert bot.tell(event)[-1] == s.Exit(code)
