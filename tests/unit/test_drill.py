"""The judge's verdicts, the table, the report, and the weather of one wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.text import LANGUAGES, Catalogue
from drill import gentle, house, table
from drill.campaign import Round, campaign
from drill.faults import Fault, Need
from drill.judge import Ledger, Verdict, What, judge
from drill.report import LOCALES, Report, passed
from drill.subject import Impossible, Phone, Subject
from drill.wire import Weather, Wire

ROUND = campaign(7, 1, (Fault.STOP,))[0]
GOOD = Verdict(ROUND, "bot1", 0, 0, 0, 1.5)


def ledger(*history: What) -> Ledger:
    found = Ledger()
    for what in history:
        found.hear(what)
    return found


PAIRED = (What.STARTED, What.QR, What.LINKED, What.PAIRED, What.READY)


@pytest.mark.parametrize(
    ("history", "explained", "unexplained"),
    [
        (PAIRED, 1, 0),
        ((*PAIRED, What.AWAY, What.READY), 1, 0),
        ((*PAIRED, What.ENDED, What.STARTED, What.QR), 1, 1),
        ((*PAIRED, What.UNLINKED, What.AWAY, What.QR, What.QR, What.LINKED, What.READY), 2, 0),
        ((*PAIRED, What.UNLINKED, What.QR, What.LINKED, What.ENDED, What.STARTED, What.QR), 2, 1),
        ((*PAIRED, What.UNLINKED, What.QR, What.PAIRING_FAILED, What.PAIRED, What.STARTED, What.QR), 3, 0),
        ((*PAIRED, What.UNLINKED, What.QR, What.LINKED, What.PAIRED, What.READY, What.QR), 2, 1),
    ],
    ids=["first", "cut", "lost", "logout", "killed after the link", "killed before the link", "lost later"],
)
def test_who_caused_the_qr(history: tuple[What, ...], explained: int, unexplained: int) -> None:
    found = ledger(*history)
    assert (found.explained, found.unexplained) == (explained, unexplained)


def test_ready_is_what_was_said_last() -> None:
    assert ledger(*PAIRED).ready
    assert not ledger(*PAIRED, What.AWAY).ready
    assert not ledger(*PAIRED, What.ENDED, What.STARTED).ready
    assert ledger(*PAIRED).reported
    assert not ledger(*PAIRED, What.UNLINKED).reported


def test_a_round_that_went_wrong_counts_though_its_fault_did_not_come_about() -> None:
    before, after = ledger(*PAIRED), ledger(*PAIRED, What.QR)
    assert judge(ROUND, "bot1", before, after, 2.0, befell=False).unexplained == 1
    assert judge(ROUND, "bot1", before, after, 2.0, befell=False).befell
    assert judge(ROUND, "bot1", before, before, None, befell=False).befell
    assert not judge(ROUND, "bot1", before, before, 2.0, befell=False).befell


def test_the_table_counts_per_fault_and_in_all() -> None:
    cut = replace(ROUND, fault=Fault.CUT)
    verdicts = [
        GOOD,
        replace(GOOD, seconds=3.0, exits=2),
        Verdict(cut, "bot2", 1, 0, 0, None),
        Verdict(cut, "bot2", 0, 0, 0, 9.0, befell=False),
    ]
    stop, cuts, everything = table.rows(verdicts, "all")
    assert (stop.fault, stop.rounds, stop.unexplained, stop.hangs, stop.exits) == ("stop", 2, 0, 0, 2)
    assert (stop.p50, stop.p95) == (1.5, 3.0)
    assert (cuts.rounds, cuts.unexplained, cuts.hangs, cuts.idle, cuts.p50) == (1, 1, 1, 1, None)
    assert (everything.fault, everything.rounds, everything.hangs) == ("all", 3, 1)
    lines = table.text(table.COLUMNS, [stop, cuts, everything])
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("part", "value"), [(0.5, 2.0), (0.95, 4.0), (1.0, 4.0), (0.01, 1.0)], ids=["p50", "p95", "all", "least"]
)
def test_percentiles_are_values_that_were_measured(part: float, value: float) -> None:
    assert table.percentile([4.0, 1.0, 2.0, 3.0], part) == value
    assert table.percentile([], part) is None


def test_what_passes() -> None:
    idle = replace(GOOD, befell=False)
    assert passed([GOOD, idle])
    assert not passed([])
    assert not passed([idle])
    assert not passed([GOOD, replace(GOOD, seconds=None)])
    assert not passed([GOOD, replace(GOOD, unexplained=1)])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_says_what_was_not_drilled(language: str, tmp_path: Path) -> None:
    say = Catalogue(LOCALES, language)
    report = Report(say, 7, "process", 60, tmp_path, {Fault.POWER_CUT: Need.LOOP})
    told = "\n".join(report.of_all([GOOD]))
    assert "power-cut" in told
    assert say("need.loop") in told
    assert report.as_json([GOOD])["not_possible"] == {"power-cut": "loop"}
    lost = "\n".join(report.of_round(replace(GOOD, unexplained=1)))
    assert str(tmp_path / "7-1-stop-bot1") in lost
    for verdict in (
        GOOD,
        replace(GOOD, explained=1),
        replace(GOOD, seconds=None),
        replace(GOOD, befell=False),
    ):
        assert "bot1" in report.of_round(verdict)[0]


def test_the_languages_say_the_same() -> None:
    texts = [Catalogue(LOCALES, language)._texts for language in LANGUAGES]
    assert texts[0].keys() == texts[1].keys()
    for need in Need:
        assert f"need.{need.value}" in texts[0]
    for column in table.COLUMNS:
        assert f"column.{column}" in texts[0]


# ---- the wire


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_the_weather_of_a_wire() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, Wire(server.sockets[0].getsockname()[1]) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"fine")
        assert await reader.readexactly(4) == b"fine"
        await wire.change(Weather.FROZEN)
        writer.write(b"late")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(1), 0.2)
        await wire.change(Weather.FINE)
        assert await reader.readexactly(4) == b"late"
        await wire.change(Weather.CUT)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        again, _ = await asyncio.open_connection("127.0.0.1", wire.port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await again.readexactly(1)
        port = wire.port
        await wire.change(Weather.REFUSED)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await wire.change(Weather.FINE)
        back, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"back")
        assert await back.readexactly(4) == b"back"


# ---- gently


class RealBot:
    """A bot that comes back after `away` looks; or asks for a QR instead."""

    client_id = "shop"

    def __init__(self, away: int, *, loses: bool = False, breaks: bool = False) -> None:
        self.on_network = True
        self._away, self._left, self._loses, self._breaks = away, 0, loses, breaks
        self._requests = 1

    def status(self) -> dict[str, object]:
        self._left -= 1
        state = "READY" if self._left < 0 else "RECONNECTING"
        return {"state": state, "counters": {"qr_requests": {"session_lost": self._requests}}}

    def take_off(self) -> None:
        self.on_network = False
        if self._breaks:
            raise OSError("the engine is away")

    def put_back(self) -> None:
        self.on_network = True
        self._left = self._away
        self._requests += self._loses


def drilled(bot: RealBot, rounds: list[Round], limit: float = 5) -> list[Verdict]:
    return gentle.drill(bot, rounds, limit, lambda _: None, lambda _: None)


def test_gently_a_bot_comes_back() -> None:
    bot = RealBot(away=3)
    verdicts = drilled(bot, campaign(1, 3, (Fault.CUT,)))
    assert passed(verdicts)
    assert len(verdicts) == 3
    assert bot.on_network


def test_gently_a_lost_session_ends_the_drill() -> None:
    bot = RealBot(away=3, loses=True)
    verdicts = drilled(bot, campaign(1, 3, (Fault.CUT,)))
    assert [each.unexplained for each in verdicts] == [1]
    assert bot.on_network


def test_gently_the_network_comes_back_though_the_drill_breaks() -> None:
    bot = RealBot(away=3, breaks=True)
    with pytest.raises(OSError, match="engine"):
        drilled(bot, campaign(1, 1, (Fault.CUT,)))
    assert bot.on_network


def test_a_drill_that_cannot_even_begin_says_why(tmp_path: Path) -> None:
    """Once, and not as a group of exceptions: whoever drills is told it in a sentence."""

    @contextlib.asynccontextmanager
    async def no_home(name: str) -> AsyncIterator[tuple[Subject, Phone]]:
        raise Impossible(f"{name}: no QR came")
        yield

    plan = house.Plan(campaign(7, 1, (Fault.STOP,)), no_home, tmp_path, 1, 90)
    with pytest.raises(Impossible, match="bot1: no QR came"):
        asyncio.run(house.run(plan, lambda _: None))
