"""A real Chromium's localStorage, read from its files: logs and compressed tables, overwritten and deleted keys."""

from __future__ import annotations

import string
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import async_playwright

from bot.chromium import find
from bot.contract import BotSettings
from manager import leveldb

pytestmark = pytest.mark.browser


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<title>page</title>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_everything_the_page_stored_is_read(tmp_path: Path, origin: str) -> None:
    executable = find(BotSettings(client_id="x", session_dir=str(tmp_path)))
    expected = {"WANoiseInfo": "last", "ğüş": "çöp €", "long": string.ascii_letters * 5000}
    async with async_playwright() as playwright:
        for round_ in range(4):  # each opening of a database turns its log into a table
            context = await playwright.chromium.launch_persistent_context(
                str(tmp_path), executable_path=str(executable), args=["--no-sandbox"]
            )
            page = await context.new_page()
            await page.goto(origin)
            await page.evaluate(
                """([round, kept]) => {
                    for (let n = 0; n < 300; n++) localStorage.setItem(`key ${n}`, `${round} `.repeat(200));
                    for (let n = 0; n < 300; n += 2) localStorage.removeItem(`key ${n}`);
                    for (const [key, value] of Object.entries(kept)) localStorage.setItem(key, value);
                }""",
                [round_, expected],
            )
            await context.close()
    folder = tmp_path / "Default" / "Local Storage" / "leveldb"
    found = leveldb.local_storage(folder, origin)
    assert found == expected | {f"key {number}": "3 " * 200 for number in range(1, 300, 2)}
    assert list(folder.glob("*.ldb")), "no table was read"
