"""What people and programs may ask a running bot: status, health, metrics, and the control commands."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import Any

from bot import VERSION, cgroup, preflight
from bot import stimuli as s
from bot.browser import PairingError, ProbeError
from bot.contract import BotExit, State
from bot.control import Refused
from bot.events import rfc3339
from bot.generations import Generations
from bot.lifecycle import Due
from bot.phone import PhoneSeen
from bot.runner import Runner
from bot.signals import logout_in
from bot.verdict import Ruling

_QR_SECONDS = 5
_PAIR_SECONDS = 30
_COPY_SECONDS = 50
_CODE_LIFE_SECONDS = 180
_MEMORY_SECONDS = 10
_SIZE_SECONDS = 300
_PHONE = re.compile(r"[0-9]{7,15}")


def _ruling(ruling: Ruling | None) -> dict[str, Any] | None:
    return {"verdict": ruling.verdict.value, "evidence": list(ruling.evidence)} if ruling else None


class Desk:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._started = time.monotonic()
        self._memory_at = -_MEMORY_SECONDS * 1.0
        self._memory: int | None = None
        self._size_at = -_SIZE_SECONDS * 1.0
        self._phone = PhoneSeen(runner.session.folder)
        runner.metrics.set(runner.metrics.started, time.time())

    # --- reports ----------------------------------------------------------------------------------------

    async def metrics(self) -> bytes:
        metrics = self._runner.metrics
        await self._weigh()
        metrics.set(metrics.browser_memory, self._memory or 0)
        used, limit = await asyncio.to_thread(cgroup.memory)
        metrics.set(metrics.memory, used)
        metrics.set(metrics.memory_limit, limit)
        metrics.set(metrics.phone_seen, self._phone_seen())
        life = self._runner.lifecycle
        metrics.wait_for_scan(life.cause if life.state is State.WAITING_FOR_QR_SCAN else None)
        await self._measure()
        metrics.events_lost_seen(self._runner.log.lost_lines)
        return metrics.render()

    async def _weigh(self) -> None:
        browser = self._runner.browser
        if browser is None:
            self._memory = None
        elif time.monotonic() - self._memory_at >= _MEMORY_SECONDS:
            self._memory_at = time.monotonic()
            self._memory = await asyncio.to_thread(browser.memory_bytes)

    async def _measure(self) -> None:
        """The session is seldom much larger than a few minutes ago."""
        if time.monotonic() - self._size_at >= _SIZE_SECONDS:
            self._size_at = time.monotonic()
            session, metrics = self._runner.session, self._runner.metrics
            size = await asyncio.to_thread(Generations.size_of, session.profile)
            metrics.set(metrics.session_bytes, size)
            metrics.set(metrics.session_disk, preflight.disk_bytes(session.folder))

    def _phone_seen(self) -> float:
        info = self._runner.session.info()
        if not info.present:
            self._phone.forget()
            return 0.0
        self._phone.saw(info.paired_at.timestamp() if info.paired_at else None)
        self._phone.saw(self._runner.watcher.shot.phone_seen if self._runner.watcher.shot else None)
        return self._phone.at

    def health(self) -> dict[str, Any]:
        """The page must have answered within two probe time-outs; a browser that is meant to be away is healthy."""
        runner = self._runner
        silent = runner.lifecycle.silent_for(time.monotonic())
        patience = 2 * runner.settings.reconnect.probe_timeout + 5
        return {"ok": silent is None or silent <= patience, "state": runner.lifecycle.state.value}

    async def status(self) -> dict[str, Any]:
        await self._weigh()
        runner, life = self._runner, self._runner.lifecycle
        info = runner.session.info()
        return {
            "client_id": runner.settings.client_id,
            "version": VERSION,
            "state": life.state.value,
            "since": rfc3339(runner.state_since),
            "permanent": life.state.permanent,
            "user_action": life.state.user_action.value,
            "uptime_seconds": round(time.monotonic() - self._started, 1),
            "session_present": life.owns_session,
            "phone": info.phone_masked,
            "paired_at": rfc3339(info.paired_at) if info.paired_at else None,
            "last_ready_at": rfc3339(info.last_ready_at) if info.last_ready_at else None,
            "connected_since": rfc3339(runner.connected_since) if runner.connected_since else None,
            "browser_version": runner.browser.version if runner.browser else info.browser_version,
            "page_version": runner.watcher.shot.page_version if runner.watcher.shot else None,
            "memory_bytes": self._memory,
            "storage": runner.keeper.storage,
            "counters": runner.metrics.counters(),
            "verdict": _ruling(runner.witness.ruling),
            "signals": self._signals(),
            "qr": self._qr_status(),
            "reconnect": self._reconnect(),
            "last_events": list(runner.log.last),
        }

    def _signals(self) -> dict[str, Any]:
        shot, belief = self._runner.watcher.shot, self._runner.lifecycle.belief
        return {
            "post_logout": str(logout_in(shot.url) or "") or None if shot else None,
            "session_keys": shot.session_keys if shot else None,
            "socket_state": shot.socket_state if shot else None,
            "has_synced": shot.has_synced if shot else None,
            "stream_mode": shot.stream_mode if shot else None,
            "online": shot.online if shot else None,
            "dom": sorted(shot.dom) if shot else [],
            "missing": list(shot.missing) if shot else [],
            "belief": belief.kind.value if belief else None,
            "evidence": list(belief.evidence) if belief else [],
        }

    def _qr_status(self) -> dict[str, Any]:
        runner, life = self._runner, self._runner.lifecycle
        return {
            "shown": runner.qr_text is not None,
            "cause": life.cause.value if life.cause else None,
            "number": life.codes,
            "since": rfc3339(runner.qr_since) if runner.qr_since else None,
            "idle": life.due_in(Due.QR_REFRESH, time.monotonic()) is not None,
        }

    def _reconnect(self) -> dict[str, Any] | None:
        outage = self._runner.lifecycle.outage
        if outage is None:
            return None
        now = time.monotonic()
        waits = [
            self._runner.lifecycle.due_in(due, now)
            for due in (Due.LAUNCH, Due.NAVIGATE, Due.REPAIR, Due.CHECK)
        ]
        known = [wait for wait in waits if wait is not None]
        return {
            "reason": outage.reason.value if outage.reason else None,
            "detail": outage.detail,
            "how": outage.how.value,
            "seconds": round(now - outage.since, 1),
            "attempt": self._runner.lifecycle.attempts,
            "next_in_seconds": round(min(known), 1) if known else None,
        }

    # --- commands ---------------------------------------------------------------------------------------

    async def qr(self) -> dict[str, Any]:
        """The QR that is valid now; when the codes are used up it asks for new ones and waits a little."""
        runner = self._runner
        if runner.qr_text is None and runner.lifecycle.state is State.WAITING_FOR_QR_SCAN:
            runner.post(s.QrRequested())
            await self._await_qr()
        if runner.qr_text is None or runner.qr_since is None:
            raise Refused("no_qr", BotExit.NO_QR, state=runner.lifecycle.state.value)
        cause = runner.lifecycle.cause
        return {
            "text": runner.qr_text,
            "cause": cause.value if cause else None,
            "number": runner.qr_number,
            "since": rfc3339(runner.qr_since),
        }

    async def _await_qr(self) -> None:
        deadline = time.monotonic() + _QR_SECONDS
        while self._runner.qr_text is None and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._runner.qr_changed.wait(), left)
            except TimeoutError:
                return

    async def pair(self, phone: str) -> dict[str, Any]:
        digits = re.sub(r"[\s().+-]", "", phone)
        if not _PHONE.fullmatch(digits):
            raise Refused("bad_phone")
        runner = self._runner
        state = runner.lifecycle.state
        if state is not State.WAITING_FOR_QR_SCAN or runner.browser is None:
            raise Refused("not_waiting", state=state.value)
        try:
            code = await runner.browser.request_pairing_code(digits, _PAIR_SECONDS)
        except PairingError as error:
            raise Refused("pairing_passkey" if error.reason == "passkey" else "pairing_failed") from error
        except ProbeError as error:
            raise Refused("page_silent") from error
        runner.post(s.PairingCodeShown(_CODE_LIFE_SECONDS))
        return {"code": code, "expires_in": _CODE_LIFE_SECONDS, "since": rfc3339(datetime.now(UTC))}

    async def logout(self) -> dict[str, Any]:
        life = self._runner.lifecycle
        if not life.can_log_out:
            raise Refused("cannot_log_out", state=life.state.value)
        self._runner.post(s.LogoutRequested())
        return {"accepted": True}

    async def generation(self) -> dict[str, Any]:
        """A copy of the session as it is now, taken under the browser; where nothing changed, the newest one."""
        runner, life = self._runner, self._runner.lifecycle
        if not life.can_be_copied:
            raise Refused("not_ready", state=life.state.value)
        try:
            async with asyncio.timeout(_COPY_SECONDS):
                result = await runner.keeper.ask_for_generation()
        except TimeoutError:
            raise Refused("no_copy", reason="timeout") from None
        found = await asyncio.to_thread(runner.session.newest_generation)
        if found is None or not (result.taken or result.reason == "unchanged"):
            raise Refused("no_copy", reason=result.reason)
        return {"number": found.number, "bytes": found.size, "taken_at": rfc3339(found.taken_at)}

    async def reload(self) -> dict[str, Any]:
        self._runner.post(s.ReloadRequested())
        return {"accepted": True}
