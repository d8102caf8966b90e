"""The event logs on the session volumes, whether their bots run, are stopped or are gone: through one container.

It takes an engine a third of a second to start one, with a hundred volumes as well as with one. The logs come packed:
a byte passes three processes and perhaps a network on its way here. The container is confined as a bot is, has no
network, and can write to none of them.
"""

from __future__ import annotations

import io
import json
import secrets
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT, LABEL_VERSION
from manager import collector, image, tools
from manager.confinement import one_shot_body
from manager.engine import Engine
from manager.fleet import Fleet
from manager.image import ImageProgress
from manager.observed import Observed
from manager.problems import EngineError, EngineProblem
from manager.streams import STDOUT, IteratorFile, Running

_MEMORY = 256 * 1024 * 1024
_BLOCK = 1 << 20
_AHEAD = 32  # logs that may wait to be understood; they are small


@dataclass(frozen=True, slots=True)
class EventLog:
    """`packed`: by zlib. `written`: when the session's own files were written last, in seconds since 1970.
    `problem`: why some of the log could not be read."""

    client_id: str
    packed: bytes
    written: float | None = None
    problem: str | None = None

    def lines(self) -> bytes:
        """All there is, oldest first."""
        return zlib.decompress(self.packed)


@dataclass(frozen=True, slots=True)
class EventLogs:
    """`on_progress`: told while an image is built, which is seldom needed."""

    engine: Engine
    fleet: Fleet
    environ: Mapping[str, str]
    on_progress: Callable[[ImageProgress], None] = lambda progress: None

    def read(self, observed: Observed, clients: Iterable[str]) -> Iterator[EventLog]:
        """The logs of those of `clients` that have a volume, one by one. Raises EngineError."""
        wanted, project = set(clients), self.fleet.project
        volumes = {each.client_id: each.name for each in observed.volumes if each.client_id in wanted}
        if not volumes:
            return
        tools.sweep(self.engine, project, alone=False)
        body = _body(project, self._image(observed), volumes)
        with self.engine.one_shot(body, f"{project}-volume-logs-{secrets.token_hex(4)}") as running:
            yield from _ahead(_logs(running, tuple(volumes)))

    def _image(self, observed: Observed) -> str:
        """Any that has a Python: the fleet's where it is there, else one of a bot's container, else a bot image of
        another version. Only where there is none at all it is built."""
        found = image.find(self.engine, self.fleet.image)
        if found.exists:
            return found.id
        used = {each.image_id for each in observed.containers if each.image_id}
        there = next(filter(None, map(self.engine.image_id, sorted(used))), None)
        there = there or next(iter(self.engine.images_with(LABEL_VERSION)), None)
        return there or image.ensure(self.engine, self.fleet.image, self.environ, self.on_progress).id


def _body(project: str, image_id: str, volumes: Mapping[str, str]) -> dict[str, Any]:
    program = Path(collector.__file__).read_text(encoding="utf-8")
    command = ["python", "-I", "-S", "-c", program, collector.FOLDER]
    body = one_shot_body(image_id, command, _MEMORY)
    body["Labels"] = dict(tools.labels(project))
    body["HostConfig"]["Mounts"] = [
        {
            "Type": "volume",
            "Source": name,
            "Target": f"{collector.FOLDER}/{number}",
            "ReadOnly": True,
            # Should it vanish just now, the engine makes it anew with this request: not as nobody's.
            "VolumeOptions": {"NoCopy": True, "Labels": {LABEL_PROJECT: project, LABEL_CLIENT_ID: client}},
        }
        for number, (client, name) in enumerate(volumes.items())
    ]
    return body


def _logs(running: Running, clients: Sequence[str]) -> Iterator[EventLog]:
    errors = bytearray()

    def said() -> Iterator[bytes]:
        for kind, data in running.frames:
            if kind == STDOUT:
                yield data
            else:
                errors.extend(data)

    stream = io.BufferedReader(IteratorFile(said()), _BLOCK)
    for client in clients:
        try:
            head = json.loads(stream.readline())
            packed = stream.read(head["bytes"])
        except ValueError:
            break
        if len(packed) != head["bytes"]:
            break
        yield EventLog(client, packed, head["written"], head["problem"])
    else:
        return
    last = (errors.decode(errors="replace").strip() or f"exit code {running.wait()}").splitlines()[-1]
    raise EngineError(EngineProblem.OTHER, f"event logs: {last}")


def _ahead(logs: Iterator[EventLog]) -> Iterator[EventLog]:
    """The next ones are read while one is understood."""
    ready: Queue[EventLog | Exception | None] = Queue(_AHEAD)

    def fetch() -> None:
        try:
            for each in logs:
                ready.put(each)
            ready.put(None)
        except Exception as error:
            ready.put(error)

    try:
        threading.Thread(target=fetch, daemon=True).start()
    except RuntimeError:  # no room for it
        yield from logs
        return
    while (found := ready.get()) is not None:
        if isinstance(found, Exception):
            raise found
        yield found
