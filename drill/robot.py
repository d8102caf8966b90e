"""The bot as a process: `python -m bot` with settings in a hurry."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from drill.judge import What
from drill.process import ProcessSubject
from simulator.problem import Refused

ROOT = Path(__file__).parent.parent
_ANSWER_SECONDS = 10
_MEANINGS = {"WHATSAPP_QR": What.QR, "WHATSAPP_PAIRED": What.PAIRED, "WHATSAPP_READY": What.READY}
# Waits in seconds: those of a real bot would make a campaign of a thousand rounds last for days.
HURRY = {
    "networkWait": 2, "logoutWait": 0.2, "backoffMax": 4, "readyDeadline": 15, "probeInterval": 0.5, "probeTimeout": 5,
}  # fmt: skip


def meaning(event: dict[str, Any]) -> What | None:
    """Of an event that our bot tells, wherever it runs."""
    name = event.get("event", "")
    if name == "BOT_STATE":
        return What.AWAY if event.get("from") == "READY" else None
    return _MEANINGS.get(name)


class Robot(ProcessSubject):
    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        settings = {
            "clientId": self.name,
            "sessionDir": str(self.volume.path),
            "controlSocket": str(self._socket),
            "httpPort": 0,
            "language": ("en", "tr")[self.anew % 2],
            "reconnect": HURRY,
            "browser": {"args": self.browser_args, "sandbox": False},
        }
        wanted = {
            "BOT_SETTINGS": json.dumps(settings),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        return (sys.executable, "-m", "bot"), wanted

    @property
    def _socket(self) -> Path:
        return self.folder / "ctl"

    def profile(self) -> Path:
        return self.volume.path / "profile"

    def heard(self, event: dict[str, Any]) -> What | None:
        return meaning(event)

    async def code(self) -> str:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                writer.write(b'{"command": "qr"}\n')
                answer = json.loads(await reader.readline())
                writer.close()
        except (OSError, ValueError, TimeoutError) as error:
            raise Refused(f"the bot does not answer: {error}") from None
        if not answer.get("ok"):
            raise Refused(str(answer.get("error")))
        return str(answer["result"]["text"])
