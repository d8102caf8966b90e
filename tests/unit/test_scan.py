"""What `qr` does next, and what it and `pair` draw."""

from __future__ import annotations

import base64
import string

import pytest
import segno

from bot import qrimage
from bot.contract import BotExit, State
from manager import lettering
from manager.exits import Exit
from manager.problems import EngineError, EngineProblem
from manager.scan import Next, half_blocks, verdict
from manager.streams import ExecResult
from manager.talk import Refusal, answer_of, ask

_HALVES = {"█": (0, 0), "▀": (0, 255), "▄": (255, 0), " ": (255, 255)}


@pytest.mark.parametrize(
    ("state", "session", "shown", "next_", "key"),
    [
        (State.STARTING, False, False, Next.WAIT, ""),
        (State.LOGGED_OUT, False, False, Next.WAIT, ""),
        (State.RECONNECTING, False, False, Next.WAIT, ""),
        (State.STARTING, True, False, Next.NONE, "has_session"),
        (State.RECONNECTING, True, False, Next.NONE, "has_session"),
        (State.READY, True, False, Next.NONE, "already_paired"),
        (State.PAIRING, True, True, Next.PAIRED, ""),
        (State.READY, True, True, Next.PAIRED, ""),
        (State.RECONNECTING, True, True, Next.PAIRED, ""),
        (State.WAITING_FOR_QR_SCAN, False, True, Next.WAIT, ""),
        (State.FAILED, False, True, Next.NONE, "none_comes"),
        (State.STOPPING, False, True, Next.NONE, "none_comes"),
    ],
)
def test_what_comes_next(state: State, session: bool, shown: bool, next_: Next, key: str) -> None:
    found = verdict(state.value, session_present=session, shown_before=shown)
    assert (found.next, found.key) == (next_, key)


def test_no_state_leaves_anybody_without_an_answer() -> None:
    for state in (*(each.value for each in State), "DREAMING"):
        for session in (True, False):
            for shown in (True, False):
                assert verdict(state, session_present=session, shown_before=shown).next in Next


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("length", [10, 100, 237, 400])
def test_what_is_drawn_can_be_scanned(length: int, inverted: bool) -> None:
    text = ("2@" + string.ascii_letters * 10)[:length]
    lines = half_blocks(segno.make(text, error="l", micro=False).matrix, inverted=inverted)
    assert len({len(line) for line in lines}) == 1
    rows: list[bytes] = []
    for line in lines:
        for half in zip(*(_HALVES[each] for each in line), strict=True):
            light = [255 - value for value in half] if inverted else half
            padded = [255] * 4 + list(light) + [255] * 4
            rows += [b"".join(bytes([value]) * 3 for value in padded)] * 3
    width = len(rows[0])
    rows = [b"\xff" * width] * 12 + rows + [b"\xff" * width] * 12
    assert qrimage.read(width, len(rows), base64.b64encode(b"".join(rows)).decode()) == text


def test_a_pairing_code_large_and_in_groups() -> None:
    assert lettering.grouped("ABCD1234", 4) == "ABCD-1234"
    assert lettering.grouped("ABCD-1234", 4) == "ABCD-1234"
    lines = lettering.large("ABCD-1234")
    assert len(lines) == 3
    assert {len(line) for line in lines} == {9 * 6 - 1}
    assert lettering.large("ABC!") == []


def test_no_two_letters_look_the_same() -> None:
    drawn = {each: tuple(lettering.large(each)) for each in string.ascii_uppercase + string.digits}
    assert all(drawn.values())
    assert len(set(drawn.values())) == len(drawn)


@pytest.mark.parametrize(
    ("found", "code", "message", "fix"),
    [
        (ExecResult(3, '{"error": {"message": "m", "fix": "f"}, "exit": 3}', "m f"), Exit.NO_QR, "m", "f"),
        (ExecResult(BotExit.NOT_RUNNING, '{"error": {"message": "m"}}', ""), Exit.FAILED, "m", ""),
        (ExecResult(BotExit.REFUSED, '{"error": {"message": "m"}}', ""), Exit.FAILED, "m", ""),
        (ExecResult(126, "OCI exec failed: no python", ""), Exit.FAILED, "OCI exec failed: no python", ""),
        (ExecResult(0, "[1]", ""), Exit.FAILED, "[1]", ""),
        (ExecResult(137, "", ""), Exit.FAILED, "exit code 137", ""),
    ],
)  # fmt: skip
def test_a_refusal_keeps_its_words_and_gets_the_right_exit_code(
    found: ExecResult, code: Exit, message: str, fix: str
) -> None:
    with pytest.raises(Refusal) as refused:
        answer_of(found)
    told = refused.value
    assert (told.code, told.message, told.fix, told.bot_exit) == (code, message, fix, found.exit_code or 1)


def test_an_answer_is_handed_on() -> None:
    assert answer_of(ExecResult(0, '{"state": "READY"}\n', "a warning")) == {"state": "READY"}


def test_a_bot_that_ends_while_it_is_asked_does_not_run() -> None:
    class Ending:
        def exec(self, *_: object) -> ExecResult:
            return ExecResult(137, "", "")

    with pytest.raises(EngineError) as ended:
        ask(Ending(), "shop-bot-sales", ["qr"], 1, "en")
    assert ended.value.problem is EngineProblem.NOT_RUNNING
