"""PURE: how long the lifecycle waits, all of it derived from the settings so that short settings stay short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.contract import ReconnectSettings

FULL_SPEED_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds. `random` gives [0, 1): jitter, so that a fleet does not come back in one instant."""

    settings: ReconnectSettings
    random: Callable[[], float]

    @property
    def flicker(self) -> float:
        """A connection away for less than this is no disconnect (the page's own first retry takes about 1 s)."""
        return min(2.5, self.settings.network_wait / 4)

    @property
    def doubt(self) -> float:
        """How long a page must ask for a QR before we believe that the session is lost."""
        return min(3.0, self.settings.network_wait / 4)

    @property
    def network_check(self) -> float:
        return min(5.0, self.settings.network_wait / 4)

    @property
    def navigation_retry(self) -> float:
        return min(10.0, self.settings.network_wait / 2) * (0.8 + 0.2 * self.random())

    @property
    def unlink(self) -> float:
        """From our own logout to the page's proof of it."""
        return min(10.0, self.settings.network_wait)

    @property
    def calm(self) -> float:
        """READY for this long: earlier failures are forgotten."""
        return 3 * self.settings.network_wait

    @property
    def generation(self) -> float:
        """From one live copy of the session to the next, while it stays READY: 4 h with the usual settings."""
        return 720 * self.settings.network_wait

    @property
    def generation_pause(self) -> float:
        """Never sooner than this after the last one, or after one that failed: 10 min with the usual settings."""
        return 30 * self.settings.network_wait

    @property
    def storage_look(self) -> float:
        """Between two looks at the volume: 2 min with the usual settings."""
        return 6 * self.settings.network_wait

    def backoff(self, failures: int) -> float:
        """Before try number `failures + 1`: at once after the first failure, then doubling up to backoffMax."""
        if failures <= 1:
            return 0.0
        longest = self.settings.backoff_max
        base = min(self.settings.network_wait / 4, longest)
        return float(min(longest, base * 2 ** min(failures - 2, 30)) * (0.75 + 0.25 * self.random()))

    def repair(self, attempts: int) -> float:
        """From a reload or relaunch to the next one, while the site answers and the page stays away."""
        wait = self.settings.network_wait
        if attempts <= 1:
            return wait
        longest = max(wait, self.settings.backoff_max)
        return float(min(longest, wait * 2 ** min(attempts - 1, 30)) * (0.75 + 0.25 * self.random()))

    def qr_refresh(self, rounds: int) -> float:
        """Before a new round of codes: a person who is there gets it at once, a night without one goes slowly."""
        if rounds < FULL_SPEED_ROUNDS:
            return 0.0
        return float(min(self.settings.backoff_max, 5.0 * 2 ** min(rounds - FULL_SPEED_ROUNDS, 30)))
