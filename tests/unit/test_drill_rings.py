"""Who plays when, and that no QR falls between two rounds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from drill import ring
from drill.campaign import campaign
from drill.faults import Fault
from drill.judge import Verdict, What
from drill.log import Log
from drill.turns import Turns
from drill.volume import Folder
from drill.wire import Weather


class Calm:
    """A subject that is READY whenever it is asked, on no disk and no network."""

    def __init__(self, folder: Path) -> None:
        self.name, self.volume, self.log = "bot1", Folder(folder), Log(folder / "log.jsonl")

    async def start(self) -> None:
        self.log.hear(What.STARTED)
        self.log.hear(What.QR)

    async def code(self) -> str:
        return "code"

    async def weather(self, weather: Weather) -> None:
        pass

    async def listing(self) -> str:
        return ""


class Phone:
    def __init__(self, log: Log) -> None:
        self._log = log

    async def scan(self, text: str) -> None:
        for what in (What.LINKED, What.PAIRED, What.READY):
            self._log.hear(what)

    async def sees_device(self) -> bool:
        return True


async def test_a_qr_that_comes_after_a_rounds_end_counts_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "_HOLD_SECONDS", 0.0)
    subject = Calm(tmp_path)

    def late(verdict: Verdict) -> None:
        """It comes and goes while the next round waits for its moment."""
        for what in (What.QR, What.READY) if verdict.round.number == 1 else ():
            asyncio.get_running_loop().call_later(0.01, subject.log.hear, what)

    rounds = [replace(each, moment=0.1, hold=0.0) for each in campaign(1, 2, (Fault.CUT,))]
    played = ring.Ring(subject, Phone(subject.log), 5.0, tmp_path / "kept", late, Turns())  # type: ignore[arg-type]
    first, second = await played.play(rounds)
    assert (first.unexplained, second.unexplained) == (0, 1)
    assert (tmp_path / "kept").is_dir()


async def test_what_befalls_all_goes_alone_and_is_not_overtaken() -> None:
    turns, going, seen = Turns(), 0, []

    async def one(name: str, *, alone: bool) -> None:
        nonlocal going
        async with turns.one(alone=alone):
            going += 1
            seen.append((name, going))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            going -= 1

    await asyncio.gather(*(one(name, alone=name == "ALONE") for name in ("a", "b", "ALONE", "c", "d")))
    assert seen == [("a", 1), ("b", 2), ("ALONE", 1), ("c", 1), ("d", 2)]


async def test_a_turn_that_fails_is_given_back() -> None:
    turns = Turns()
    for alone in (False, True):
        with pytest.raises(KeyError):
            async with turns.one(alone=alone):
                raise KeyError
    async with asyncio.timeout(5), turns.one(alone=True):
        pass
