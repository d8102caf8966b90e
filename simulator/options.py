"""How the stand-in behaves; the defaults are what is known of the real page, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Options:
    """`without`: modules the page lacks. `modules` and `dom`: whether clients find their way by either at all.
    `data_ref`: whether the code's text is in the page beside its picture. `link`: whether the code is a link.
    `backoff_scale`: factor on the page's waits between its own attempts to reconnect."""

    host: str = "127.0.0.1"
    port: int = 0
    control_host: str = "127.0.0.1"
    control_port: int = 0
    state: Path | None = None
    key_file: Path | None = None
    first_ref_seconds: float = 60
    ref_seconds: float = 20
    refs: int = 6
    sync_seconds: float = 0.5
    load_seconds: float = 0.3
    backoff_scale: float = 1
    health_seconds: float = 15
    dead_seconds: float = 20
    modules: bool = True
    dom: bool = True
    data_ref: bool = True
    link: bool = False
    platform: str = "1"
    version: str = "2.3000.1030000000"
    without: tuple[str, ...] = ()

    def page(self) -> dict[str, object]:
        """What the page reads of this, as JSON values."""
        return {
            "without": list(self.without),
            "dom": self.dom,
            "dataRef": self.data_ref,
            "modules": self.modules,
            "platform": self.platform,
            "link": self.link,
            "backoffScale": self.backoff_scale,
            "deadSeconds": self.dead_seconds,
            "healthSeconds": self.health_seconds,
            "loadSeconds": self.load_seconds,
            "version": self.version,
        }
