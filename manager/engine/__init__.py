"""The Docker engine, as plain blocking calls that threads may share.

Answers are handed on raw to `manager.observed`; failures become `EngineError`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from bot.contract import LABEL_PROJECT
from manager import observed
from manager.engine.connection import Json
from manager.engine.leases import Leases
from manager.engine.networks import Networks
from manager.engine.volumes import Volumes
from manager.problems import EngineError, EngineProblem
from manager.spec import network_name

__all__ = ["Engine"]


class Engine(Networks, Volumes, Leases):
    def observe(self, project: str, names: Collection[str], volumes: Collection[str]) -> observed.Observed:
        """Two list calls; a third for the network only while no running bot proves that it is there."""
        containers = self._listed(lambda api: api.containers(all=True))
        known = self._listed(lambda api: api.volumes()["Volumes"] or [])
        network = network_name(project)
        networks: list[Json] | None = None
        if not any(_proves_network(each, project, network) for each in containers):
            networks = self._listed(lambda api: api.networks(names=[network]))
        return observed.from_engine(project, containers, known, networks, names, volumes)

    def _listed(self, call: Callable[[Any], Any]) -> list[Json]:
        """What an engine has a list of. Raises NOT_AN_ENGINE: many a web server answers to anything."""
        try:
            found = self.ask(call)
        except EngineError as error:
            if error.problem is not EngineProblem.GONE:  # a list is never gone
                raise
            raise EngineError(EngineProblem.NOT_AN_ENGINE, error.detail, host=self.host) from error
        except (KeyError, TypeError):
            found = None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise EngineError(EngineProblem.NOT_AN_ENGINE, "JSON", host=self.host)
        return found

    def image_id(self, reference: str) -> str | None:
        try:
            return str(self.ask(lambda api: api.inspect_image(reference))["Id"])
        except EngineError as error:
            if error.problem in (EngineProblem.IMAGE_MISSING, EngineProblem.GONE):
                return None
            raise

    def images_with(self, label: str) -> list[str]:
        """The ids of the images with this label (`key` or `key=value`), the newest first."""
        found: list[Json] = self.ask(lambda api: api.images(filters={"label": label}))
        return [str(each["Id"]) for each in sorted(found, key=lambda each: -int(each.get("Created") or 0))]

    def info(self) -> Json:
        found: Json = self.ask(lambda api: api.info())
        return found

    def version(self) -> Json:
        found: Json = self.ask(lambda api: api.version())
        return found


def _proves_network(container: Json, project: str, network: str) -> bool:
    """An engine does not remove a network while a running container is attached to it."""
    labels = container.get("Labels") or {}
    attached = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return (
        labels.get(LABEL_PROJECT) == project and container.get("State") == "running" and network in attached
    )
