"""The fleet's network: made once however many managers try, and left alone while anybody is on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from operator import methodcaller

from bot.contract import LABEL_PROJECT
from manager.engine.containers import Containers
from manager.problems import EngineError, EngineProblem
from manager.spec import bridge_name

_NETWORK_SECONDS = 10


class Networks(Containers):
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
                self.ask(
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
        for network in self.ask(lambda api: api.networks(names=[name])):
            ours = (network.get("Labels") or {}).get(LABEL_PROJECT) == project
            if network["Name"] == name and ours:
                try:
                    self.ask(methodcaller("remove_network", network["Id"]))
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
            self.ask(call, name=container)

    def join_network(self, network: str, container: str, aliases: Sequence[str] = ()) -> None:
        """Puts it back, under these further names; nothing happens when it is on it already."""
        if network not in self.inspect(container)["NetworkSettings"]["Networks"]:
            call = methodcaller("connect_container_to_network", container, network, aliases=list(aliases))
            self.ask(call, name=container)

    def join_labelled(self, network: str, label: str) -> None:
        """Puts every running container with this label (`key` or `key=value`) on a network that is there."""
        for container in self.ask(lambda api: api.containers(filters={"label": label})):
            if network not in container["NetworkSettings"]["Networks"]:
                try:
                    self.join_network(network, container["Id"])
                except EngineError as error:
                    # It, or the network, went away just now; or another watcher was faster.
                    if error.problem is not EngineProblem.GONE and "already exists" not in error.detail:
                        raise
