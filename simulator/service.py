"""What the server says to each page, and what the phones do to it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import secrets
from collections.abc import Collection
from typing import Any

import segno

from simulator.line import Line, Order, proof, signed_by
from simulator.options import Options
from simulator.problem import Refused
from simulator.weather import ALL, Weather
from simulator.world import Device, Message, Phone, World, digits, now

PAIRING_SECONDS = 15
CODE_SECONDS = 180
_LETTERS = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
_FLAGS = ("outdated", "passkey", "stall-sync", "half-page")


class Service:
    def __init__(self, world: World, weather: Weather, options: Options) -> None:
        self._world = world
        self._weather = weather
        self._options = options
        self._lines: set[Line] = set()
        self._active: dict[str, Line] = {}
        self._owners: dict[str, str] = {}
        self._flags: dict[str, set[str]] = {name: set() for name in _FLAGS}
        self._heard = {
            "hello": self._hello,
            "login": self._login,
            "proof": self._proof,
            "refs": self._refs,
            "showing": self._showing,
            "draw": self._draw,
            "code": self._code,
            "paired": self._paired,
            "refused": self._refused,
            "unlink": self._unlink,
            "takeover": self._takeover,
            "message": self._message,
            "received": self._received,
            "ping": self._ping,
        }

    # --- what the site asks ------------------------------------------------------------------------------------

    async def opened(self, line: Line) -> None:
        self._lines.add(line)

    def closed(self, line: Line) -> None:
        self._lines.discard(line)
        line.close()
        if line.device and self._active.get(line.device.wid) is line:
            del self._active[line.device.wid]

    async def heard(self, line: Line, order: Order) -> None:
        answer = self._heard.get(order.get("do", ""))
        if answer:
            await answer(line, order)

    def hang_up(self) -> None:
        for line in list(self._lines):
            line.wire.abort()

    def owner(self, cookie: str) -> str | None:
        return self._owners.get(cookie)

    def flags(self, phone: str | None) -> Collection[str]:
        return {name for name, phones in self._flags.items() if ALL in phones or phone in phones}

    # --- before anybody is logged in ---------------------------------------------------------------------------

    async def _hello(self, line: Line, order: Order) -> None:
        line.keys = order
        await self._say(line, "unpaired")

    async def _refs(self, line: Line, _order: Order) -> None:
        options = self._options
        refs = line.new_refs(options.refs, options.first_ref_seconds, options.ref_seconds)
        await self._say(line, "refs", refs=refs)

    async def _showing(self, line: Line, order: Order) -> None:
        line.showing(order["ref"])

    async def _draw(self, line: Line, order: Order) -> None:
        drawn = segno.make(order["text"], error="l", micro=False)
        rows = io.StringIO()
        drawn.save(rows, kind="txt", border=4)
        await self._say(line, "drawing", text=order["text"], rows=rows.getvalue().split())

    async def _code(self, line: Line, order: Order) -> None:
        try:
            number = digits(order["phone"])
        except Refused as refusal:
            await self._say(line, "noCode", why=str(refusal))
            return
        code = "".join(secrets.choice(_LETTERS) for _ in range(8))
        line.code = (code, number, order["secret"])
        line.later(CODE_SECONDS, lambda: _forget_code(line, code))
        await self._say(line, "code", code=code)

    # --- pairing -----------------------------------------------------------------------------------------------

    async def pair(self, text: str, number: str | None = None) -> str:
        """A phone reads `text` off a screen. The device's wid, once the page keeps the pairing. Raises Refused."""
        parts = text.strip().rpartition("#")[2].split(",")
        if len(parts) < 5:
            raise Refused("this is no code of WhatsApp Web: it needs a ref, three keys and a platform")
        ref, noise, identity, secret = parts[:4]
        line = next((line for line in self._lines if line.knows(ref)), None)
        if line is None:
            raise Refused("no page shows this code now: it was replaced by a newer one, or the page is gone")
        if (noise, identity) != (line.keys["noise"], line.keys["identity"]):
            raise Refused("the code's keys aren't those of the page that shows it")
        line.shown = None
        return await self._pair(line, secret, number)

    async def pair_code(self, code: str, number: str) -> str:
        """A code typed on the phone of that number. As `pair`."""
        typed = code.replace("-", "").replace(" ", "").upper()
        line = next((line for line in self._lines if line.code and line.code[0] == typed), None)
        if line is None or line.code is None:
            raise Refused("no page shows this code, or it's older than three minutes")
        _, wanted, secret = line.code
        if digits(number) != wanted:
            raise Refused("the code was made for another phone number")
        line.code = None
        return await self._pair(line, secret, number)

    async def _pair(self, line: Line, secret: str, number: str | None) -> str:
        phone = self._world.phone_or_new(number)
        try:
            if phone.banned:
                raise Refused(f"{phone.number} is banned")
            keys = line.keys
            device = phone.link(keys["noise"], keys["identity"], keys["signer"])
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            line.pairing = (phone, device, done)
            made = proof(secret, device.wid, keys["identity"])
            await self._say(line, "pair", wid=device.wid, lid=device.lid, name=phone.name, proof=made)
            await asyncio.wait_for(done, PAIRING_SECONDS)
        except TimeoutError:
            raise Refused("the page did not confirm the pairing in time") from None
        finally:
            line.pairing = None
            self._world.forget_if_empty(phone)
        return device.wid

    async def _paired(self, line: Line, order: Order) -> None:
        if line.pairing and order["wid"] == line.pairing[1].wid:
            phone, device, done = line.pairing
            phone.devices[device.wid] = device
            self._world.save()
            self._owners[line.wire.cookie] = phone.number
            if not done.done():
                done.set_result(None)

    async def _refused(self, line: Line, _order: Order) -> None:
        if line.pairing and not line.pairing[2].done():
            line.pairing[2].set_exception(Refused("the page refused: the code's secret isn't its own"))

    # --- logging in --------------------------------------------------------------------------------------------

    async def _login(self, line: Line, order: Order) -> None:
        known = self._world.device(order["wid"])
        if known is None or known[1].unlinked or known[1].noise != order["noise"]:
            await self._say(line, "logout", reason=known[1].reason if known else None)
            return
        await self._say(line, "challenge", nonce=line.challenge(order["wid"]))

    async def _proof(self, line: Line, order: Order) -> None:
        nonce, line.nonce = line.nonce, None
        known = self._world.device(line.claimed or "")
        if nonce is None or known is None or not signed_by(known[1].signer, nonce, order["signature"]):
            await self._say(line, "logout", reason=None)
            return
        line.phone, line.device = known
        number = line.phone.number
        self._owners[line.wire.cookie] = number
        if self._weather.cut(number):
            line.wire.abort()
            return
        if line.phone.banned:
            await self._say(line, "banned")
        elif "outdated" in self.flags(number):
            await self._say(line, "outdated")
        else:
            await self._connect(line)

    async def _connect(self, line: Line) -> None:
        phone, device = line.phone, line.device
        if phone is None or device is None:
            return
        before = self._active.get(device.wid)
        self._active[device.wid] = line
        if before and before is not line:
            await self._say(before, "conflict")
        await self._say(line, "connected", name=phone.name)
        for message in list(device.queue):
            await self._deliver(line, message)
        if "stall-sync" not in self.flags(phone.number):
            line.later(self._options.sync_seconds, lambda: self._synced(line))

    async def _synced(self, line: Line) -> None:
        line.synced = True
        await self._say(line, "synced")

    async def _takeover(self, line: Line, _order: Order) -> None:
        await self._connect(line)

    async def _unlink(self, line: Line, _order: Order) -> None:
        if line.device:
            await self._log_out(line.device, None)

    async def _ping(self, line: Line, _order: Order) -> None:
        await self._say(line, "pong")

    # --- messages ----------------------------------------------------------------------------------------------

    async def _message(self, line: Line, order: Order) -> None:
        if line.phone is None:
            return
        if order["id"] not in {known.id for known in line.phone.sent}:
            line.phone.sent.append(Message(order["id"], order["chat"], order["body"], now()))
            self._world.save()
        for ack in (1, 2):
            await self._say(line, "ack", id=order["id"], chat=order["chat"], ack=ack)

    async def _received(self, line: Line, order: Order) -> None:
        if line.device:
            line.device.queue = [waiting for waiting in line.device.queue if waiting.id != order["id"]]
            self._world.save()

    async def _deliver(self, line: Line, message: Message) -> None:
        await self._say(
            line, "message",
            id=message.id, chat=message.chat, body=message.body, time=message.time, own=message.own,
        )  # fmt: skip

    async def send(self, number: str, chat: str, body: str, *, own: bool = False) -> str:
        """Somebody writes to the phone, or (`own`) the phone's owner on it; it waits for devices that are away.

        The message's id: an iPhone's kind."""
        phone = self._world.phone(number)
        chat = chat if "@" in chat else f"{digits(chat)}@c.us"
        message = Message(f"3A{secrets.token_hex(9).upper()}", chat, body, now(), own)
        for device in phone.linked:
            device.queue.append(message)
            if line := self._active.get(device.wid):
                await self._deliver(line, message)
        self._world.save()
        return message.id

    # --- what befalls phones -----------------------------------------------------------------------------------

    async def logout(self, number: str, reason: int | None = None) -> int:
        """Unlinks all devices of a phone; those that are away learn it when they come back. How many there were."""
        phones = self._phones(number)
        linked = [device for phone in phones for device in phone.linked]
        for device in linked:
            await self._log_out(device, reason)
        return len(linked)

    async def _log_out(self, device: Device, reason: int | None) -> None:
        device.unlinked, device.reason = True, reason
        device.queue.clear()
        self._world.save()
        line = self._active.pop(device.wid, None)
        if line:
            await self._say(line, "logout", reason=reason)

    def weather(self, number: str, *, cut: bool | None = None, frozen: bool | None = None) -> None:
        """Cuts, mends, freezes or thaws the network of one phone, or of all with `*`."""
        name = ALL if number == ALL else self._world.phone(number).number
        self._weather.change(name, cut=cut, frozen=frozen)
        for line in list(self._lines):
            if self._weather.cut(self._number(line)):
                line.wire.abort()

    async def ban(self, number: str, banned: bool = True) -> None:
        for phone in self._phones(number):
            phone.banned = banned
            if banned:
                await self._tell(phone.number, "banned")
        self._world.save()

    async def flag(self, number: str, name: str, wanted: bool) -> None:
        """Sets what pages of this phone meet from now on: outdated, passkey, stall-sync, half-page."""
        phone = ALL if number == ALL else self._world.phone(number).number
        if wanted:
            self._flags[name].add(phone)
            if name == "outdated":
                await self._tell(number, name)
            elif name == "passkey":
                await self._tell(number, name, unpaired=True)
        elif phone == ALL:
            self._flags[name].clear()
        else:
            self._flags[name].discard(phone)

    async def tell(self, number: str, order: str) -> int:
        """Makes the pages of a phone conflict, hang, forget, or break. How many there were."""
        return await self._tell(number, order)

    async def _tell(self, number: str, order: str, *, unpaired: bool = False) -> int:
        name = number if number == ALL else self._world.phone(number).number
        lines = [
            line
            for line in self._lines
            if name == ALL or self._number(line) == name or (unpaired and not line.phone)
        ]
        for line in lines:
            await self._say(line, order)
        return len(lines)

    def status(self) -> dict[str, Any]:
        return {
            "pages": [
                {
                    "phone": line.phone.number if line.phone else None,
                    "device": line.device.wid if line.device else None,
                    "active": bool(line.device and self._active.get(line.device.wid) is line),
                    "synced": line.synced,
                    "showing": line.shown is not None,
                    "code": line.code is not None,
                }
                for line in self._lines
            ],
            "phones": [
                {
                    "number": phone.number,
                    "name": phone.name,
                    "banned": phone.banned,
                    "devices": [
                        {
                            "wid": device.wid,
                            "linked": not device.unlinked,
                            "online": device.wid in self._active,
                            "waiting": len(device.queue),
                        }
                        for device in phone.devices.values()
                    ],
                    "sent": [{"id": one.id, "chat": one.chat, "body": one.body} for one in phone.sent],
                }
                for phone in self._world.phones.values()
            ],
            "network": self._weather.report(),
            "flags": {name: sorted(phones) for name, phones in self._flags.items() if phones},
        }

    def phone(self, number: str) -> Phone:
        return self._world.phone(number)

    # --- small things ------------------------------------------------------------------------------------------

    def _phones(self, number: str) -> list[Phone]:
        return list(self._world.phones.values()) if number == ALL else [self._world.phone(number)]

    def _number(self, line: Line) -> str | None:
        return line.phone.number if line.phone else self.owner(line.wire.cookie)

    async def _say(self, line: Line, do: str, **values: object) -> None:
        if self._weather.frozen(self._number(line)):
            line.later(0, lambda: self._say_when_thawed(line, do, values))
            return
        # The page may be gone while it is spoken to; its handler notices and tidies up.
        with contextlib.suppress(ConnectionError):
            await line.say(do, **values)

    async def _say_when_thawed(self, line: Line, do: str, values: dict[str, object]) -> None:
        await self._weather.thawed(lambda: self._number(line))
        with contextlib.suppress(ConnectionError):
            await line.say(do, **values)


async def _forget_code(line: Line, code: str) -> None:
    if line.code and line.code[0] == code:
        line.code = None
