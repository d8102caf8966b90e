"""The Docker engine. The only module that imports docker; plain blocking calls that threads may share.

Written against Engine API 1.41 (Docker 20.10) and whatever newer engines still accept. Answers are handed
on raw to `manager.observed`; failures become `EngineError`, never the SDK's own exceptions.
"""

from __future__ import annotations

import tarfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from operator import methodcaller
from typing import Any

import docker
import docker.context
import docker.errors
import docker.tls
import docker.utils
import requests
from requests import exceptions as http
from urllib3 import exceptions as wire

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT, SESSION_MOUNT
from manager import observed
from manager.confinement import container_body, secrets_archive, volume_look_body
from manager.problems import (
    EngineError,
    EngineProblem,
    connection_problem,
    innermost,
    problem_of,
    required_api,
)
from manager.spec import ContainerSpec, bridge_name, network_name
from manager.streams import STDERR, STDOUT, ExecResult, Running, frames, lines

API_VERSION = "1.41"
CONNECT_SECONDS = 10
READ_SECONDS = 120
_REMOVAL_SECONDS = 30
_NETWORK_SECONDS = 10
_SILENT_SECONDS = 900

# A connection that fails: before the answer, and while a stream is read.
_BROKEN = (http.RequestException, wire.HTTPError, OSError)

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


class Engine:
    def __init__(self, host: str | None, tls: docker.tls.TLSConfig | None = None) -> None:
        """Asks the engine nothing. Raises EngineError (BAD_HOST, SSH_SUPPORT) for an impossible address."""
        self.host = host or "unix:///var/run/docker.sock"
        self._tls = tls
        self.calls = CallCounter()
        self._api = self._open(API_VERSION)

    @classmethod
    def connect(cls, environ: Mapping[str, str]) -> Engine:
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
        except _BROKEN as error:
            raise self._connection_error(error) from error

    def _ask(self, call: Callable[[Any], Any], **values: object) -> Any:
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
        except _BROKEN as error:
            raise self._connection_error(error) from error

    def _connection_error(self, error: BaseException) -> EngineError:
        path = self.host.removeprefix("unix://")
        return EngineError(connection_problem(error), innermost(error), host=self.host, path=path)

    # ---- reading

    def observe(self, project: str, names: Collection[str], volumes: Collection[str]) -> observed.Observed:
        """Two list calls; a third for the network only while no running bot proves that it is there."""
        containers: list[Json] = self._ask(lambda api: api.containers(all=True))
        known: list[Json] = self._ask(lambda api: api.volumes())["Volumes"] or []
        network = network_name(project)
        networks: list[Json] | None = None
        if not any(_proves_network(each, project, network) for each in containers):
            networks = self._ask(lambda api: api.networks(names=[network]))
        return observed.from_engine(project, containers, known, networks, names, volumes)

    def image_id(self, reference: str) -> str | None:
        try:
            return str(self._ask(lambda api: api.inspect_image(reference))["Id"])
        except EngineError as error:
            if error.problem in (EngineProblem.IMAGE_MISSING, EngineProblem.GONE):
                return None
            raise

    def inspect(self, container: str) -> Json:
        found: Json = self._ask(lambda api: api.inspect_container(container), name=container)
        return found

    def info(self) -> Json:
        found: Json = self._ask(lambda api: api.info())
        return found

    def version(self) -> Json:
        found: Json = self._ask(lambda api: api.version())
        return found

    # ---- writing

    def create_network(self, name: str, project: str) -> None:
        """Nothing happens when it is there already (another manager was faster).

        Engines before 25 let two networks of one name be made at the same moment, and then no container can
        be created on either. They never let two have one bridge: the bridge's name decides who was first.
        """
        options = {"com.docker.network.bridge.name": bridge_name(name)}
        labels = {LABEL_PROJECT: project}
        deadline = time.monotonic() + _NETWORK_SECONDS
        while True:
            try:
                self._ask(
                    lambda api: api.create_network(
                        name, "bridge", check_duplicate=True, options=options, labels=labels
                    )
                )
                return
            except EngineError as error:
                if "already exists" in error.detail:
                    return
                if "same bridge name" not in error.detail or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def remove_network(self, name: str, project: str) -> bool:
        """False when it is not ours, not there, or still in use."""
        for network in self._ask(lambda api: api.networks(names=[name])):
            ours = (network.get("Labels") or {}).get(LABEL_PROJECT) == project
            if network["Name"] == name and ours:
                try:
                    self._ask(methodcaller("remove_network", network["Id"]))
                except EngineError as error:
                    if error.problem is EngineProblem.GONE or "active endpoints" in error.detail:
                        return False
                    raise
                return True
        return False

    def leave_network(self, network: str, container: str) -> None:
        """Takes a running container off a network; nothing happens when it is off it already."""
        if network in self.inspect(container)["NetworkSettings"]["Networks"]:
            call = methodcaller("disconnect_container_from_network", container, network)
            self._ask(call, name=container)

    def join_network(self, network: str, container: str) -> None:
        """Puts it back; nothing happens when it is on it already."""
        if network not in self.inspect(container)["NetworkSettings"]["Networks"]:
            call = methodcaller("connect_container_to_network", container, network)
            self._ask(call, name=container)

    def create_volume(self, name: str, project: str, client_id: str, image: str | None = None) -> None:
        """Idempotent. Raises FOREIGN_VOLUME when the name belongs to another project or to nobody known.

        One that an engine had half made when it died (`observed.half_made`) is replaced if it is seen to be
        empty, with the help of `image`; VOLUME_IN_USE when somebody holds it meanwhile.
        """
        labels = {LABEL_PROJECT: project, LABEL_CLIENT_ID: client_id}
        create = methodcaller("create_volume", name, labels=labels)
        made = self._ask(create, name=name)
        if image and observed.half_made(made) and self._is_empty(name, image, labels):
            self.remove_volume(name)
            made = self._ask(create, name=name)
        owner = (made.get("Labels") or {}).get(LABEL_PROJECT)
        if owner != project:
            raise EngineError(EngineProblem.FOREIGN_VOLUME, name=name, owner=owner or "-", project=project)

    def _is_empty(self, volume: str, image: str, labels: Mapping[str, str]) -> bool:
        """Seen through a container that is never started and, with `labels`, swept up should we die."""
        body = volume_look_body(volume, image, labels)
        container = str(self._ask(lambda api: api.create_container_from_config(body), image=image)["Id"])
        try:
            response = self._ask(
                lambda api: api.open_stream(
                    "GET",
                    f"/containers/{container}/archive",
                    params={"path": observed.LOOK_MOUNT},
                    headers={"Accept-Encoding": "identity"},
                    timeout=READ_SECONDS,
                )
            )
            with response, tarfile.open(fileobj=response.raw, mode="r|") as archive:
                return all(entry.isdir() and "/" not in entry.name.strip("/") for entry in archive)
        except EngineError as error:
            # It died even earlier: the volume's own folder is there, the one for what is in it isn't.
            if volume in error.detail and error.detail.endswith("no such file or directory"):
                return True
            raise
        except (*_BROKEN, tarfile.TarError) as error:
            raise self._connection_error(error) from error
        finally:
            self.remove(container)

    def remove_volume(self, name: str) -> None:
        """Raises VOLUME_IN_USE while any container, running or not, has it."""
        self._ask(lambda api: api.remove_volume(name), name=name)

    def create(self, spec: ContainerSpec) -> str:
        """The container's id. Its secrets lie on its volume before it starts, or it is removed again."""
        body = container_body(spec)
        made = self._ask(
            lambda api: api.create_container_from_config(body, name=spec.name),
            name=spec.name,
            image=spec.image_id,
        )
        container = str(made["Id"])
        if spec.secrets:
            archive = secrets_archive(spec.secrets)
            try:
                self._ask(lambda api: api.put_archive(container, SESSION_MOUNT, archive), name=spec.name)
            except EngineError:
                self.remove(container)
                raise
        return container

    def start(self, container: str) -> None:
        """Nothing happens when it runs already. Raises GONE, CANNOT_START and what else the engine knows."""
        try:
            self._ask(lambda api: api.start(container), name=container)
        except EngineError as error:
            if error.problem is EngineProblem.OTHER:
                raise EngineError(EngineProblem.CANNOT_START, error.detail, name=container) from error
            raise

    def stop(self, container: str, grace_seconds: int) -> None:
        """Returns when the container is SEEN not running: its successor may then write to the volume.

        Raises GONE when it is not there, STILL_RUNNING when it outlived SIGKILL.
        """
        if self.inspect(container)["State"].get("Paused"):
            self._ask(lambda api: api.unpause(container), name=container)
        self._ask(lambda api: api.stop(container, timeout=grace_seconds), name=container)
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
            self._ask(lambda api: api.remove_container(container, v=False, force=False), name=container)
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
            self._ask(lambda api: api.create_container_from_config(body), image=body["Image"])["Id"]
        )
        try:
            self.start(container)
            code = self._ask(lambda api: api.wait(container, timeout=timeout))["StatusCode"]
            return ExecResult(int(code), "\n".join(self.logs(container)), "")
        finally:
            self._ask(lambda api: api.remove_container(container, v=True, force=True))

    @contextmanager
    def one_shot(self, body: Json, name: str, given: Iterable[bytes] | None = None) -> Iterator[Running]:
        """A short-lived container whose output is read as it comes, and written down nowhere: it may be a session.

        `given`: a tar, unpacked where its volume is before it starts. Removed afterwards whatever happens.
        """
        body["HostConfig"]["LogConfig"] = {"Type": "none"}
        create = methodcaller("create_container_from_config", body, name=name)
        container = str(self._ask(create, name=name, image=body["Image"])["Id"])
        try:
            if given is not None:
                self._ask(lambda api: api.put_archive(container, SESSION_MOUNT, given), name=name)
            path = f"/containers/{container}/attach?stream=1&stdout=1&stderr=1"
            with self._ask(lambda api: api.open_stream("POST", path, timeout=_SILENT_SECONDS)) as response:
                self.start(container)
                yield Running(self._frames(response.raw), lambda: self._end_of(container))
        finally:
            self._ask(lambda api: api.remove_container(container, v=True, force=True))

    def _frames(self, stream: Any) -> Iterator[tuple[int, bytes]]:
        try:
            yield from frames(stream)
        except _BROKEN as error:
            raise self._connection_error(error) from error

    def _end_of(self, container: str) -> int:
        return int(self._ask(lambda api: api.wait(container, timeout=READ_SECONDS))["StatusCode"])

    def sweep(self, label: str) -> None:
        """Removes containers with this label (`key=value`) that have run, or never will: what killed managers left."""
        left = self._ask(lambda api: api.containers(all=True, filters={"label": [label]}))
        for each in left:
            forgotten = each["State"] == "created" and time.time() - each["Created"] > _SILENT_SECONDS
            if forgotten or each["State"] in ("exited", "dead"):
                with suppress(EngineError):
                    self.remove(each["Id"])

    # ---- talking to what runs

    def exec(
        self, container: str, argv: list[str], timeout: float, environ: Mapping[str, str] | None = None
    ) -> ExecResult:
        """`argv` in a running container, without a shell; `timeout` in seconds; `environ` beside the container's own.

        Raises NOT_RUNNING, GONE, SLOW_EXEC.
        """
        more = dict(environ or {})
        made = self._ask(lambda api: api.exec_create(container, argv, environment=more), name=container)
        deadline = time.monotonic() + timeout
        out: dict[int, list[bytes]] = {STDOUT: [], STDERR: []}
        body = {"Detach": False, "Tty": False}
        path = f"/exec/{made['Id']}/start"
        try:
            response = self._ask(lambda api: api.open_stream("POST", path, json=body, timeout=timeout))
            with response:
                for stream, data in frames(response.raw):
                    out[stream].append(data)
                    if time.monotonic() > deadline:
                        raise EngineError(EngineProblem.SLOW_EXEC, name=container, seconds=timeout)
            code = self._exit_code(str(made["Id"]), deadline)
        except (wire.TimeoutError, TimeoutError) as error:
            raise EngineError(EngineProblem.SLOW_EXEC, str(error), name=container, seconds=timeout) from error
        except _BROKEN as error:
            raise self._connection_error(error) from error
        stdout, stderr = (b"".join(out[key]).decode(errors="replace") for key in (STDOUT, STDERR))
        return ExecResult(code, stdout, stderr)

    def _exit_code(self, exec_id: str, deadline: float) -> int:
        # The stream ends a moment before the engine has noted the exit code.
        while True:
            found = self._ask(lambda api: api.exec_inspect(exec_id))
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
        response = self._ask(
            lambda api: api.open_stream("GET", path, params=params, timeout=limit), name=container
        )
        try:
            with response:
                yield from lines(response.raw)
        except _BROKEN as error:
            raise self._connection_error(error) from error

    def events(self, project: str, since: float | None = None) -> Iterator[Json]:
        """Container events of one project until the connection ends (EngineError) or the reader leaves."""
        filters = {"type": "container", "label": f"{LABEL_PROJECT}={project}"}
        stream = self._ask(lambda api: api.events(since=since, decode=True, filters=filters))
        try:
            yield from stream
        except _BROKEN as error:
            raise self._connection_error(error) from error

    def build(self, context: Any, **options: Any) -> Iterator[Json]:
        """The classic builder's messages. `context`: an open tar; `options`: as of `APIClient.build`."""
        stream = self._ask(
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
        try:
            yield from stream
        except _BROKEN as error:
            raise self._connection_error(error) from error


def _proves_network(container: Json, project: str, network: str) -> bool:
    """An engine does not remove a network while a running container is attached to it."""
    labels = container.get("Labels") or {}
    attached = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return (
        labels.get(LABEL_PROJECT) == project and container.get("State") == "running" and network in attached
    )
