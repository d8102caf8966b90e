"""What is read while it comes: a command's output, a container's log, events, the messages of a build."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from urllib3 import exceptions as wire

from bot.contract import LABEL_PROJECT
from manager.engine.connection import BROKEN, READ_SECONDS, Connection, Json
from manager.problems import EngineError, EngineProblem
from manager.streams import STDERR, STDOUT, ExecResult, frames, lines


class Streams(Connection):
    def exec(
        self, container: str, argv: list[str], timeout: float, environ: Mapping[str, str] | None = None
    ) -> ExecResult:
        """`argv` in a running container, without a shell; `timeout` in seconds; `environ` beside the container's own.

        Raises NOT_RUNNING, GONE, SLOW_EXEC.
        """
        more = dict(environ or {})
        made = self.ask(lambda api: api.exec_create(container, argv, environment=more), name=container)
        deadline = time.monotonic() + timeout
        out: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
        body = {"Detach": False, "Tty": False}
        path = f"/exec/{made['Id']}/start"
        try:
            response = self.ask(lambda api: api.open_stream("POST", path, json=body, timeout=timeout))
            with response:
                for stream, data in frames(response.raw):
                    out[stream].append(data)
                    if time.monotonic() > deadline:
                        raise EngineError(EngineProblem.SLOW_EXEC, name=container, seconds=timeout)
            code = self._exit_code(str(made["Id"]), deadline)
        except (wire.TimeoutError, TimeoutError) as error:
            raise EngineError(EngineProblem.SLOW_EXEC, str(error), name=container, seconds=timeout) from error
        except BROKEN as error:
            raise self.connection_error(error) from error
        stdout, stderr = (b"".join(out[key]).decode(errors="replace") for key in (STDOUT, STDERR))
        return ExecResult(code, stdout, stderr)

    def _exit_code(self, exec_id: str, deadline: float) -> int:
        # The stream ends a moment before the engine has noted the exit code.
        while True:
            found = self.ask(lambda api: api.exec_inspect(exec_id))
            if not found["Running"] and found["ExitCode"] is not None:
                return int(found["ExitCode"])
            if time.monotonic() > deadline:
                raise EngineError(EngineProblem.SLOW_EXEC, seconds=0, name=exec_id)
            time.sleep(0.01)

    def logs(
        self,
        container: str,
        *,
        follow: bool = False,
        tail: int | None = None,
        since_ns: int | None = None,
        stamped: bool = False,
    ) -> Iterator[str]:
        """Lines of stdout and stderr, oldest first; `follow` ends with the container.

        `stamped`: before each line stands when the engine got it (RFC 3339, UTC) and a space. `since_ns`: from that
        moment on, in nanoseconds since 1970.
        """
        params: dict[str, str] = {"stdout": "1", "stderr": "1", "follow": "1" if follow else "0"}
        params["timestamps"] = "1" if stamped else "0"
        params["tail"] = "all" if tail is None else str(tail)
        if since_ns is not None:
            params["since"] = f"{since_ns // 10**9}.{since_ns % 10**9:09d}"
        path = f"/containers/{container}/logs"
        limit = None if follow else READ_SECONDS
        response = self.ask(
            lambda api: api.open_stream("GET", path, params=params, timeout=limit), name=container
        )
        try:
            with response:
                yield from lines(response.raw)
        except BROKEN as error:
            raise self.connection_error(error) from error

    def events(self, project: str, since: float | None = None, kinds: Collection[str] = ()) -> Iterator[Json]:
        """Container events of one project until the connection ends (EngineError) or the reader leaves.

        When it returns, the engine is listening: nothing that happens from then on is missed. `kinds`: only these
        (a health check alone makes three others each time).
        """
        filters = {"type": ["container"], "label": [f"{LABEL_PROJECT}={project}"], "event": list(kinds)}
        stream = self.ask(lambda api: api.events(since=since, decode=True, filters=filters))
        return self._read(stream)

    def _read(self, stream: Iterator[Json]) -> Iterator[Json]:
        try:
            yield from stream
        except BROKEN as error:
            raise self.connection_error(error) from error

    def build(self, context: Any, **options: Any) -> Iterator[Json]:
        """The classic builder's messages. `context`: an open tar; `options`: as of `APIClient.build`."""
        stream = self.ask(
            lambda api: api.build(
                fileobj=context,
                custom_context=True,
                rm=True,
                forcerm=True,
                decode=True,
                timeout=3600,
                **options,
            )
        )
        return self._read(stream)
