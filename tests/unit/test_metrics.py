"""What /metrics says: every value there from the start, and nothing Prometheus' own linter would object to."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import VERSION
from bot import stimuli as s
from bot.contract import (
    BotSettings,
    DisconnectReason,
    QrCause,
    ReconnectHow,
    RestartReason,
    RestoreEnd,
    State,
)
from bot.desk import Desk
from bot.events import EventLog
from bot.metrics import CONTENT_TYPE, BotMetrics
from bot.problem import LOCALES
from bot.runner import Runner
from bot.server import HttpServer
from bot.session import Session
from bot.text import Catalogue
from tests.monitoring.tools import program

PROMTOOL = program("promtool")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Runner, str]]:
    """A bot's own server, log and counters; its browser is not started."""
    settings = BotSettings(client_id="shop", session_dir=str(tmp_path))
    session = Session.open(tmp_path, "shop")
    say = Catalogue(LOCALES, "en")
    runner = Runner(settings, session, EventLog("shop", say), BotMetrics("shop", VERSION), say)
    server = HttpServer(Desk(runner))
    await server.start("127.0.0.1", 0)
    yield runner, f"http://127.0.0.1:{server.port}/metrics"
    await server.close()
    session.close()


async def read(url: str) -> str:
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        assert answer.headers["Content-Type"] == CONTENT_TYPE
        return await answer.text()


async def lint(text: str) -> str:
    """What `promtool check metrics` says; nothing when all is well."""
    done = await asyncio.to_thread(
        subprocess.run, [PROMTOOL, "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    return (done.stdout + done.stderr).decode() + ("" if done.returncode == 0 else f"exit {done.returncode}")


async def test_promtool_has_nothing_to_say(served: tuple[Runner, str]) -> None:
    runner, url = served
    assert await lint(await read(url)) == ""
    runner.metrics.count(s.Tally.QR_CODES, "")
    runner.metrics.count(s.Tally.RECONNECTS, "page")
    runner.metrics.observe(s.Clocked.READY, 1.5)
    runner.metrics.enter(State.READY)
    text = await read(url)
    assert 'how="page"} 1.0' in text
    assert await lint(text) == ""


async def test_the_linter_would_have_said_something() -> None:
    assert "counter" in await lint("# HELP x Some help\n# TYPE x counter\nx 1\n")


@pytest.mark.parametrize(
    ("name", "label", "values"),
    [
        ("disconnects_total", "reason", DisconnectReason),
        ("reconnects_total", "how", ReconnectHow),
        ("qr_requests_total", "cause", QrCause),
        ("browser_restarts_total", "reason", RestartReason),
        ("restores_total", "result", RestoreEnd),
        ("state", "state", State),
        ("qr_waiting", "cause", QrCause),
    ],
)
async def test_every_value_is_there_with_0_from_the_start(
    served: tuple[Runner, str], name: str, label: str, values: type[State]
) -> None:
    families = text_string_to_metric_families(await read(served[1]))
    samples = [each for family in families for each in family.samples if each.name == f"whatsapp_bot_{name}"]
    assert {each.labels[label]: each.value for each in samples} == {each.value: 0 for each in values}


@pytest.mark.parametrize("name", ["qr_codes_total", "page_probe_failures_total", "events_lost_total"])
async def test_plain_counters_start_at_0_too(served: tuple[Runner, str], name: str) -> None:
    assert f'whatsapp_bot_{name}{{client_id="shop"}} 0.0' in await read(served[1])


def test_one_state_at_a_time() -> None:
    metrics = BotMetrics("shop", VERSION)
    for state in State:
        metrics.enter(state)
        ones = [
            line for line in metrics.render().decode().splitlines() if line.startswith("whatsapp_bot_state{")
        ]
        assert [line for line in ones if line.endswith(" 1.0")] == [
            f'whatsapp_bot_state{{client_id="shop",state="{state.value}"}} 1.0'
        ]
