"""PURE: a QR episode: from the first code shown, through refreshes all night, to the scan."""

from __future__ import annotations

from bot import stimuli as s
from bot.contract import EventName, Level, QrCause, RestartReason, State
from bot.lifecycle.core import Core, Due, Page
from bot.lifecycle.window import Window
from bot.signals import Belief


class Qr:
    """`cause` and `codes` of the open episode; no cause: none is open. `next_cause`: of the next."""

    def __init__(self, core: Core, window: Window) -> None:
        self._core, self._window = core, window
        self.cause: QrCause | None = None
        self.codes = 0
        self.next_cause = QrCause.FIRST_PAIRING
        self._text: str | None = None
        self._rounds = 0
        self._code_until = 0.0
        self._passkey_told = False

    def start(self, next_cause: QrCause) -> None:
        self.next_cause = next_cause

    def resume(self, cause: QrCause, codes: int) -> None:
        """The episode was open when the bot went down."""
        self.cause, self.codes = cause, codes

    def begin_anew(self, cause: QrCause) -> None:
        """The session is gone: the next code opens an episode of this cause."""
        self.cause, self.next_cause, self._text, self._code_until = None, cause, None, 0.0

    def end(self) -> None:
        """Scanned."""
        self._core.hide_qr()
        self._core.cancel(Due.QR_REFRESH, Due.QR_TEXT, Due.LOST)
        self._text, self._rounds, self.codes, self.cause = None, 0, 0, None

    def wait_for_scan(self, belief: Belief) -> None:
        core = self._core
        core.cancel(Due.REPAIR, Due.CHECK, Due.COME_BACK, Due.READY, Due.DROP)
        core.outage = core.away_since = None
        if core.state is not State.WAITING_FOR_QR_SCAN:
            core.enter(State.WAITING_FOR_QR_SCAN)
            core.after(Due.CALM, core.waits.calm)
        if belief.passkey and not self._passkey_told:
            core.emit(EventName.WHATSAPP_PAIRING_CODE, Level.WARNING, "passkey")
        self._passkey_told = belief.passkey
        if belief.qr_text is not None and not belief.refs_used_up:
            self._show(belief.qr_text)
            return
        core.hide_qr()
        if not belief.refs_used_up:
            self.miss()
        elif core.now >= self._code_until and Due.QR_REFRESH not in core.due:
            core.after(Due.QR_REFRESH, core.waits.qr_refresh(self._rounds))

    def miss(self) -> None:
        """The page shows no code that can be read."""
        core = self._core
        if core.now >= self._code_until and not {Due.QR_REFRESH, Due.QR_TEXT} & core.due.keys():
            core.after(Due.QR_TEXT, core.settings.network_wait)

    def _show(self, text: str) -> None:
        core = self._core
        core.cancel(Due.QR_REFRESH, Due.QR_TEXT)
        if text == self._text:
            if not core.qr_shown:
                core.show_qr(text, self.codes)
            return
        if self.cause is None:
            self.cause, self.codes = self.next_cause, 0
            core.do(s.OpenEpisode(self.cause), s.Count(s.Tally.QR_REQUESTS, self.cause.value))
        self.codes += 1
        self._text = text
        core.do(s.Count(s.Tally.QR_CODES))
        core.show_qr(text, self.codes)
        core.emit(
            EventName.WHATSAPP_QR,
            Level.INFO,
            "qr",
            cause=self.cause.value,
            number=self.codes,
            session="absent",
        )

    def on_storage_unsafe(self, _: s.StorageUnsafe) -> None:
        """Whoever scans now would be asked again after the next start: no code until a launch finds the volume well."""
        core = self._core
        if core.state is State.WAITING_FOR_QR_SCAN and core.page in (Page.BLANK, Page.NAVIGATING, Page.OPEN):
            core.enter(State.STARTING)
            self._window.relaunch(RestartReason.STORAGE)

    def refresh(self) -> None:
        """The refs are used up, or a page that asks for a scan shows no code that can be read."""
        if self._core.state is State.WAITING_FOR_QR_SCAN and self._core.page is Page.OPEN:
            self._rounds += 1
            self._core.do(s.RefreshQr())

    def on_refreshed(self, event: s.QrRefreshed) -> None:
        core = self._core
        if not event.ok and core.state is State.WAITING_FOR_QR_SCAN and core.page is Page.OPEN:
            self._window.reload()

    def on_requested(self, _: s.QrRequested) -> None:
        if Due.QR_REFRESH in self._core.due:
            self._core.cancel(Due.QR_REFRESH)
            self.refresh()

    def on_pairing_code(self, event: s.PairingCodeShown) -> None:
        self._code_until = self._core.now + event.seconds
        self._core.cancel(Due.QR_REFRESH, Due.QR_TEXT)
        seconds = round(event.seconds)
        self._core.emit(EventName.WHATSAPP_PAIRING_CODE, Level.INFO, "pairing_code", validForSeconds=seconds)
