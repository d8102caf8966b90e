"""Session volumes, worked on by the bot's own code in short-lived containers: confined as a bot, without a network.

The manager itself never reads a volume. What goes in or out is a stream through the engine, so the engine
may be anywhere.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bot import archive
from bot.archive import Damaged, Manifest
from bot.contract import (
    LABEL_CLIENT_ID,
    LABEL_PROJECT,
    SESSION_MOUNT,
    STOP_GRACE_SECONDS,
    BotExit,
)
from bot.text import Catalogue
from manager import tools
from manager.app import UserError
from manager.confinement import one_shot_body
from manager.engine import Engine
from manager.fleet import Fleet
from manager.observed import Observed
from manager.problems import EngineError, EngineProblem
from manager.spec import volume_name
from manager.streams import STDOUT, IteratorFile, Running

Json = dict[str, Any]
_MEMORY = 256 * 1024 * 1024
_TOOL = ("python", "-m", "bot", "volume")
_BLOCK = 256 * 1024


class Refused(UserError):
    """The tool said no; `problem` is its own word for why (`bot.volume.VolumeProblem` and the like)."""

    def __init__(self, problem: str, message: str, fix: str) -> None:
        super().__init__(message, fix)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Volumes:
    """`say`: the language of whoever asked; the bot's own refusals come in it too."""

    engine: Engine
    fleet: Fleet
    image_id: str
    say: Catalogue

    def observe(self, clients: Iterable[str]) -> Observed:
        return self.engine.observe(
            self.fleet.project, (), [volume_name(self.fleet.project, each) for each in clients]
        )

    def browser_version(self, executable: str | None = None) -> str | None:
        """`executable`: as in the bot's settings; None: the image's own."""
        words = ["--executable", executable] if executable else []
        found = self._answer(None, ["browser", *words])["version"]
        return None if found is None else str(found)

    def look(self, client: str, *, verify: bool = False) -> Json:
        """Changes nothing; the volume must be there. Raises UserError, EngineError."""
        return self._answer(client, ["look", "--verify"] if verify else ["look"], read_only=True)

    def pin(self, client: str, number: int) -> None:
        self._answer(client, ["pin", str(number)])

    def rollback(self, client: str, number: int) -> Json:
        return self._answer(client, ["rollback", str(number)])

    def take(self, client: str, staged: str, members: Iterable[bytes]) -> Json:
        """Makes the volume and puts a session on it. `members`: an archive's, in the folder `staged` (`staging`).

        Raises UserError when there is one already, or when what arrived is not whole; Damaged from `members`.
        """
        project = self.fleet.project
        name = volume_name(project, client)
        was_there = any(each.name == name for each in self.observe([client]).volumes)
        self.engine.create_volume(name, project, client, self.image_id)
        damaged: list[Damaged] = []

        def given() -> Iterator[bytes]:
            try:
                yield from _blocks(chain(members, (archive.END,)))
            except OSError as error:  # of a file: the engine's client would take it for one of the connection
                damaged.append(Damaged(error.strerror or str(error), str(error.filename or "")))
                raise damaged[0] from error

        try:
            return self._answer(client, ["import", "--staged", staged], given=given())
        except BaseException as error:
            if not was_there:
                self._take_back(client)
            if isinstance(error, EngineError) and damaged:
                raise damaged[0] from error
            raise

    def _take_back(self, client: str) -> None:
        """A volume that was made for a session that did not come: gone, unless there is a session on it after all."""
        with suppress(UserError, EngineError):
            if not self.look(client)["present"]:
                self.engine.remove_volume(volume_name(self.fleet.project, client))

    def export(self, client: str) -> Iterator[tuple[Manifest, bytes]]:
        """The session as it passes by, each piece checked: the profile, or of a bot that runs its newest generation.

        Raises UserError when there is none, Damaged when what came was not whole.
        """
        with self._running(client, ["export"]) as running:
            output = _Output(running)
            try:
                yield from archive.repack(io.BufferedReader(output, _BLOCK))
            except Damaged:
                self._end(client, running, output)  # a refusal of the bot's own says more
                raise
            self._end(client, running, output)

    @contextmanager
    def stopped(self, client: str, tell: Callable[[str], None] = lambda key: None) -> Iterator[None]:
        """Inside, the bot has been seen stopped; if it ran it is started again afterwards, whatever happened.

        Raises VOLUME_IN_USE when a stranger's container runs on the volume. `tell`: stopping, starting.
        """
        observed = self.observe([client])
        volume = volume_name(self.fleet.project, client)
        if user := observed.volume_users.get(volume):
            raise EngineError(EngineProblem.VOLUME_IN_USE, f"container {user}", name=volume)
        running = [
            each
            for each in observed.containers
            if each.state.may_write and (each.volume == volume or each.client_id == client)
        ]
        begun = []
        try:
            for each in running:
                tell("stopping")
                begun.append(each)
                self.engine.stop(each.id, STOP_GRACE_SECONDS)
            yield
        finally:
            for each in begun:
                tell("starting")
                # A stop that was interrupted here goes on in the engine: a start before its end would do nothing.
                with suppress(EngineError):
                    self.engine.stop(each.id, STOP_GRACE_SECONDS)
                self.engine.start(each.id)

    def _answer(
        self,
        client: str | None,
        words: Sequence[str],
        *,
        read_only: bool = False,
        given: Iterable[bytes] | None = None,
    ) -> Json:
        with self._running(client, words, read_only=read_only, given=given) as running:
            output = _Output(running)
            said = io.BufferedReader(output, _BLOCK).read()
            return self._read(client, said, output.errors, running.wait())

    def _end(self, client: str, running: Running, output: _Output) -> None:
        """Raises UserError when the tool refused."""
        while output.read(_BLOCK):
            pass
        self._read(client, output.errors, output.errors, running.wait())

    def _read(self, client: str | None, said: bytes, errors: bytes, code: int) -> Json:
        """The tool's answer. Raises UserError with its own sentences, or with its last line when it has none."""
        try:
            answer = json.loads(said)
        except ValueError:
            answer = {}
        if code == BotExit.OK and isinstance(answer, dict):
            return answer
        error = answer.get("error") if isinstance(answer, dict) else None
        if not isinstance(error, dict):
            last = (errors.decode(errors="replace").strip() or f"exit code {code}").splitlines()[-1]
            raise UserError(self.say("volumes.failed", client=client or "-", detail=last))
        fix, problem = str(error.get("fix", "")), str(answer.get("problem", ""))
        if problem in ("no_generation", "has_session", "locked"):
            fix = self.say(f"volumes.{problem}_fix", client=client)
        message = str(error.get("message", "")).rstrip(".")
        raise Refused(problem, f"{client}: {message}.", fix)

    @contextmanager
    def _running(
        self,
        client: str | None,
        words: Sequence[str],
        *,
        read_only: bool = False,
        given: Iterable[bytes] | None = None,
    ) -> Iterator[Running]:
        project = self.fleet.project
        command = [*_TOOL, *words, "--json", "--language", self.say.language, "--client", client or ""]
        body = one_shot_body(self.image_id, command, _MEMORY)
        body["Labels"] = dict(tools.labels(project))
        if client:
            labels = {LABEL_PROJECT: project, LABEL_CLIENT_ID: client}
            body["HostConfig"]["Mounts"] = [
                {
                    "Type": "volume",
                    "Source": volume_name(project, client),
                    "Target": SESSION_MOUNT,
                    "ReadOnly": read_only,
                    "VolumeOptions": {"Labels": labels},
                }
            ]
        name = f"{project}-volume-{client or 'none'}-{secrets.token_hex(4)}"
        with self.engine.one_shot(body, name, given) as running:
            yield running


def staging() -> str:
    """A new name for the folder in which a session comes in."""
    return f"incoming-{secrets.token_hex(6)}"


class _Output(IteratorFile):
    """The tool's standard output as a file; its other stream is kept in `errors`."""

    def __init__(self, running: Running) -> None:
        self.errors = b""
        super().__init__(self._out(running))

    def _out(self, running: Running) -> Iterator[bytes]:
        for kind, data in running.frames:
            if kind == STDOUT:
                yield data
            else:
                self.errors += data


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Larger ones: each is a piece of the request's own framing."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= _BLOCK:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)
