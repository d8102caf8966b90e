"""A name on the engine that is held by one connection, and free again when that ends, whatever ended it."""

from __future__ import annotations

import socket
from contextlib import suppress
from operator import methodcaller
from typing import Any

from manager.engine.connection import Json
from manager.engine.containers import Containers
from manager.problems import EngineError


class Lease:
    """Held until `release`, or until the engine, the container or the way between ends; `wait` returns then."""

    def __init__(self, container: str, stream: Any) -> None:
        self.container = container
        self._stream = stream
        # Over a socket's file the SDK hands out only half of the socket.
        self._socket: Any = getattr(stream, "_sock", stream)
        self._socket.settimeout(None)

    def wait(self) -> None:
        with suppress(OSError):
            while self._socket.recv(1024):
                pass

    def release(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self._stream.close()


class Leases(Containers):
    def hold(self, body: Json, name: str) -> Lease:
        """Starts the container of `body` (`confinement.lease_body`) under this name; an engine gives a name out once.

        Raises NAME_TAKEN, and whatever else keeps a container from starting; then nothing is left of it.
        """
        create = methodcaller("create_container_from_config", body, name=name)
        container = str(self.ask(create, name=name, image=body["Image"])["Id"])
        try:
            attach = methodcaller("attach_socket", container, params={"stdin": 1, "stdout": 1, "stream": 1})
            lease = Lease(container, self.ask(attach, name=name))
            self.start(container)
        except BaseException:
            with suppress(EngineError):
                self.remove(container)
            raise
        return lease
