"""One page's connection: what it is, and the talk until it is logged in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from simulator.problem import Refused
from simulator.world import Device, Phone

Order = dict[str, Any]


class Wire(Protocol):
    """What carries the orders. `cookie` tells browsers apart before anybody is logged in."""

    cookie: str

    async def send(self, text: str) -> None: ...

    def abort(self) -> None: ...


@dataclass(eq=False)
class Line:
    wire: Wire
    keys: Order = field(default_factory=dict)
    phone: Phone | None = None
    device: Device | None = None
    nonce: str | None = None
    claimed: str | None = None
    refs: dict[str, float] = field(default_factory=dict)
    shown: str | None = None
    until: float = 0
    code: tuple[str, str, str] | None = None
    pairing: tuple[Phone, Device, asyncio.Future[None]] | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    synced: bool = False

    async def say(self, do: str, **values: object) -> None:
        await self.wire.send(json.dumps({"do": do, **values}))

    def later(self, seconds: float, action: Callable[[], Any]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            await action()

        task = asyncio.create_task(wait())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.pairing and not self.pairing[2].done():
            self.pairing[2].set_exception(Refused("the page went away before it confirmed the pairing"))

    # --- codes -------------------------------------------------------------------------------------------------

    def new_refs(self, count: int, first: float, others: float) -> list[Order]:
        self.refs.clear()
        self.shown = None
        given = [(f"2@{secrets.token_urlsafe(60)}", first if at == 0 else others) for at in range(count)]
        self.refs = dict(given)
        return [{"ref": ref, "seconds": seconds} for ref, seconds in given]

    def showing(self, ref: str) -> None:
        if ref in self.refs:
            self.shown = ref
            self.until = time.monotonic() + self.refs[ref]

    def knows(self, ref: str) -> bool:
        """Whether that code is on the screen now, with a second of grace for the reader's hand."""
        return ref == self.shown and time.monotonic() <= self.until + 1

    # --- keys --------------------------------------------------------------------------------------------------

    def challenge(self, wid: str) -> str:
        self.claimed = wid
        self.nonce = secrets.token_urlsafe(32)
        return self.nonce


def proof(secret: str, wid: str, identity: str) -> str:
    """What a phone that read `secret` off the code tells the page: only both know it. Raises Refused for no base64."""
    try:
        key = base64.b64decode(secret, validate=True)
    except ValueError:
        raise Refused("the code's secret is no base64") from None
    return base64.b64encode(hmac.digest(key, f"{wid}|{identity}".encode(), hashlib.sha256)).decode()


def signed_by(signer: str, text: str, signature: str) -> bool:
    """Whether the key that was registered made it: P-256 over SHA-256, r and s of 32 bytes each, in base64."""
    key = serialization.load_der_public_key(base64.b64decode(signer))
    raw = base64.b64decode(signature)
    if not isinstance(key, ec.EllipticCurvePublicKey) or len(raw) != 64:
        return False
    halves = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    try:
        key.verify(halves, text.encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
