"""How each fault is brought about, on any subject. Each returns when the fault is over and the subject may recover."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from drill.campaign import Round
from drill.faults import Fault
from drill.subject import Impossible, Phone, Restart, Subject, Victim
from drill.volume import Disk
from drill.wire import Weather
from simulator.problem import Refused

_QR_SECONDS = 60
_PAIRED_SECONDS = 30
_KILLED_SECONDS = 20
_SCAN_TRIES = 20


async def befall(subject: Subject, phone: Phone, round_: Round) -> str:
    """A note on what was done, empty when there is nothing to add. Raises Impossible when it could not be done."""
    return await _WAYS[round_.fault](subject, phone, round_) or ""


async def scan(subject: Subject, phone: Phone, within: float = _QR_SECONDS) -> None:
    """Waits for a QR and scans it. Raises Impossible when none can be scanned."""
    if not await subject.log.until(lambda ledger: ledger.showing, within):
        raise Impossible("no QR came")
    for _ in range(_SCAN_TRIES):
        try:
            await phone.scan(await subject.code())
            return
        except Refused:
            # Read just as it was replaced by the next one, or before it could be read: a person looks again.
            await asyncio.sleep(0.25)
    raise Impossible("its QR cannot be scanned")


async def _kill_browser(subject: Subject, _phone: Phone, _round: Round) -> None:
    await subject.kill(Victim.BROWSER)


async def _kill_renderer(subject: Subject, _phone: Phone, _round: Round) -> None:
    await subject.kill(Victim.RENDERER)


async def _kill_bot(subject: Subject, _phone: Phone, _round: Round) -> None:
    await subject.kill(Victim.BOT)


async def _kill_all(subject: Subject, _phone: Phone, _round: Round) -> None:
    await subject.kill(Victim.ALL)
    await subject.start()


async def _stop(subject: Subject, _phone: Phone, _round: Round) -> None:
    await subject.stop()
    await subject.start()


_Change = Callable[[Subject], Awaitable[None]]


def _for_a_while(begin: _Change, end: _Change) -> Callable[[Subject, Phone, Round], Awaitable[None]]:
    async def change(subject: Subject, _phone: Phone, round_: Round) -> None:
        await begin(subject)
        try:
            await asyncio.sleep(round_.hold)
        finally:
            await end(subject)

    return change


def _weather(weather: Weather) -> Callable[[Subject, Phone, Round], Awaitable[None]]:
    return _for_a_while(lambda it: it.weather(weather), lambda it: it.weather(Weather.FINE))


async def _halt(subject: Subject, round_: Round) -> None:
    if round_.hard:
        await subject.kill(Victim.ALL)
    else:
        await subject.stop()


async def _dns(subject: Subject, _phone: Phone, round_: Round) -> None:
    """At a start: a browser that runs remembers the address."""
    await _halt(subject, round_)
    await subject.names(False)
    try:
        await subject.start()
        await asyncio.sleep(round_.hold)
    finally:
        await subject.names(True)


async def _offline_start(subject: Subject, _phone: Phone, round_: Round) -> None:
    await _halt(subject, round_)
    await subject.weather(Weather.FROZEN if round_.way == 0 else Weather.CUT)
    try:
        await subject.start()
        await asyncio.sleep(round_.hold)
    finally:
        await subject.weather(Weather.FINE)


async def _disk_full(subject: Subject, _phone: Phone, round_: Round) -> None:
    disk = _disk(subject)
    await disk.fill()
    try:
        if round_.hard:
            await subject.kill(Victim.ALL)
            await subject.start()
        await asyncio.sleep(round_.hold)
    finally:
        await disk.free()


async def _out_of_memory(subject: Subject, _phone: Phone, _round: Round) -> None:
    if not await subject.starve(_KILLED_SECONDS):
        raise Impossible("the kernel killed nothing")


async def _logout_up(_subject: Subject, phone: Phone, _round: Round) -> None:
    """Whoever waits for READY afterwards scans the QR: that one comes belongs to the question."""
    await phone.unlink()


async def _logout_down(subject: Subject, phone: Phone, round_: Round) -> None:
    await _halt(subject, round_)
    await phone.unlink()
    await subject.start()


async def _late_scan(subject: Subject, phone: Phone, round_: Round) -> None:
    await phone.unlink()
    if not await subject.log.until(lambda ledger: ledger.showing, _QR_SECONDS):
        raise Impossible("no QR came")
    await asyncio.sleep(round_.scan)
    await scan(subject, phone)
    await asyncio.sleep(round_.delay)
    await _kill_all(subject, phone, round_)


async def _early_kill(subject: Subject, phone: Phone, round_: Round) -> str:
    """Counted from the phone's reading of the code (`hard`) or from its word that the device is linked."""
    await phone.unlink()
    if not await subject.log.until(lambda ledger: ledger.showing, _QR_SECONDS):
        raise Impossible("no QR came")
    if round_.hard:
        code = await _code(subject)
        reading = asyncio.ensure_future(phone.scan(code))
        await asyncio.sleep(round_.delay)
    else:
        await scan(subject, phone)
        await asyncio.sleep(round_.delay)
    await subject.kill(Victim.ALL)
    note = "linked"
    if round_.hard:
        try:
            await reading
        except Refused:
            note = "not linked: the kill came first"
    await subject.start()
    return note


async def _code(subject: Subject) -> str:
    for _ in range(_SCAN_TRIES):
        try:
            return await subject.code()
        except Refused:
            await asyncio.sleep(0.25)
    raise Impossible("its QR cannot be read")


async def _damage(subject: Subject, _phone: Phone, round_: Round) -> str:
    await subject.stop()
    try:
        files = subject.files()
        if not files:
            raise Impossible("there is no file to damage")
        path = files[int(round_.target * len(files))]
        content = path.read_bytes()
        match round_.way:
            case 0:
                path.write_bytes(content[: len(content) // 2])
            case 1:
                path.unlink()
            case _:
                path.write_bytes(bytes(byte ^ 0xA5 for byte in content))
        how = ("cut in half", "deleted", "garbage")[round_.way]
        note = f"{path.relative_to(subject.volume.path)} {how}"
        subject.log.note("damage", what=note)
        return note
    finally:
        await subject.start()


async def _recreate(subject: Subject, _phone: Phone, _round: Round) -> None:
    await subject.make_anew()


async def _engine_restart(subject: Subject, _phone: Phone, round_: Round) -> str:
    how = list(Restart)[round_.way]
    await subject.restart_engine(how)
    await subject.start()  # as `watch` does: an engine that crashed may leave its bots down
    return how.name.lower()


async def _power_cut(subject: Subject, phone: Phone, round_: Round) -> str:
    disk = _disk(subject)
    if round_.fresh:
        await phone.unlink()
        await scan(subject, phone)
        # Only what was reported is promised.
        if not await subject.log.until(lambda ledger: ledger.linked and ledger.reported, _PAIRED_SECONDS):
            raise Impossible("the pairing was never reported")
        await asyncio.sleep(round_.delay)
    snapshot = await disk.snapshot()
    await subject.kill(Victim.ALL)
    await disk.come_back_as(snapshot)
    await subject.start()
    return "after a fresh pairing" if round_.fresh else ""


def _disk(subject: Subject) -> Disk:
    if not isinstance(subject.volume, Disk):
        raise Impossible("its volume is no disk of its own")
    return subject.volume


_WAYS: dict[Fault, Callable[[Subject, Phone, Round], Awaitable[str | None]]] = {
    Fault.KILL_BROWSER: _kill_browser,
    Fault.KILL_RENDERER: _kill_renderer,
    Fault.KILL_BOT: _kill_bot,
    Fault.KILL_ALL: _kill_all,
    Fault.STOP: _stop,
    Fault.CUT: _weather(Weather.CUT),
    Fault.UNPLUG: _for_a_while(lambda it: it.plug(False), lambda it: it.plug(True)),
    Fault.FREEZE: _weather(Weather.FROZEN),
    Fault.PAUSE: _for_a_while(lambda it: it.pause(True), lambda it: it.pause(False)),
    Fault.REFUSED: _weather(Weather.REFUSED),
    Fault.DNS: _dns,
    Fault.OFFLINE_START: _offline_start,
    Fault.DISK_FULL: _disk_full,
    Fault.OUT_OF_MEMORY: _out_of_memory,
    Fault.LOGOUT_UP: _logout_up,
    Fault.LOGOUT_DOWN: _logout_down,
    Fault.LATE_SCAN: _late_scan,
    Fault.EARLY_KILL: _early_kill,
    Fault.DAMAGE: _damage,
    Fault.RECREATE: _recreate,
    Fault.ENGINE_RESTART: _engine_restart,
    Fault.POWER_CUT: _power_cut,
}
