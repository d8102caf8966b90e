"""A start's first tenths of a second: the driver's process starts while Python still reads our modules."""

from __future__ import annotations

import asyncio
import importlib

from bot.driver import Driver


def main() -> int:
    """Runs the bot of `BOT_SETTINGS` to its end; a `BotExit`."""
    return asyncio.run(_run())


async def _run() -> int:
    driver = Driver()
    try:
        # In a thread: the loop is what gets the driver going.
        service = await asyncio.to_thread(importlib.import_module, "bot.service")
        code: int = await service.serve(driver)
        return code
    finally:
        await driver.close()
