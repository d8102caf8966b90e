"""One run of Chromium on the session's profile, and all that the bot asks of WhatsApp's page.

The only module that imports Playwright. A `Browser` is used for one launch and closed; the next launch is a new one.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import (
    BrowserContext,
    CDPSession,
    Dialog,
    Page,
    Playwright,
)
from playwright.async_api import Error as PlaywrightError

from bot import cgroup, chromium, page, processes, qrimage
from bot.chromium import BrowserError as BrowserError  # noqa: PLC0414  ours to the outside
from bot.chromium import BrowserProblem as BrowserProblem  # noqa: PLC0414  ours to the outside
from bot.contract import BotSettings
from bot.driver import Driver
from bot.driver import stop as stop_driver
from bot.signals import DomSign, Snapshot, logout_in

_NAVIGATION_SECONDS = 15
_CLOSE_SECONDS = 5
_COPY_SECONDS = 2
_KILL_PATIENCE = 2
_CALL = "([name, ...given]) => window[Symbol.for('oturum')]?.[name](...given)"


class ProbeError(Exception):
    """The page did not answer in time, or is gone."""


class NavigationError(Exception):
    """The address could not be opened. `code`: the browser's own word, as in net::ERR_INTERNET_DISCONNECTED."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class PairingError(Exception):
    """WhatsApp gave no pairing code. `reason`: unavailable, offline, timeout, rejected or passkey."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Browser:
    """`on_change()`: something moved in the page, look now. `on_crash()`: the renderer died. `on_gone()`: the browser.

    `on_storage(entries)`: localStorage changed while both session keys are there; the page is held until it returns
    when one of the session's own entries changed. All are plain calls in the event loop; gone and crash come once at
    most, and never after `close` began.
    """

    def __init__(
        self,
        settings: BotSettings,
        *,
        on_change: Callable[[], None],
        on_crash: Callable[[], None],
        on_gone: Callable[[], None],
        on_storage: Callable[[dict[str, str]], None],
    ) -> None:
        self.version: str | None = None
        self.exit_note: str | None = None
        self._settings = settings
        self._on_change, self._on_storage = on_change, on_storage
        self._on_crash: Callable[[], None] | None = on_crash
        self._on_gone: Callable[[], None] | None = on_gone
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(settings.url))
        self._binding = f"_{secrets.token_hex(8)}"
        self._playwright: Playwright | None = None
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._cdp: CDPSession | None = None
        self._profile: Path | None = None
        self._pid: int | None = None
        self._restore_script: str | None = None
        self._logout_url: str | None = None
        self._stale_url: str | None = (
            None  # tells of a logout before the session that was up in this document
        )
        self._copied = 0
        self._copy_made = asyncio.Event()
        self._kills_before = chromium.out_of_memory_kills()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing: asyncio.Task[bool] | None = None

    # --- life -------------------------------------------------------------------------------------------

    async def launch(
        self,
        driver: Driver,
        profile: Path,
        restore: Mapping[str, str] | None,
        written_by: str | None,
        on_version: Callable[[str], object] = lambda version: None,
    ) -> None:
        """Starts the browser on `profile`; `restore` is put into localStorage before the page's scripts run.

        `written_by`: version of the browser that used the profile last. `on_version` is told, in a thread, which one
        will use it now. Raises BrowserError.
        """
        executable = chromium.find(self._settings)
        self._profile = profile
        taken = driver.take()
        try:
            self.version = await asyncio.to_thread(chromium.version_of, executable)
            chromium.check_age(executable, self.version, written_by, self._settings.client_id)
            if self.version is not None:
                await asyncio.to_thread(on_version, self.version)
        finally:
            # Also when this is refused or abandoned: what `close` doesn't know of it can't stop.
            self._playwright = await asyncio.shield(taken)
        try:
            self._context = await self._playwright.chromium.launch_persistent_context(
                profile, **chromium.launch_options(self._settings, executable, self.version)
            )
            self._page = self._context.pages[0] if self._context.pages else await self._context.new_page()
            await self._prepare(restore)
        except PlaywrightError as error:
            starved_at = cgroup.memory()[1] if self._starved() else None
            raise chromium.launch_problem(
                error.message, executable, profile, self._settings, starved_at
            ) from None
        self._pid = self._find_browser()

    async def close(self) -> bool:
        """Ends the browser so that it writes its storage; True when it did so by itself. Bounded, and never raises."""
        if self._closing is None:
            self._on_crash = self._on_gone = None
            self._closing = asyncio.ensure_future(self._close())
        return await asyncio.shield(self._closing)

    async def _close(self) -> bool:
        clean = False
        if self._context is not None:
            with suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._context.close()
                    clean = self.exit_note is None
        if self._profile is not None:
            await asyncio.to_thread(_end_all, self._profile)
        if self._playwright is not None:
            await stop_driver(self._playwright)
        for task in self._tasks:
            task.cancel()
        return clean

    async def _prepare(self, restore: Mapping[str, str] | None) -> None:
        assert self._context is not None
        assert self._page is not None
        self._context.on("close", lambda _: self._gone())
        self._page.on("close", lambda _: self._gone())
        self._page.on("crash", lambda _: self._crashed())
        self._page.on("dialog", self._hear_dialog)
        self._cdp = await self._context.new_cdp_session(self._page)
        self._cdp.on("Runtime.bindingCalled", self._hear)
        await self._cdp.send("Page.enable")
        await self._cdp.send("Runtime.enable")
        await self._cdp.send("Runtime.addBinding", {"name": self._binding})
        if self.version:
            override: dict[str, Any] = {
                "userAgent": chromium.user_agent(self.version),
                "userAgentMetadata": chromium.client_hints(self.version),
            }
            if self._settings.locale:
                override["acceptLanguage"] = self._settings.locale
            await self._cdp.send("Emulation.setUserAgentOverride", override)
        await self._add_script(page.probe(self._origin, self._binding))
        if restore:
            self._restore_script = await self._add_script(page.restore(dict(restore)))

    async def _add_script(self, source: str) -> str:
        assert self._cdp is not None
        answer = await self._cdp.send("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        return str(answer["identifier"])

    def _find_browser(self) -> int | None:
        profile = self._profile
        if profile is None:
            return None
        mains = (
            pid
            for pid in processes.all_pids()
            if processes.uses_profile(pid, profile) and processes.is_main_browser(pid)
        )
        return next(mains, None)

    def memory_bytes(self) -> int | None:
        """Proportional set size of the browser and all its processes; None when it does not run."""
        if self._pid is None or not processes.is_alive(self._pid):
            return None
        return processes.memory_bytes(processes.with_descendants([self._pid]))

    # --- what the page is asked --------------------------------------------------------------------------

    async def navigate(self) -> None:
        """Opens the settings' address, anew where it is open. Raises NavigationError, ProbeError."""
        browser_page = self._open_page()
        try:
            await browser_page.goto(
                self._settings.url, wait_until="commit", timeout=_NAVIGATION_SECONDS * 1000
            )
        except PlaywrightError as error:
            raise _navigation_error(error.message) from None
        await self._forget_restore()

    async def reload(self) -> None:
        """Raises NavigationError, ProbeError."""
        await self.navigate()

    async def _forget_restore(self) -> None:
        """A later document of this launch must find what the page itself left: after a logout that is nothing."""
        script, self._restore_script = self._restore_script, None
        if script is not None and self._cdp is not None:
            with suppress(PlaywrightError):
                await self._cdp.send("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})

    async def snapshot(self, timeout: float) -> Snapshot:
        """One look at the page, within `timeout` seconds. Raises ProbeError."""
        seen = await self._ask(timeout, "snapshot")
        if not isinstance(seen, dict):
            return Snapshot(url=self._open_page().url)
        url = self._logout_address(seen)
        text, source = seen["qr"], seen["source"]
        if not text and seen["picture"]:
            text = await asyncio.to_thread(qrimage.read, **seen["picture"])
            source = "picture" if text else None
        return Snapshot(
            url=url,
            session_keys=seen["sessionKeys"],
            socket_state=_text(seen["socketState"]),
            has_synced=seen["hasSynced"],
            stream_mode=_text(seen["streamMode"]),
            online=seen["online"],
            qr_text=_text(text),
            qr_source=source,
            wid=_text(seen["wid"]),
            page_version=_text(seen["version"]),
            phone_seen=seen["phoneSeen"],
            modules_ready=bool(seen["ready"]),
            incomplete=bool(seen["incomplete"]),
            dom=frozenset(DomSign(sign) for sign in seen["dom"]),
            missing=tuple(seen["missing"]),
        )

    def _logout_address(self, seen: dict[str, Any]) -> str:
        """The page may tidy its address; what it said of a logout holds until somebody is registered again.

        And it may not: once a session was up, an address of the same document is no news of its end.
        """
        url = str(seen["url"])
        if seen["sessionKeys"]:
            self._logout_url = None
            if seen["socketState"] == "CONNECTED" or DomSign.CHAT_LIST in seen["dom"]:
                self._stale_url = url
        elif logout_in(url) is not None and url != self._stale_url:
            self._logout_url = url
        return self._logout_url or (url.partition("?")[0] if url == self._stale_url else url)

    async def reachable(self, timeout: float) -> bool | None:
        """Whether WhatsApp's server answers through the page's own network; None: the page can't say. Never raises."""
        try:
            answer = await self._ask(timeout + 1, "reachable", timeout)
        except ProbeError:
            return None
        return answer if isinstance(answer, bool) else None

    async def refresh_qr(self) -> bool:
        """Asks the page for new QR refs; False when it offers no way. Raises ProbeError."""
        return bool(await self._ask(self._settings.reconnect.probe_timeout, "refreshQr"))

    async def takeover(self) -> bool:
        """ "Use here"; False when the page offers no way. Raises ProbeError."""
        return bool(await self._ask(self._settings.reconnect.probe_timeout, "takeover"))

    async def unlink(self) -> bool:
        """The page's own logout: the server forgets this device. False when it offers no way. Raises ProbeError."""
        return bool(await self._ask(self._settings.reconnect.probe_timeout, "unlink"))

    async def request_pairing_code(self, phone: str, timeout: float) -> str:
        """A code to type on the phone, whose number is given in digits. Raises PairingError, ProbeError."""
        answer = await self._ask(timeout + 1, "pairingCode", phone, timeout)
        if not isinstance(answer, dict):
            raise PairingError("unavailable")
        if not answer.get("code"):
            raise PairingError(str(answer.get("error", "rejected")))
        return str(answer["code"])

    def _open_page(self) -> Page:
        if self._page is None or self._page.is_closed():
            raise ProbeError("no page")
        return self._page

    async def _ask(self, timeout: float, name: str, *given: object) -> Any:
        """None: the document has no probe (it is an error page, or not ours)."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    try:
                        return await self._open_page().evaluate(_CALL, [name, *given])
                    except PlaywrightError as error:
                        if not _is_between_documents(error.message):
                            raise
                        await asyncio.sleep(0.05)
        except TimeoutError:
            raise ProbeError(f"no answer in {timeout:g} s") from None
        except PlaywrightError as error:
            raise ProbeError(error.message.splitlines()[0][:200]) from None

    # --- what the page and the browser say -----------------------------------------------------------------

    def _hear(self, event: dict[str, Any]) -> None:
        if event.get("name") != self._binding:
            return
        try:
            said = json.loads(event["payload"])
        except ValueError:
            return
        match said.get("kind"):
            case "storage":
                self._on_storage(said["entries"])
                self._copied = said["number"]
                self._copy_made.set()
            case "post_logout":
                self._logout_url, self._stale_url = str(said["url"]), None
                self._on_change()
            case "change":
                self._on_change()

    def _hear_dialog(self, dialog: Dialog) -> None:
        self._start(self._answer(dialog))

    async def _answer(self, dialog: Dialog) -> None:
        """Our own question is answered, and the page goes on, when the copy it tells of is on disk."""
        name, _, number = dialog.message.partition(":")
        if name == self._binding and number.isdigit():
            with suppress(TimeoutError):
                async with asyncio.timeout(_COPY_SECONDS):
                    while self._copied < int(number):
                        self._copy_made.clear()
                        await self._copy_made.wait()
        with suppress(PlaywrightError):
            await dialog.accept()

    def _crashed(self) -> None:
        call, self._on_crash = self._on_crash, None
        if call is not None:
            call()

    def _gone(self) -> None:
        call, self._on_gone = self._on_gone, None
        if call is None:
            return
        alive = self._pid is not None and processes.is_alive(self._pid)
        if self._starved():
            self.exit_note = "killed by the kernel: out of memory"
        else:
            self.exit_note = "the page was closed" if alive else "the browser ended"
        call()

    def _starved(self) -> bool:
        """Whether the kernel has killed one of our processes for memory since this launch began."""
        kills = chromium.out_of_memory_kills()
        return kills is not None and self._kills_before is not None and kills > self._kills_before

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _end_all(profile: Path) -> None:
    pids = [pid for pid in processes.all_pids() if processes.uses_profile(pid, profile)]
    mains = [pid for pid in pids if processes.is_main_browser(pid)]
    if mains or pids:
        processes.end(mains or pids, patience=_KILL_PATIENCE)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _navigation_error(message: str) -> NavigationError | ProbeError:
    for word in message.replace("\n", " ").split():
        if word.startswith(("net::", "NS_ERROR")):
            return NavigationError(word.rstrip(".,;:"))
    if "Timeout" in message:
        return NavigationError("TIMEOUT")
    return ProbeError(message.splitlines()[0][:200])


def _is_between_documents(message: str) -> bool:
    return "context was destroyed" in message or "Cannot find context" in message or "navigating" in message
