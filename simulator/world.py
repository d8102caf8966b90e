"""Phones, the devices linked to them, and what the server knows of each.

The rules are those of the real service as far as a client can see them: a code is good for one reading while it is
shown, a device proves itself with the key it registered, messages wait for a device that is away, the newest
connection of a device is the one that counts.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simulator.problem import Refused

DEVICES_PER_PHONE = 4


@dataclass
class Message:
    id: str
    chat: str
    body: str
    time: int
    own: bool = False


@dataclass
class Device:
    """One linked browser. `noise`, `identity`, `signer`: its public keys in base64, as registered at pairing."""

    wid: str
    lid: str
    noise: str
    identity: str
    signer: str
    unlinked: bool = False
    reason: int | None = None
    queue: list[Message] = field(default_factory=list)


@dataclass
class Phone:
    number: str
    name: str
    devices: dict[str, Device] = field(default_factory=dict)
    next_device: int = 1
    banned: bool = False
    sent: list[Message] = field(default_factory=list)

    @property
    def linked(self) -> list[Device]:
        return [device for device in self.devices.values() if not device.unlinked]

    def link(self, noise: str, identity: str, signer: str) -> Device:
        """Raises Refused when the phone holds as many devices as it may."""
        if len(self.linked) >= DEVICES_PER_PHONE:
            raise Refused(f"{self.number} has {DEVICES_PER_PHONE} linked devices already; unlink one first")
        name = f"{self.number}:{self.next_device}"
        self.next_device += 1
        return Device(f"{name}@c.us", f"9{name}@lid", noise, identity, signer)


class World:
    """All phones. With `state`, a file, they outlive the process; it's replaced as a whole at each change."""

    def __init__(self, state: Path | None = None) -> None:
        self.phones: dict[str, Phone] = {}
        self._state = state
        if state and state.exists():
            for kept in json.loads(state.read_text()):
                self._read(kept)

    def phone(self, number: str) -> Phone:
        """Raises Refused when there is no such phone."""
        try:
            return self.phones[digits(number)]
        except KeyError:
            known = ", ".join(sorted(self.phones)) or "none yet: pair one first"
            raise Refused(f"no phone {number}; phones: {known}") from None

    def phone_or_new(self, number: str | None) -> Phone:
        """The phone of that number; without one, a new phone with the next free number."""
        if number is None:
            number = next(free for at in range(1, 10**7) if (free := f"9055500{at:05}") not in self.phones)
        number = digits(number)
        return self.phones.setdefault(number, Phone(number, f"Phone {number[-4:]}"))

    def device(self, wid: str) -> tuple[Phone, Device] | None:
        phone = self.phones.get(wid.partition("@")[0].partition(":")[0])
        device = phone.devices.get(wid) if phone else None
        return (phone, device) if phone and device else None

    def forget_if_empty(self, phone: Phone) -> None:
        if not phone.devices and not phone.banned:
            self.phones.pop(phone.number, None)

    def save(self) -> None:
        if not self._state:
            return
        text = json.dumps([asdict(phone) for phone in self.phones.values()], indent=1)
        handle, name = tempfile.mkstemp(dir=self._state.parent, prefix=".phones-")
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self._state)

    def _read(self, kept: dict[str, object]) -> None:
        phone = Phone(**kept)  # type: ignore[arg-type]
        devices: dict[str, dict[str, object]] = phone.devices  # type: ignore[assignment]
        phone.devices = {wid: Device(**values) for wid, values in devices.items()}  # type: ignore[arg-type]
        for device in phone.devices.values():
            device.queue = [Message(**each) for each in device.queue]  # type: ignore[arg-type]
        phone.sent = [Message(**each) for each in phone.sent]  # type: ignore[arg-type]
        self.phones[phone.number] = phone


def digits(number: str) -> str:
    """A phone number without its plus sign, spaces and dashes. Raises Refused for what isn't one."""
    bare = number.strip().lstrip("+").replace(" ", "").replace("-", "")
    if not (bare.isdigit() and 7 <= len(bare) <= 15):
        raise Refused(f"{number!r} is no phone number: country code and number, digits only (905551234567)")
    return bare


def now() -> int:
    return int(time.time())
