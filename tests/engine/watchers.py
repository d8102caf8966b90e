"""`watch` as people start it, and what is seen of its work from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT
from tests.cli.conftest import PROGRAM, ROOT
from tests.engine.conftest import TRIVIAL_IMAGE


class Watcher:
    """A watcher under way. Its log is read as it comes, and waited for."""

    def __init__(self, file: Path, host: str, *options: str, program: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "--file", str(file), "watch", "--listen", "127.0.0.1:0", "--json", *options],
            env=os.environ | {"DOCKER_HOST": host, "PYTHONPATH": str(program), "OTURUM_LANG": "en"},
            cwd=file.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []

    def until(self, event: str, **fields: object) -> dict[str, Any]:
        """The next line of this event with these fields."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            line: dict[str, Any] = json.loads(text)
            self.lines.append(line)
            if line["event"] == event and fields.items() <= line.items():
                return line
        pytest.fail(f"it ended before {event} {fields}: {self.lines}")

    def until_each(self, *events: str) -> None:
        """Lines of all these events, in whatever order."""
        assert self.process.stdout is not None
        missing = set(events)
        for text in self.process.stdout:
            self.lines.append(json.loads(text))
            missing.discard(self.lines[-1]["event"])
            if not missing:
                return
        pytest.fail(f"it ended before {missing}: {self.lines}")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        assert self.process.stdout is not None
        self.lines += [json.loads(text) for text in self.process.stdout]
        return self.process.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Watched:
    """A bots.yaml, and those who watch it."""

    def __init__(self, file: Path, project: str, host: str) -> None:
        self.file, self.project, self.host = file, project, host
        self.watchers: list[Watcher] = []

    def save(self, bots: Mapping[str, str]) -> None:
        self.file.write_text(text_of(self.project, bots))

    def begin(self, bots: Mapping[str, str] | None = None) -> Watcher:
        if bots is not None:
            self.save(bots)
        self.watchers.append(Watcher(self.file, self.host))
        return self.watchers[-1]

    def close(self) -> None:
        for each in self.watchers:
            each.close()


def text_of(project: str, bots: Mapping[str, str]) -> str:
    entries = "".join(f"  - {{clientId: {client}, memory: {memory}}}\n" for client, memory in bots.items())
    return f"project: {project}\nimage: {TRIVIAL_IMAGE}\n" + (
        f"bots:\n{entries}" if entries else "bots: []\n"
    )


def running(sdk: docker.APIClient, project: str) -> dict[str, tuple[str, str]]:
    """clientId -> which container, and since when it runs."""
    found = sdk.containers(filters={"label": f"{LABEL_PROJECT}={project}"})
    return {
        each["Labels"][LABEL_CLIENT_ID]: (
            each["Id"],
            sdk.inspect_container(each["Id"])["State"]["StartedAt"],
        )
        for each in found
    }


def fetch(address: str, path: str) -> str:
    with urllib.request.urlopen(f"{address}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def fetch_until(address: str, path: str, text: str) -> str:
    """What stands there once `text` is in it."""
    deadline = time.monotonic() + 30
    while text not in (found := fetch(address, path)):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found
