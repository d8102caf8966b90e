"""PURE: when a living session is copied under its browser: READY and quiet for a while, then seldom, or on request."""

from __future__ import annotations

from bot import stimuli as s
from bot.contract import State
from bot.lifecycle.core import Core, Due, Page
from bot.signals import Kind


class Keep:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept_at: float | None = None

    @property
    def quiet(self) -> bool:
        """The session is beyond doubt, and nothing is about to be done with its page."""
        core = self._core
        return (
            core.state is State.READY
            and core.page is Page.OPEN
            and core.belief is not None
            and core.belief.kind is Kind.CONNECTED
            and Due.DROP not in core.due
            and not core.unlinking
        )

    def plan(self) -> None:
        """READY from now on."""
        core = self._core
        wait = core.waits.calm
        if self._kept_at is not None:
            wait = max(wait, self._kept_at + core.waits.generation_pause - core.now)
        core.after(Due.GENERATION, wait)

    def due(self) -> None:
        if self.quiet:
            self._core.do(s.TakeGeneration(live=True))
        elif self._core.state is State.READY:
            self.plan()

    def on_requested(self, _: s.GenerationRequested) -> None:
        self._core.do(s.TakeGeneration(live=True) if self.quiet else s.RefuseGeneration())

    def on_kept(self, event: s.Kept) -> None:
        core = self._core
        if event.ok:
            self._kept_at = core.now
        if core.state is State.READY:
            core.after(Due.GENERATION, core.waits.generation if event.ok else core.waits.generation_pause)
