"""A campaign from the command's options to its verdicts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill import house, machine
from drill.campaign import FULL, QUICK, campaign
from drill.faults import Fault, Need, possible
from drill.judge import Verdict
from drill.peer import CLIENT
from drill.processhome import KINDS, ProcessHome

CONTAINER = "container"


class NoPeer(Exception):
    """whatsapp-web.js is not there and cannot be fetched; the text is npm's."""


@dataclass(frozen=True)
class Wanted:
    """`limit`: seconds to READY. `full`: the waits of real life, in which a campaign takes hours."""

    subject: str
    rounds: int
    seed: int
    faults: tuple[Fault, ...]
    parallel: int
    limit: float
    keep: Path
    full: bool = False


def faults_here(wanted: Wanted) -> tuple[tuple[Fault, ...], dict[Fault, Need], frozenset[Need]]:
    """What will be drilled; what cannot be; what the machine is able to do."""
    if wanted.subject == CONTAINER:
        # Only who drills containers pays for what asks an engine.
        from drill import containerhome  # noqa: PLC0415

        abilities = containerhome.abilities()
    else:
        abilities = machine.abilities() | {Need.FILES, Need.RELAY}
    here, missing = possible(wanted.faults, abilities)
    return here, missing, abilities


def run(
    wanted: Wanted,
    faults: tuple[Fault, ...],
    abilities: frozenset[Need],
    on_verdict: Callable[[Verdict], None],
) -> list[Verdict]:
    """Raises Impossible when a subject cannot even be paired, NoPeer, KeyboardInterrupt."""
    if wanted.subject == "peer":
        install_peer()
    rounds = campaign(wanted.seed, wanted.rounds, faults, FULL if wanted.full else QUICK)

    async def at(home: house.Home) -> list[Verdict]:
        plan = house.Plan(rounds, home, wanted.keep, wanted.parallel, wanted.limit)
        return await house.run(plan, on_verdict)

    async def drill(folder: Path) -> list[Verdict]:
        if wanted.subject != CONTAINER:
            return await at(ProcessHome(KINDS[wanted.subject], folder, abilities))
        from drill import containerhome  # noqa: PLC0415

        async with containerhome.opened(folder, faults) as home:
            return await at(home)

    with tempfile.TemporaryDirectory(prefix="oturum-drill-") as folder:
        try:
            return asyncio.run(_heeding(drill(Path(folder))))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


async def _heeding(campaign_: Coroutine[Any, Any, list[Verdict]]) -> list[Verdict]:
    """Ctrl-C, SIGTERM and the end of the terminal end the campaign's tasks in order: an exception out of nowhere would
    leave mounts behind, and a death on the spot its bots.
    """
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:  # started with nohup
            continue
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await campaign_


def install_peer() -> None:
    """From the lock file, each package checked by its hash; nothing happens when it is there. Raises NoPeer."""
    folder = CLIENT.parent
    if (folder / "node_modules" / ".package-lock.json").exists():
        return
    try:
        subprocess.run(
            ["npm", "ci", "--ignore-scripts"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PUPPETEER_SKIP_DOWNLOAD": "1"},
        )
    except FileNotFoundError as error:
        raise NoPeer(str(error)) from None
    except subprocess.CalledProcessError as error:
        raise NoPeer(error.stderr.strip()[-400:]) from None
