"""The signals that end a bot, heard from its first moment: a stop while its modules are read is a clean stop too."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_early: list[str] = []


def begin() -> None:
    """Remembers what comes before there is a loop that could act on it."""
    for number in _SIGNALS:
        signal.signal(number, lambda heard, _: _early.append(signal.Signals(heard).name))


def hand_over(loop: asyncio.AbstractEventLoop, hear: Callable[[str], None]) -> None:
    """From here on `hear` gets each signal's name; at once that of one which came before."""
    for number in _SIGNALS:
        loop.add_signal_handler(number, hear, number.name)
    for name in _early:
        hear(name)
