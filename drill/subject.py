"""What the drill needs of a thing that keeps a session, whatever it is made of."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from drill.log import Log
from drill.volume import Volume
from drill.wire import Weather


class Victim(Enum):
    BROWSER = auto()
    RENDERER = auto()
    BOT = auto()  # the client's own process alone; its browser is left an orphan
    ALL = auto()  # as a container's end


class Restart(Enum):
    """Of an engine: as a host's service manager does it, as a crash does, and while its containers live on."""

    STOP = auto()
    KILL = auto()
    LIVE = auto()


class Impossible(Exception):
    """This cannot be done to this subject now; the text says why."""


class Subject(Protocol):
    """Restarted by itself when it ends by itself, as `always` does."""

    name: str
    log: Log
    volume: Volume

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """As its user stops it; returns when all of it is gone."""

    async def kill(self, victim: Victim) -> None:
        """SIGKILL. Of ALL it returns when all of it is gone; of the others it is started again. Raises Impossible."""

    async def pause(self, paused: bool) -> None:
        """Whether all its processes stand still."""

    async def weather(self, weather: Weather) -> None: ...

    async def plug(self, plugged: bool) -> None:
        """Whether it is on its network. Raises Impossible."""

    async def names(self, resolve: bool) -> None:
        """Whether the site's name can be looked up. Raises Impossible."""

    async def starve(self, seconds: float) -> bool:
        """Takes its memory until the kernel kills something of it; True when it did. Raises Impossible."""

    async def make_anew(self) -> None:
        """Stops it, and starts it as a new container with a setting or the image changed would. Raises Impossible."""

    async def restart_engine(self, how: Restart) -> None:
        """Raises Impossible."""

    def files(self) -> list[Path]:
        """What of its session lies on the volume, sorted. Raises Impossible."""

    async def code(self) -> str:
        """The text of the QR that it shows now. Raises Refused when there is none."""

    async def listing(self) -> str:
        """What lies on its volume, for the post-mortem."""

    async def close(self) -> None: ...


class Phone(Protocol):
    """The phone of one subject. Every method raises Refused when the site does."""

    async def scan(self, text: str) -> None:
        """Returns when the device is linked."""

    async def unlink(self) -> None: ...

    async def replace(self) -> None:
        """Unlinks what is linked; the next scan is another phone's."""

    async def sees_device(self) -> bool:
        """Whether the site holds a device of this phone for connected and synced."""
