"""The yardstick: unmodified whatsapp-web.js with LocalAuth under node, as its users run it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drill.judge import What
from drill.process import ProcessSubject
from simulator.problem import Refused

CLIENT = Path(__file__).parent.parent / "tests" / "conformance" / "client.cjs"
_MEANINGS = {
    "qr": What.QR, "authenticated": What.PAIRED, "ready": What.READY, "disconnected": What.AWAY, "failed": What.AWAY,
}  # fmt: skip


class Peer(ProcessSubject):
    _shown: str | None = None

    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        told = {
            "executable": shutil.which("chromium"),
            "args": ["--no-sandbox", "--disable-gpu", *self.browser_args],
            "dataPath": str(self.volume.path / "auth"),
        }
        self._shown = None
        return ("node", str(CLIENT)), {"CLIENT": json.dumps(told)}

    def profile(self) -> Path:
        return self.volume.path / "auth" / "session-shop"

    def heard(self, event: dict[str, Any]) -> What | None:
        what = _MEANINGS.get(event.get("event", ""))
        if what is not None:
            self._shown = str(event["text"]) if what is What.QR else None
        return what

    async def code(self) -> str:
        if self._shown is None:
            raise Refused("no code is shown")
        return self._shown
