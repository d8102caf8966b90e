"""Fleets and specs for tests, as `python -m manager` would read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from manager import config, spec
from manager.config import ConfigErrors, parse
from manager.fleet import Fleet
from manager.interpolate import Variables
from manager.spec import ContainerSpec

IMAGE = "sha256:" + "a" * 64


def read(text: str, **environ: str) -> Fleet:
    return parse(text.encode(), "bots.yaml", Variables(environ, None))


def load(folder: Path, text: str | bytes, **environ: str) -> Fleet:
    path = folder / "bots.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.load(path, environ)


def errors(text: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        read(text, **environ)
    return str(caught.value).splitlines()


def one_error(text: str, **environ: str) -> str:
    (line,) = errors(text, **environ)
    return line


def fleet_of(*client_ids: str, project: str = "p", **keys: object) -> Fleet:
    settings = "".join(f"\n    {key}: {value}" for key, value in keys.items())
    bots = "".join(f'\n  - clientId: "{each}"{settings}' for each in client_ids)
    return read(f"project: {project}\nbots:{bots or ' []'}\n")


def specs_of(fleet: Fleet, image: str = IMAGE) -> list[ContainerSpec]:
    return [spec.build(fleet, bot, image, "version") for bot in fleet.enabled]
