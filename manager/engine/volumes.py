"""Session volumes: made with their labels, looked into before one is made anew, removed only while nobody has it."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from operator import methodcaller

from bot.contract import LABEL_CLIENT_ID, LABEL_PROJECT
from manager import observed
from manager.confinement import volume_look_body
from manager.engine.connection import BROKEN, READ_SECONDS
from manager.engine.containers import Containers
from manager.problems import EngineError, EngineProblem


class Volumes(Containers):
    def create_volume(self, name: str, project: str, client_id: str, image: str | None = None) -> None:
        """Idempotent. Raises FOREIGN_VOLUME when the name belongs to another project or to nobody known.

        One that an engine had half made when it died (`observed.half_made`) is replaced if it is seen to be
        empty, with the help of `image`; VOLUME_IN_USE when somebody holds it meanwhile.
        """
        labels = {LABEL_PROJECT: project, LABEL_CLIENT_ID: client_id}
        create = methodcaller("create_volume", name, labels=labels)
        made = self.ask(create, name=name)
        if image and observed.half_made(made) and self._is_empty(name, image, labels):
            self.remove_volume(name)
            made = self.ask(create, name=name)
        owner = (made.get("Labels") or {}).get(LABEL_PROJECT)
        if owner != project:
            raise EngineError(EngineProblem.FOREIGN_VOLUME, name=name, owner=owner or "-", project=project)

    def _is_empty(self, volume: str, image: str, labels: Mapping[str, str]) -> bool:
        """Seen through a container that is never started and, with `labels`, swept up should we die."""
        body = volume_look_body(volume, image, labels)
        container = str(self.ask(lambda api: api.create_container_from_config(body), image=image)["Id"])
        try:
            response = self.ask(
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
        except (*BROKEN, tarfile.TarError) as error:
            raise self.connection_error(error) from error
        finally:
            self.remove(container)

    def remove_volume(self, name: str) -> None:
        """Raises VOLUME_IN_USE while any container, running or not, has it."""
        self.ask(lambda api: api.remove_volume(name), name=name)
