"""Homes of subjects that are processes: a simulator in this process, and a network and a disk of one's own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drill.faults import Need
from drill.house import hurry
from drill.memory import MemoryGroup
from drill.peer import Peer
from drill.phone import SimulatedPhone
from drill.process import ProcessSubject
from drill.robot import Robot
from drill.site import Here
from drill.subject import Phone, Subject
from drill.volume import Disk, Folder
from drill.wire import Wire
from simulator.options import Options
from simulator.running import Simulator

KINDS: dict[str, type[ProcessSubject]] = {"process": Robot, "peer": Peer}


@dataclass(frozen=True)
class ProcessHome:
    """`kind`: what is drilled. `folder`: for everything that is gone afterwards."""

    kind: type[ProcessSubject]
    folder: Path
    abilities: frozenset[Need] = frozenset()
    options: Options = field(default_factory=hurry)

    @asynccontextmanager
    async def __call__(self, name: str) -> AsyncIterator[tuple[Subject, Phone]]:
        async with Simulator(self.options) as simulator, Wire(simulator.port) as wire:
            subject = self._subject(name, wire, simulator.pin)
            try:
                yield subject, SimulatedPhone(Here(simulator.service), subject.log)
            finally:
                await subject.close()

    def _subject(self, name: str, wire: Wire, pin: str) -> ProcessSubject:
        folder = self.folder / name
        folder.mkdir(parents=True)
        group = None
        if Need.CGROUP in self.abilities:
            group = MemoryGroup(f"oturum-drill-{os.getpid()}-{name}")
            group.make()
        volume = Disk(folder) if Need.LOOP in self.abilities else Folder(folder)
        return self.kind(
            name, folder, volume, wire, pin, namespaces=Need.NAMESPACES in self.abilities, group=group
        )
