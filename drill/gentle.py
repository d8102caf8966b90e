"""The one drill for a bot that really works: its container is taken off its network for a while, and put back.

Nothing else is done to it, and the network comes back whatever happens to the drill.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from drill.campaign import Round
from drill.judge import Verdict

_LOOK_SECONDS = 0.5


class Bot(Protocol):
    """A running bot, as the engine lets it be reached. Any method may raise what the engine has to say."""

    client_id: str

    def status(self) -> dict[str, Any] | None:
        """Its own; None while it does not answer."""

    def take_off(self) -> None: ...

    def put_back(self) -> None: ...


def drill(
    bot: Bot,
    rounds: Sequence[Round],
    limit: float,
    on_cut: Callable[[Round], None],
    sleep: Callable[[float], None],
) -> list[Verdict]:
    """The bot is READY when this begins. Every QR counts as unexplained: nobody asks its phone."""
    verdicts: list[Verdict] = []
    for each in rounds:
        sleep(each.moment)
        before = requests(bot.status())
        on_cut(each)
        try:
            bot.take_off()
            sleep(each.hold)
        finally:
            bot.put_back()
        seconds, after = _until_ready(bot, limit, before, sleep)
        verdicts.append(Verdict(each, bot.client_id, after - before, 0, 0, seconds))
        if not verdicts[-1].passed:
            break  # somebody must look at it: more would only do more harm
    return verdicts


def requests(status: dict[str, Any] | None) -> int:
    """How many QR episodes the bot has had since it was started."""
    return sum(status["counters"]["qr_requests"].values()) if status else 0


def _until_ready(
    bot: Bot, limit: float, before: int, sleep: Callable[[float], None]
) -> tuple[float | None, int]:
    """Seconds to READY (None: not in time, or a QR is shown instead), and the QR episodes by then."""
    start = time.monotonic()
    found = before
    while (now := time.monotonic()) - start < limit:
        status = bot.status()
        if status is not None:
            found = max(before, requests(status))
            if found > before:
                return None, found
            if status["state"] == "READY":
                return round(now - start, 3), found
        sleep(_LOOK_SECONDS)
    return None, found
