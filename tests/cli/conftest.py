"""The program as people start it: `python -m manager`, its output captured or in a pseudo-terminal."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pexpect
import pytest

from bot.contract import BOT_UID
from tests.engine.conftest import (  # noqa: F401  fixtures
    TRIVIAL_IMAGE,
    engine,
    project,
    sdk,
    trivial_archive,
)

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "manager"]
SECONDS = 60
SHOWN_SECONDS = 30
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]")
_KEPT = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "TMPDIR")


def surroundings() -> dict[str, str]:
    """The same wherever the tests run: a test worker's own COLUMNS would outdo a terminal's size."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "OTURUM_LANG": "en"}


@dataclass(frozen=True)
class Ran:
    """A command that has ended. In a terminal everything is in `out`, escape sequences left out."""

    code: int
    out: str
    err: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Terminal:
    """A command under way in a pseudo-terminal."""

    def __init__(self, child: pexpect.spawn) -> None:
        self._child = child
        self._seen = io.StringIO()
        child.logfile_read = self._seen

    @property
    def pid(self) -> int:
        return int(self._child.pid)

    @property
    def seen(self) -> str:
        """All that was shown so far, escape sequences included."""
        return self._seen.getvalue()

    def expect(self, text: str) -> None:
        """Waits until this very text is shown."""
        self._child.expect_exact(text)

    def type(self, text: str) -> None:
        self._child.sendline(text)

    def interrupt(self) -> None:
        """Ctrl-C, as the terminal's line discipline sends it."""
        self._child.sendintr()

    def interrupt_question(self) -> None:
        """Ctrl-C, and again as a person would: Python sleeps through one between its prompt and its wait for keys."""
        while self._child.isalive():
            self.interrupt()
            if self._child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=10) == 0:
                return

    def end_of_input(self) -> None:
        """Ctrl-D."""
        self._child.sendeof()

    def end(self) -> Ran:
        self._child.expect(pexpect.EOF)
        self._child.close()
        code = self._child.exitstatus
        assert code is not None, f"ended by signal {self._child.signalstatus}"
        return Ran(code, _ESCAPES.sub("", self._seen.getvalue()).replace("\r\n", "\n"))

    def close(self) -> None:
        self._child.close(force=True)


@dataclass
class Cli:
    """`python -m manager` in `folder`, which is where its bots.yaml is."""

    folder: Path
    environ: dict[str, str]
    terminals: list[Terminal] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "bots.yaml"

    def bots(self, of: str, *clients: str, image: str = TRIVIAL_IMAGE, extra: str = "") -> None:
        """Writes bots.yaml. A client may bring keys of its own: `"one, memory: 256m"`. `extra`: further lines at
        the top of the file."""
        entries = "".join(f"  - {{clientId: {each}}}\n" for each in clients)
        text = f"project: {of}\nimage: {image}\n{extra}defaults: {{memory: 384m}}\n"
        self.file.write_text(text + (f"bots:\n{entries}" if entries else "bots: []\n"))

    def __call__(self, *args: str, stdin: str | None = None, **environ: str) -> Ran:
        """Runs it to its end without a terminal."""
        ended = subprocess.run(
            [*PROGRAM, *args],
            cwd=self.folder,
            env={**self.environ, **environ},
            input=stdin or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    def start(self, *args: str, **environ: str) -> subprocess.Popen[str]:
        """Starts it without a terminal; the caller sees to its end."""
        return subprocess.Popen(
            [*PROGRAM, *args],
            cwd=self.folder,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def terminal(self, *args: str, rows: int = 40, columns: int = 160, **environ: str) -> Terminal:
        child = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *args],
            cwd=str(self.folder),
            env={**self.environ, "TERM": "xterm-256color", **environ},
            dimensions=(rows, columns),
            timeout=SHOWN_SECONDS,
            encoding="utf-8",
        )
        self.terminals.append(Terminal(child))
        return self.terminals[-1]


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path, surroundings())
    yield made
    for terminal in made.terminals:
        terminal.close()


@pytest.fixture(scope="session")
def image_with(sdk: docker.APIClient, trivial_archive: bytes) -> Iterator[Callable[..., str]]:  # noqa: F811
    """Makes the trivial image with other lines of a Dockerfile, under a name that no other run of tests knows."""
    tags: list[str] = []

    def make(*lines: str) -> str:
        tags.append(f"oturum-test-{uuid.uuid4().hex[:8]}:1")
        repository, tag = tags[-1].split(":")
        changes = [f"USER {BOT_UID}:{BOT_UID}", *lines]
        sdk.import_image_from_data(trivial_archive, repository=repository, tag=tag, changes=changes)
        return tags[-1]

    yield make
    for tag in tags:
        sdk.remove_image(tag)


@pytest.fixture(scope="session")
def trivial_image(image_with: Callable[..., str]) -> str:
    return image_with('CMD ["sleep", "infinity"]')


@pytest.fixture
def fleet(cli: Cli, project: str, trivial_image: str) -> Callable[..., None]:  # noqa: F811
    """Writes a bots.yaml of these clients for a project of the test's own, which is swept up afterwards."""

    def write(*clients: str, **settings: str) -> None:
        cli.bots(project, *clients, **{"image": trivial_image, **settings})

    return write
