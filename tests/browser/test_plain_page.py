"""The bot on another page than the simulator's: plainer, written from the published facts, with its own markup.

What holds on both is the bot's; what holds on one only would be fitted to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.browser.plain_page import MODULES, PlainPage
from tests.robot import Robot

pytestmark = pytest.mark.browser
Make = Callable[..., Robot]


@pytest.fixture
async def page(request: pytest.FixtureRequest) -> AsyncIterator[PlainPage]:
    async with PlainPage(**getattr(request, "param", {})) as running:
        yield running


@pytest.fixture
async def bot(tmp_path: Path, page: PlainPage) -> AsyncIterator[Robot]:
    made = Robot(tmp_path / "shop", None, url=page.url, reconnect={"networkWait": 4, "logoutWait": 0.5})
    yield made
    if made.process:
        await made.kill()


async def pair(bot: Robot, page: PlainPage) -> None:
    mark = bot.mark
    await bot.event("WHATSAPP_QR", mark)
    code, text, told = await bot.ctl("qr", "--text")
    assert code == 0, told
    assert await page.scan(text.strip()), "the bot showed another code than the page"
    await bot.event("WHATSAPP_READY", mark)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({}, id="all there"),
        pytest.param({"dom": False}, id="nothing to see"),
        pytest.param({"modules": ()}, id="no modules"),
        pytest.param({"modules": (), "data_ref": False}, id="the code as a picture only"),
        pytest.param({"modules": [name for name in MODULES if name != "WAWebSocketModel"]}, id="no socket"),
    ],
    indirect=True,
)
async def test_clean_start_restart_and_logout(bot: Robot, page: PlainPage) -> None:
    await bot.start()
    await pair(bot, page)
    mark = await bot.restart()
    assert "WHATSAPP_QR" not in bot.names(mark)
    mark = bot.mark
    await page.logout()
    gone = await bot.event("WHATSAPP_LOGOUT", mark)
    assert gone["reason"] == "phone"
    code = await bot.event("WHATSAPP_QR", mark)
    assert code["cause"] == "logout"
    assert bot.names(mark).count("WHATSAPP_QR") == 1


async def test_a_drop_and_the_pages_own_reconnect(bot: Robot, page: PlainPage) -> None:
    await bot.start()
    await pair(bot, page)
    mark = bot.mark
    await page.cut()
    lost = await bot.event("WHATSAPP_DISCONNECT", mark)
    assert (lost["reason"], lost["session"]) == ("CONNECTION_ERROR", "present")
    await page.restore()
    await bot.event("WHATSAPP_READY", mark, within=60)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_a_page_that_reloads_itself_while_the_network_is_away(bot: Robot, page: PlainPage) -> None:
    """Nothing but the browser's own error page is there then, and it has nothing to say."""
    await bot.start()
    await pair(bot, page)
    mark = bot.mark
    await page.tell({"do": "leave"})
    await page.cut()
    lost = await bot.event("WHATSAPP_DISCONNECT", mark, within=60)
    assert lost["reason"] == "CONNECTION_ERROR"
    await page.restore()
    await bot.event("WHATSAPP_READY", mark, within=60)
    assert "WHATSAPP_QR" not in bot.names(mark)


async def test_an_address_left_over_from_a_logout_is_no_proof_of_the_next(
    bot: Robot, page: PlainPage
) -> None:
    """Paired on the very document that told of a logout; then its storage vanishes: lost, and not logged out."""
    page.landing = "/?post_logout=1"
    await bot.start()
    await pair(bot, page)
    mark = bot.mark
    await page.tell({"do": "forget"})
    lost = await bot.event("WHATSAPP_DISCONNECT", mark)
    assert lost["reason"] == "SESSION_LOST"
    await bot.event("WHATSAPP_READY", mark, within=60)
    assert not {"WHATSAPP_QR", "WHATSAPP_LOGOUT"} & set(bot.names(mark))
