"""The connection to a Docker engine. The only module that imports docker.

Written against Engine API 1.41 (Docker 20.10) and whatever newer engines still accept. Failures become
`EngineError`, never the SDK's own exceptions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

import docker
import docker.context
import docker.errors
import docker.tls
import docker.utils
import requests
from requests import exceptions as http
from urllib3 import exceptions as wire

from manager.problems import (
    EngineError,
    EngineProblem,
    connection_problem,
    innermost,
    problem_of,
    required_api,
)

API_VERSION = "1.41"
CONNECT_SECONDS = 10
READ_SECONDS = 120

# A connection that fails: before the answer, and while a stream is read.
BROKEN = (http.RequestException, wire.HTTPError, OSError)

Json = dict[str, Any]


class CallCounter:
    """How often the engine was asked: that a second `up` writes nothing can be seen, not only believed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reads = self.writes = self.execs = 0

    def count(self, method: str, path: str) -> None:
        with self._lock:
            if method in ("GET", "HEAD"):
                self.reads += 1
            elif "/exec" in path:
                self.execs += 1
            else:
                self.writes += 1


class _Api(docker.APIClient):
    """The SDK's low-level client, with every request counted and bounded in time."""

    def __init__(self, *args: Any, counter: CallCounter, **kwargs: Any) -> None:
        self._counter = counter
        super().__init__(*args, **kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        self._counter.count(request.method or "GET", request.path_url)
        read = kwargs.get("timeout")
        if not isinstance(
            read, tuple
        ):  # a redirected request comes here again with what it got the first time
            kwargs["timeout"] = (CONNECT_SECONDS, read)
        return super().send(request, **kwargs)

    def open_stream(
        self, method: str, path: str, *, timeout: float | None, **kwargs: Any
    ) -> requests.Response:
        """A raw answer to read at leisure.

        The SDK's own readers take no time limit (exec), may lose what came together with the headers
        (hijacked exec) and ask for the container's TTY setting first (logs).
        """
        url = f"{self.base_url}/v{self.api_version}{path}"
        response = self.request(method, url, stream=True, timeout=timeout, **kwargs)
        if response.status_code >= 400:
            docker.errors.create_api_error_from_http_exception(http.HTTPError(response=response))
        return response


class Connection:
    """One engine's address, and how anything is asked of it."""

    def __init__(self, host: str | None, tls: docker.tls.TLSConfig | None = None) -> None:
        """Asks the engine nothing. Raises EngineError (BAD_HOST, SSH_SUPPORT) for an impossible address."""
        self.host = host or "unix:///var/run/docker.sock"
        self._tls = tls
        self.calls = CallCounter()
        self._api = self._open(API_VERSION)

    @classmethod
    def connect(cls, environ: Mapping[str, str]) -> Self:
        """The docker command's own order: DOCKER_HOST (with DOCKER_TLS_VERIFY and DOCKER_CERT_PATH),
        DOCKER_CONTEXT, the chosen context, the local socket."""
        try:
            if environ.get("DOCKER_HOST"):
                found = docker.utils.kwargs_from_env(environment=dict(environ))
                return cls(found.get("base_url"), found.get("tls"))
            name = environ.get("DOCKER_CONTEXT") or None
            context = docker.context.ContextAPI.get_context(name)
            if context is None:
                raise EngineError(EngineProblem.BAD_HOST, f"docker context {name!r}", host=name)
            host = None if context.name == "default" else context.Host
            return cls(host, context.TLSConfig if host else None)
        except ValueError as error:  # a context's files that are no JSON
            raise EngineError(EngineProblem.BAD_HOST, str(error), host="docker context") from error
        except (docker.errors.DockerException, OSError) as error:
            raise EngineError(EngineProblem.TLS, str(error), host=environ.get("DOCKER_HOST", "")) from error

    def _open(self, version: str) -> _Api:
        try:
            return _Api(
                base_url=self.host,
                version=version,
                tls=self._tls or False,
                timeout=READ_SECONDS,
                counter=self.calls,
                max_pool_size=32,
            )
        except docker.errors.DockerException as error:
            problem = EngineProblem.SSH_SUPPORT if "paramiko" in str(error) else EngineProblem.BAD_HOST
            raise EngineError(problem, str(error), host=self.host) from error
        except BROKEN as error:
            raise self.connection_error(error) from error
        except ValueError as error:  # a port that is no number
            raise EngineError(EngineProblem.BAD_HOST, str(error), host=self.host) from error

    def ask(self, call: Callable[[Any], Any], **values: object) -> Any:
        """`call` with the SDK's errors translated; repeated with the engine's lowest API if ours is too old.

        `call` gets the client as Any: half of the SDK's low-level methods have no types.
        """
        try:
            try:
                return call(self._api)
            except docker.errors.APIError as error:
                needed = required_api(error.explanation or "")
                if needed is None or needed == self._api.api_version:
                    raise
                self._api = self._open(needed)
                return call(self._api)
        except docker.errors.APIError as error:
            sentence = (error.explanation or str(error)).strip()
            values = {"host": self.host, "path": self.host.removeprefix("unix://"), **values}
            raise EngineError(problem_of(error.status_code, sentence), sentence, **values) from error
        except http.ReadTimeout as error:
            raise EngineError(EngineProblem.TIMEOUT, str(error), host=self.host, **values) from error
        except (http.JSONDecodeError, http.TooManyRedirects) as error:
            raise EngineError(EngineProblem.NOT_AN_ENGINE, str(error), host=self.host, **values) from error
        except BROKEN as error:
            raise self.connection_error(error) from error

    def connection_error(self, error: BaseException) -> EngineError:
        path = self.host.removeprefix("unix://")
        return EngineError(connection_problem(error), innermost(error), host=self.host, path=path)
