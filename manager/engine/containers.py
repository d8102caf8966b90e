"""Containers: made, started, seen stopped, removed; and the short-lived ones that do one thing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from operator import methodcaller
from typing import Any

from bot.contract import SESSION_MOUNT
from manager.confinement import container_body, secrets_archive
from manager.engine.connection import BROKEN, READ_SECONDS, Json
from manager.engine.streams import Streams
from manager.problems import EngineError, EngineProblem
from manager.spec import ContainerSpec
from manager.streams import ExecResult, Running, frames

_REMOVAL_SECONDS = 30
_SILENT_SECONDS = 900


class Containers(Streams):
    def inspect(self, container: str) -> Json:
        found: Json = self.ask(lambda api: api.inspect_container(container), name=container)
        return found

    def cpu_seconds(self, container: str) -> float | None:
        """CPU time it has used since its start; None of one that does not run. Takes up to a second."""
        found: Json = self.ask(lambda api: api.stats(container, stream=False, one_shot=True), name=container)
        used = ((found.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage")
        return used / 1e9 if used else None

    def create(self, spec: ContainerSpec) -> str:
        """The container's id. Its secrets lie on its volume before it starts, or it is removed again."""
        body = container_body(spec)
        made = self.ask(
            lambda api: api.create_container_from_config(body, name=spec.name),
            name=spec.name,
            image=spec.image_id,
        )
        container = str(made["Id"])
        if spec.secrets:
            archive = secrets_archive(spec.secrets)
            try:
                self.ask(lambda api: api.put_archive(container, SESSION_MOUNT, archive), name=spec.name)
            except EngineError:
                self.remove(container)
                raise
        return container

    def start(self, container: str) -> None:
        """Nothing happens when it runs already. Raises GONE, CANNOT_START and what else the engine knows."""
        try:
            self.ask(lambda api: api.start(container), name=container)
        except EngineError as error:
            if error.problem is EngineProblem.OTHER:
                raise EngineError(EngineProblem.CANNOT_START, error.detail, name=container) from error
            raise

    def stop(self, container: str, grace_seconds: int) -> None:
        """Returns when the container is SEEN not running: its successor may then write to the volume.

        Raises GONE when it is not there, STILL_RUNNING when it outlived SIGKILL.
        """
        if self.inspect(container)["State"].get("Paused"):
            self.ask(lambda api: api.unpause(container), name=container)
        self.ask(lambda api: api.stop(container, timeout=grace_seconds), name=container)
        deadline = time.monotonic() + 10
        while (state := self.inspect(container)["State"]).get("Running") or state.get("Restarting"):
            if time.monotonic() > deadline:
                raise EngineError(EngineProblem.STILL_RUNNING, name=container, seconds=grace_seconds + 10)
            time.sleep(0.2)

    def remove(self, container: str) -> None:
        """Never by force, never with volumes: a running container is refused by the engine itself.

        Returns when its name is free. Raises GONE when it was not there.
        """
        try:
            self.ask(lambda api: api.remove_container(container, v=False, force=False), name=container)
        except EngineError as error:
            if "already in progress" not in error.detail:
                raise
            self._until_gone(container)

    def _until_gone(self, container: str) -> None:
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while time.monotonic() < deadline:
            try:
                self.inspect(container)
            except EngineError as error:
                if error.problem is EngineProblem.GONE:
                    return
                raise
            time.sleep(0.1)
        raise EngineError(EngineProblem.TIMEOUT, "removal in progress", host=self.host, name=container)

    def run(self, body: Json, timeout: float) -> ExecResult:
        """One short-lived container from a create body, removed afterwards whatever happens."""
        container = str(
            self.ask(lambda api: api.create_container_from_config(body), image=body["Image"])["Id"]
        )
        try:
            self.start(container)
            code = self.ask(lambda api: api.wait(container, timeout=timeout))["StatusCode"]
            return ExecResult(int(code), "\n".join(self.logs(container)), "")
        finally:
            self.ask(lambda api: api.remove_container(container, v=True, force=True))

    @contextmanager
    def one_shot(self, body: Json, name: str, given: Iterable[bytes] | None = None) -> Iterator[Running]:
        """A short-lived container whose output is read as it comes, and written down nowhere: it may be a session.

        `given`: a tar, unpacked where its volume is before it starts. Removed afterwards whatever happens.
        """
        body["HostConfig"]["LogConfig"] = {"Type": "none"}
        create = methodcaller("create_container_from_config", body, name=name)
        container = name  # until its answer is here it may have been made all the same
        try:
            container = str(self.ask(create, name=name, image=body["Image"])["Id"])
            if given is not None:
                self.ask(lambda api: api.put_archive(container, SESSION_MOUNT, given), name=name)
            path = f"/containers/{container}/attach?stream=1&stdout=1&stderr=1"
            with self.ask(lambda api: api.open_stream("POST", path, timeout=_SILENT_SECONDS)) as response:
                self.start(container)
                yield Running(self._frames(response.raw), lambda: self._end_of(container))
        except BaseException:
            with suppress(EngineError):
                self._remove_one_shot(container)
            raise
        self._remove_one_shot(container)

    def _remove_one_shot(self, container: str) -> None:
        self.ask(lambda api: api.remove_container(container, v=True, force=True))

    def _frames(self, stream: Any) -> Iterator[tuple[int, bytes]]:
        try:
            yield from frames(stream)
        except BROKEN as error:
            raise self.connection_error(error) from error

    def _end_of(self, container: str) -> int:
        return int(self.ask(lambda api: api.wait(container, timeout=READ_SECONDS))["StatusCode"])

    def sweep(self, label: str, dead_maker: str | None = None) -> None:
        """Removes containers with this label (`key=value`) that have run, or never will: what killed managers left.

        `dead_maker`: a label of those that were made by somebody who does not live any more.
        """
        maker, _, who = (dead_maker or "").partition("=")
        left = self.ask(lambda api: api.containers(all=True, filters={"label": [label]}))
        for each in left:
            old = time.time() - each["Created"] > _SILENT_SECONDS
            fed_by_nobody = old or bool(who and each["Labels"].get(maker) == who)
            if (each["State"] == "created" and fed_by_nobody) or each["State"] in ("exited", "dead"):
                with suppress(EngineError):
                    self.remove(each["Id"])
