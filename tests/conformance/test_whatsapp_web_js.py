"""whatsapp-web.js 1.34.7 from npm, unmodified, on the simulator: that keeps the simulator honest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulator.options import Options
from simulator.running import Simulator
from tests.conformance.peer import Peer, install

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    install()


async def pair(peer: Peer, simulator: Simulator) -> str:
    code = await peer.event("qr")
    return (await simulator.service.pair(code["text"])).partition(":")[0]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(Options(sync_seconds=0.3)) as running:
        yield running


@pytest.fixture
async def peer(tmp_path: Path, simulator: Simulator) -> AsyncIterator[Peer]:
    made = Peer(tmp_path, simulator.browser_args)
    yield made
    await made.end()


async def test_qr_authenticated_ready_restart_drop_logout_qr(peer: Peer, simulator: Simulator) -> None:
    await peer.start()
    number = await pair(peer, simulator)
    await peer.event("authenticated")
    ready = await peer.event("ready")
    assert ready["wid"] == f"{number}@c.us"
    await peer.event("initialized")

    await peer.destroy()
    await peer.start()
    await peer.event("ready")
    assert "qr" not in peer.names()

    mark = len(peer.events)
    simulator.service.weather(number, cut=True)
    await peer.event("state", mark, state="OPENING")
    simulator.service.weather(number, cut=False)
    await peer.event("state", mark, state="CONNECTED")
    assert "disconnected" not in peer.names(mark)
    assert "qr" not in peer.names(mark)

    mark = len(peer.events)
    await simulator.service.logout(number)
    assert (await peer.event("disconnected", mark))["reason"] == "LOGOUT"
    await peer.event("qr", mark)


async def test_messages_go_out_and_come_in(peer: Peer, simulator: Simulator) -> None:
    await peer.start()
    number = await pair(peer, simulator)
    await peer.event("ready")
    await simulator.service.send(number, "905559998877", "merhaba")
    heard = await peer.event("message")
    assert heard["body"] == "merhaba"
    await peer.order("send", to="905559998877@c.us", body="selam")
    assert [sent.body for sent in simulator.service.phone(number).sent] == ["selam"]
