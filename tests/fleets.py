"""Fleets and specs for tests, as `python -m manager` would read them."""

from __future__ import annotations

from manager import spec
from manager.config import parse
from manager.fleet import Fleet
from manager.interpolate import Variables
from manager.spec import ContainerSpec

IMAGE = "sha256:" + "a" * 64


def read(text: str, **environ: str) -> Fleet:
    return parse(text.encode(), "bots.yaml", Variables(environ, None))


def fleet_of(*client_ids: str, project: str = "p", **keys: object) -> Fleet:
    settings = "".join(f"\n    {key}: {value}" for key, value in keys.items())
    bots = "".join(f'\n  - clientId: "{each}"{settings}' for each in client_ids)
    return read(f"project: {project}\nbots:{bots or ' []'}\n")


def specs_of(fleet: Fleet, image: str = IMAGE) -> list[ContainerSpec]:
    return [spec.build(fleet, bot, image, "version") for bot in fleet.enabled]
