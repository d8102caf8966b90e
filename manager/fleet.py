"""PURE: the fleet that bots.yaml describes, every default merged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.contract import BrowserSettings, ReconnectSettings

# A bot and its browser alone weigh 356 MiB (PSS, docs/bench); below this the kernel may kill the browser.
BROWSER_MEMORY = 384 * 1024**2


@dataclass(frozen=True, slots=True)
class Proxy:
    """`server` as `scheme://host:port`, without credentials."""

    server: str
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Bot:
    """One entry of `bots`. `memory` in bytes."""

    client_id: str
    enabled: bool
    memory: int
    language: Literal["en", "tr"]
    url: str
    timezone: str | None
    locale: str | None
    proxy: Proxy | None
    reconnect: ReconnectSettings
    browser: BrowserSettings
    env: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fleet:
    """`image`: a ready-made bot image to use instead of the one built from the sources."""

    project: str
    image: str | None
    bots: tuple[Bot, ...]

    @property
    def enabled(self) -> tuple[Bot, ...]:
        return tuple(bot for bot in self.bots if bot.enabled)

    @property
    def disabled(self) -> frozenset[str]:
        return frozenset(bot.client_id for bot in self.bots if not bot.enabled)

    @property
    def cramped(self) -> tuple[Bot, ...]:
        """Enabled bots whose memory limit is below what a browser needs."""
        return tuple(bot for bot in self.enabled if bot.memory < BROWSER_MEMORY)

    @property
    def client_ids(self) -> frozenset[str]:
        return frozenset(bot.client_id for bot in self.bots)
