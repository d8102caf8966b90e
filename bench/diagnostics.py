"""What it costs to be told what a hundred bots went through: `diagnostics summary`, the whole process."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure, clock
from bot.contract import EventName, State
from bot.events import KEPT_FILES, MAX_BYTES
from manager.confinement import one_shot_body
from manager.engine import Engine
from manager.image import ensure
from manager.spec import volume_name
from setup.host import ROOT
from tests.stories import BEGIN, HOUR, Log

_BOTS = 100
_EVENTS = 10_000
_DIFFERENT = 4
_LIMIT = 3.0
_AGO = 20 * 24 * HOUR
_GIVEN = "/session/given"
_EVIDENCE = [
    "look=connection", "state=TIMEOUT", "stream=DISCONNECTED", "launched=120", "marker=ready",
    "last_ready=2026-11-18T00:00:00+00:00", "browser=142.0.7444.59", "stop_before=clean", "free=20480MiB",
]  # fmt: skip


def summary(engine: Engine, rounds: int) -> list[Figure]:
    image = ensure(engine, None, os.environ)
    samples: list[float] = []
    with _fleet(engine, image.id) as (project, size), TemporaryDirectory() as folder:
        file = Path(folder) / "bots.yaml"
        bots = "".join(f"  - clientId: bot-{number}\n" for number in range(_BOTS))
        file.write_text(f"project: {project}\nimage: {image.tag}\nbots:\n{bots}")
        for _ in range(rounds):
            with clock(samples):
                told = subprocess.run(
                    [
                        sys.executable,
                        "-m",
                        "manager",
                        "--file",
                        str(file),
                        "diagnostics",
                        "summary",
                        "--json",
                    ],
                    cwd=ROOT,
                    env=os.environ,
                    capture_output=True,
                    check=True,
                )
            found = [bot["events"] for bot in json.loads(told.stdout)["bots"]]
            if found != [_EVENTS] * _BOTS:
                raise RuntimeError(f"not every event was told of: {sum(found)}")
    note = f"{size / 1e6:.0f} MB of event logs, on volumes of bots that are gone"
    return [Figure(f"diagnostics: {_BOTS} bots with {_EVENTS} events each", "s", samples, _LIMIT, note=note)]


@contextmanager
def _fleet(engine: Engine, image: str) -> Iterator[tuple[str, int]]:
    """Volumes with logs, and how large these are together."""
    project = f"bench-{uuid.uuid4().hex[:8]}"
    names = [volume_name(project, f"bot-{number}") for number in range(_BOTS)]
    logs = [_busy(number) for number in range(_DIFFERENT)]
    body = one_shot_body(image, ["sh", "-c", _copying()], 256 << 20)
    mounts = [
        {"Type": "volume", "Source": name, "Target": f"/volumes/{number}"}
        for number, name in enumerate(names)
    ]
    body["User"] = "0"
    body["HostConfig"] |= {"ReadonlyRootfs": False, "CapDrop": [], "Mounts": mounts}
    try:
        for number, name in enumerate(names):
            engine.create_volume(name, project, f"bot-{number}")
        with engine.one_shot(body, f"{project}-fill", iter([_packed(logs)])) as filled:
            if filled.wait() != 0:
                raise RuntimeError("the volumes could not be filled")
        yield project, sum(len(logs[number % _DIFFERENT]) for number in range(_BOTS))
    finally:
        for name in names:
            engine.remove_volume(name)


def _copying() -> str:
    return (
        f"for n in $(seq 0 {_BOTS - 1}); do mkdir /volumes/$n/events && "
        f"cp {_GIVEN}/$((n % {_DIFFERENT}))/* /volumes/$n/events/ || exit 1; done"
    )


def _packed(logs: list[bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number, log in enumerate(logs):
            for name, part in _rotated(log).items():
                entry = tarfile.TarInfo(f"given/{number}/{name}")
                entry.size, entry.mode = len(part), 0o644
                archive.addfile(entry, io.BytesIO(part))
    return buffer.getvalue()


def _rotated(log: bytes) -> dict[str, bytes]:
    """As a bot rotates it. Raises RuntimeError where a bot would have kept less."""
    parts = [b""]
    for line in log.splitlines(keepends=True):
        if len(parts[-1]) + len(line) > MAX_BYTES:
            parts.append(b"")
        parts[-1] += line
    if len(parts) > KEPT_FILES + 1:
        raise RuntimeError("a bot does not keep as many events")
    newest_first = enumerate(reversed(parts))
    return {f"events.jsonl.{number}" if number else "events.jsonl": part for number, part in newest_first}


def _busy(seed: int) -> bytes:
    """A bot of a bad line: cut off again and again, restarted now and then, and one night long waiting for a scan."""
    dice = random.Random(seed)
    log = Log(f"bot-{seed}")
    log.now = time.time() - BEGIN.timestamp() - _AGO
    log.start().add(EventName.BOT_INIT, "success", "browser ready", browserVersion="142.0.7444.59")
    log.wait(9).ready("restart", 9.0)
    night = dice.randrange(3000, 7000)
    while len(log.lines) < _EVENTS:
        log.wait(dice.expovariate(1 / 300))
        if len(log.lines) >= night:
            night = _EVENTS
            log.enter(State.LOGGED_OUT).enter(State.STARTING)
            for number in range(1, 1000):
                log.wait(20).code("logout", number, session="absent", verdict="phone", evidence=_EVIDENCE)
            log.pair().wait(9).ready()
        elif dice.random() < 0.05:
            log.stop().wait(5).start().repair("restart").wait(9).ready("restart", 9.0)
        else:
            how = dice.choice(["page", "page", "page", "reload", "relaunch"])
            log.drop()
            for _ in range(dice.choice([1, 1, 2, 3])):
                log.repair(how)
            seconds = round(dice.expovariate(1 / 30), 3)
            log.wait(seconds).ready(how, seconds).add(
                "SESSION_KEPT", generation=len(log.lines), bytes=1, moment="live"
            )
    return b"".join(line.encode() + b"\n" for line in log.lines[:_EVENTS])
