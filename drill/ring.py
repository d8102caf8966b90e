"""One subject and its phone: makes it READY, plays its rounds, and hands each to the judge."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from drill.befall import befall, scan
from drill.campaign import Round
from drill.faults import ALONE
from drill.judge import Ledger, Verdict, judge
from drill.report import post_mortem
from drill.subject import Impossible, Phone, Subject, Victim
from drill.turns import Turns
from simulator.problem import Refused

# READY must hold for so long: a browser that was just killed is still taken for connected for a moment.
_HOLD_SECONDS = 1.0
_LOOK_SECONDS = 0.05

OnVerdict = Callable[[Verdict], None]


class Ring:
    """`limit`: seconds from a fault's end to READY, beyond which the subject hangs. `keep`: where post-mortems go."""

    def __init__(  # noqa: PLR0913, PLR0917
        self, subject: Subject, phone: Phone, limit: float, keep: Path, on_verdict: OnVerdict, turns: Turns
    ) -> None:
        self.subject = subject
        self.phone = phone
        self._limit = limit
        self._keep = keep
        self._on_verdict = on_verdict
        self._turns = turns
        self._before = Ledger()

    async def play(self, rounds: Sequence[Round]) -> list[Verdict]:
        """The first pairing is no round. Raises Impossible when even that fails."""
        await self.subject.volume.make()
        await self.subject.start()
        await scan(self.subject, self.phone)
        if await self._ready() is None:
            raise Impossible("not READY after the first pairing")
        self._before = self.subject.log.ledger_now()
        verdicts = []
        for each in rounds:
            async with self._turns.one(alone=each.fault in ALONE):
                verdicts.append(await self._play(each))
        return verdicts

    async def _play(self, round_: Round) -> Verdict:
        """What happened since the last round's end counts: a QR may take its time."""
        log = self.subject.log
        log.note("round", **round_.as_json())
        seconds: float | None
        befell, note, seconds = False, "not READY when the round began", 0.0
        if not log.ledger.ready:
            seconds = await self._ready()
        if seconds is not None:
            await asyncio.sleep(round_.moment)
            try:
                note, befell = await befall(self.subject, self.phone, round_), True
            except (Impossible, Refused) as reason:
                note = str(reason)
            seconds = await self._ready()
        verdict = judge(
            round_, self.subject.name, self._before, log.ledger_now(), seconds, befell=befell, note=note
        )
        log.note("verdict", **verdict.as_json())
        if verdict.befell and not verdict.passed:
            await self._post_mortem(verdict)
        self._on_verdict(verdict)
        if not log.ledger.ready or seconds is None:
            await self._recover()
        self._before = log.ledger_now()
        return verdict

    async def _ready(self) -> float | None:
        """Seconds until it was READY and stayed so, by its own word and the site's; None: not within the limit.

        Whoever sees a QR that is rightly shown scans it.
        """
        start = time.monotonic()
        since: float | None = None
        while (now := time.monotonic()) - start < self._limit:
            ledger = self.subject.log.ledger
            if ledger.ready and await self.phone.sees_device():
                since = since or now
                if now - since >= _HOLD_SECONDS:
                    return round(since - start, 3)
            else:
                since = None
            if ledger.showing:
                if ledger.linked:
                    await self.phone.replace()
                try:
                    await scan(self.subject, self.phone, 1)
                except Impossible:
                    self.subject.log.note("no_scan")
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _recover(self) -> None:
        """The next round begins with a subject that is READY, whatever it takes. Raises Impossible."""
        for _ in range(3):
            self.subject.log.note("recover")
            await self.subject.kill(Victim.ALL)
            await self.subject.start()
            if await self._ready() is not None:
                return
        # Its session is beyond help: somebody begins anew with an empty volume.
        await self.subject.kill(Victim.ALL)
        try:
            await self.phone.replace()
        except Refused as refusal:
            raise Impossible(f"not READY, and its phone: {refusal}") from None
        await self.subject.volume.remove()
        await self.subject.volume.make()
        await self.subject.start()
        if await self._ready() is None:
            raise Impossible("not READY, not even with an empty volume")

    async def _post_mortem(self, verdict: Verdict) -> None:
        folder = self._keep / post_mortem(verdict)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        log = await asyncio.to_thread(self.subject.log.file.read_bytes)
        await asyncio.to_thread((folder / "log.jsonl").write_bytes, log)
        (folder / "volume.txt").write_text(await self.subject.listing())
