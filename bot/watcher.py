"""Looks at the page again and again, and tells what is to be believed of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from bot import stimuli as s
from bot.browser import Browser, ProbeError
from bot.contract import BotSettings, State
from bot.lifecycle import Lifecycle, Page
from bot.metrics import BotMetrics
from bot.signals import Snapshot, believe

_SETTLED = (
    State.READY,
    State.WAITING_FOR_QR_SCAN,
    State.CONFLICT,
    State.BANNED,
    State.OUTDATED,
    State.PROXY_BLOCKED,
)
_BRISK_SECONDS = 0.5


class Watcher:
    """Of one document at a time. `shot`: the last look that was answered, of the browser that runs."""

    def __init__(self, settings: BotSettings, lifecycle: Lifecycle, metrics: BotMetrics) -> None:
        self.shot: Snapshot | None = None
        self._settings, self._lifecycle, self._metrics = settings, lifecycle, metrics
        self._task: asyncio.Task[None] | None = None
        self._now = asyncio.Event()

    def start(self, browser: Browser, post: Callable[[s.Event], None]) -> None:
        self._task = asyncio.create_task(self._watch(browser, post))
        self._task.add_done_callback(lambda task: _ended(task, post))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def look_now(self) -> None:
        """The page says that something changed."""
        self._now.set()

    async def _watch(self, browser: Browser, post: Callable[[s.Event], None]) -> None:
        reconnect = self._settings.reconnect
        while True:
            self._now.clear()
            try:
                shot = await browser.snapshot(reconnect.probe_timeout)
            except ProbeError:
                if self._lifecycle.page is Page.OPEN:
                    self._metrics.page_probe_failures.labels(self._settings.client_id).inc()
                post(s.ProbeFailed())
            else:
                self.shot = shot
                self._metrics.set(self._metrics.signals_missing, len(shot.missing))
                post(s.SnapshotTaken(believe(shot)))
            settled = self._lifecycle.state in _SETTLED
            pause = reconnect.probe_interval if settled else min(_BRISK_SECONDS, reconnect.probe_interval)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), pause)


def _ended(task: asyncio.Task[None], post: Callable[[s.Event], None]) -> None:
    """A bot that looks no more is deaf: what nobody foresaw costs a browser, not the bot."""
    if not task.cancelled() and (error := task.exception()) is not None:
        post(s.BrowserGone(f"watch: {type(error).__name__}"))
