"""PURE: one bot of bots.yaml + what the image is -> the container that must exist, and a hash of everything in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """All that the engine is asked for. Two equal specs have equal hashes; a secret takes part only as a digest.

    `memory_bytes` is memory and swap limit in one. `secrets` maps a file name under /session/secrets to its text;
    it is delivered as a file, never through the environment or a label.
    """

    project: str
    client_id: str
    name: str
    volume: str
    network: str
    hostname: str
    image_id: str
    environment: Mapping[str, str]
    memory_bytes: int
    stop_grace_seconds: int
    labels: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    dns_search: tuple[str, ...] = ()
