"""PURE: the browser and its page: launched, opened, closed. It decides nothing."""

from __future__ import annotations

from bot import stimuli as s
from bot.contract import EventName, Level, RestartReason, State
from bot.lifecycle.core import Core, Due, Page
from bot.lifecycle.table import PERSON


class Window:
    """`keys_seen`: this launch's page had the session's keys; `with_mirror`: they were put back into it.

    `linked`: this document's connection was up.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.launched_before = False
        self.with_mirror = False
        self.keys_seen = False
        self.linked = False
        self.answered_at = 0.0
        self.silent = 0

    def launch(self) -> None:
        core = self._core
        core.cancel(Due.LAUNCH)
        if core.state in (State.LOGGED_OUT, State.FAILED, *PERSON):
            core.enter(State.STARTING)
        core.page = Page.LAUNCHING
        core.do(s.Launch())

    def close(self, *then: s.Effect) -> None:
        core = self._core
        core.page = Page.NONE
        core.belief = None
        core.hide_qr()
        core.cancel_all_but(Due.LAUNCH, Due.CALM)
        core.do(s.CloseBrowser(), *then)

    def count_restart(self, reason: RestartReason) -> None:
        self._core.do(s.Count(s.Tally.BROWSER_RESTARTS, reason.value))

    def relaunch(self, reason: RestartReason, after: float = 0.0) -> None:
        self.count_restart(reason)
        self.close()
        if after > 0:
            self._core.after(Due.LAUNCH, after)
        else:
            self.launch()

    def navigate(self) -> None:
        self._leave_document()
        self._core.do(s.Navigate())

    def reload(self) -> None:
        self._leave_document()
        self._core.do(s.Reload())

    def _leave_document(self) -> None:
        """What the old document said, and what was to be done about it, is of no use any more."""
        self._core.page = Page.NAVIGATING
        self._core.belief = None
        self.linked = False
        self._core.hide_qr()
        self._core.cancel_all_but(Due.READY, Due.UNLINK, Due.CALM)

    def heard(self) -> None:
        """The page answered."""
        self.answered_at, self.silent = self._core.now, 0

    def on_launched(self, event: s.Launched) -> None:
        if self._core.page is not Page.LAUNCHING:
            return
        self.with_mirror = event.with_mirror
        self.keys_seen = False
        self.heard()
        name = EventName.BROWSER_START if self.launched_before else EventName.BOT_INIT
        key = "browser_start" if self.launched_before else "bot_init"
        self.launched_before = True
        self._core.emit(name, Level.SUCCESS, key, browserVersion=event.version)
        self.navigate()

    def on_launch_failed(self, event: s.LaunchFailed) -> None:
        core = self._core
        if core.page is not Page.LAUNCHING:
            return
        core.failures += 1
        wait = None if event.permanent else max(core.waits.backoff(core.failures + 1), 0.2)
        core.emit(
            EventName.BOT_INIT,
            Level.ERROR,
            "bot_init_failed",
            problem=event.message,
            hint=event.hint or None,
            fix=event.fix or None,
            retryInSeconds=round(wait, 1) if wait is not None else None,
        )
        self.close()
        if wait is not None:
            core.after(Due.LAUNCH, wait)
            return
        core.enter(State.FAILED)
        if not self.launched_before:
            core.do(s.Exit(event.exit))

    def on_navigated(self, _: s.Navigated) -> None:
        core = self._core
        if core.page is not Page.NAVIGATING:
            return
        core.page = Page.OPEN
        self.heard()
        if core.state is State.RECONNECTING:
            core.after(Due.REPAIR, core.waits.repair(core.attempts))
        elif core.state is State.WAITING_FOR_QR_SCAN:
            core.after(Due.QR_TEXT, core.settings.network_wait)
        elif Due.READY not in core.due:
            core.after(Due.READY, core.settings.ready_deadline)
