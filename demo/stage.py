"""The surroundings of a fleet without phones: the simulator in the bots' network, and an ear on each bot.

What a bystander would type is done with the `docker` command; bots are started by the manager's own code alone.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.contract import LABEL_PROJECT
from demo.ear import Ear, OnEvent, nobody
from manager import config
from manager.engine import Engine
from manager.fleet import Fleet
from manager.spec import container_name, network_name

HOST = "web.whatsapp.com"
# Not the project's own label: the manager would take the simulator for a bot that bots.yaml no longer has.
LABEL_STAGE = "io.oturum.stage"
_PORT = "443"
# The home folder in the simulator's image: a volume there belongs to its user.
_STATE = "/home/simulator"
_ORDER_SECONDS = 40


class StageError(Exception):
    """The simulator, a bot's control socket or the docker command refused; the text is what it said."""


def docker(*words: str, environ: Mapping[str, str] = os.environ, given: str | None = None) -> str:
    """The docker command's answer, `given` on its standard input. Raises StageError."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=False, env=environ, input=given
    )
    if done.returncode != 0:
        raise StageError(done.stderr.strip() or f"docker {words[0]}: exit code {done.returncode}")
    return done.stdout.strip()


def sweep(project: str, environ: Mapping[str, str] = os.environ) -> None:
    """Containers, volumes and networks of a project that is only a demonstration, sessions included."""
    run = partial(docker, environ=environ)
    label = f"label={LABEL_PROJECT}={project}"
    for each in (label, f"label={LABEL_STAGE}={project}"):
        if containers := run("ps", "--all", "--quiet", "--filter", each).split():
            run("rm", "--force", "--volumes", *containers)
    if volumes := run("volume", "ls", "--quiet", "--filter", label).split():
        run("volume", "rm", *volumes)
    if networks := run("network", "ls", "--quiet", "--filter", label).split():
        run("network", "rm", *networks)


@dataclass(frozen=True)
class Code:
    """A bot's QR: its text, and the picture as the bot draws it for a terminal."""

    text: str
    picture: str


class Stage:
    """`with Stage(...) as stage`: nothing of `project` was there before, and nothing is afterwards.

    `image` is the simulator's; `options` are those of `python -m simulator serve`. `environ` leads the docker command
    to `engine`. `lasting`: the simulator outlives a restart of its engine, and while it is away its name leads nowhere:
    the bots' network has no way out.
    """

    def __init__(  # noqa: PLR0913
        self,
        engine: Engine,
        project: str,
        image: str,
        options: Sequence[str] = (),
        environ: Mapping[str, str] = os.environ,
        *,
        lasting: bool = False,
    ) -> None:
        self.engine = engine
        self.project = project
        self.pin = ""
        self.simulator = f"{project}-simulator"
        self._image = image
        self._options = options
        self._environ = environ
        self._lasting = lasting
        self._ears: list[Ear] = []

    def __enter__(self) -> Self:
        sweep(self.project, self._environ)
        try:
            self._start_simulator()
        except BaseException:
            sweep(self.project, self._environ)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for ear in self._ears:
            ear.close()
        sweep(self.project, self._environ)

    def _start_simulator(self) -> None:
        network = network_name(self.project)
        lasting: tuple[str, ...] = ()
        options = list(self._options)
        if self._lasting:
            labels = ("--label", f"{LABEL_PROJECT}={self.project}")
            docker("network", "create", "--internal", *labels, network, environ=self._environ)
            lasting = ("--restart", "always", "--volume", _STATE)
            options += ["--state", f"{_STATE}/world.json", "--key-file", f"{_STATE}/key.pem"]
        else:
            self.engine.create_network(network, self.project)
        docker(
            *("run", "--detach", "--name", self.simulator, "--label", f"{LABEL_STAGE}={self.project}"),
            *("--network", network, "--network-alias", HOST, "--hostname", "simulator"),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only", "--tmpfs", "/tmp"),
            *("--init", "--sysctl", f"net.ipv4.ip_unprivileged_port_start={_PORT}"),
            *lasting,
            *(self._image, "serve", "--host", "0.0.0.0", "--port", _PORT, *options),
            environ=self._environ,
        )
        first = next(self.engine.logs(self.simulator, follow=True), "")
        try:
            self.pin = json.loads(first)["pin"]
        except ValueError:
            raise StageError("\n".join(self.engine.logs(self.simulator))) from None

    def fleet(self, file: Path, **variables: str) -> Fleet:
        """`file` as `python -m manager --file` reads it, with the simulator's certificate in SIMULATOR_PIN."""
        return config.load(file, os.environ | {"SIMULATOR_PIN": self.pin} | variables)

    def ear(self, client_id: str, on_event: OnEvent = nobody) -> Ear:
        self._ears.append(Ear(self.engine, self.project, client_id, on_event))
        return self._ears[-1]

    def container(self, client_id: str) -> str:
        """Its name."""
        return container_name(self.project, client_id)

    def container_id(self, client_id: str) -> str:
        return str(self.engine.inspect(self.container(client_id))["Id"])

    def ctl(self, client_id: str, *words: str) -> str:
        """`python -m bot ctl WORDS` in the bot's container. Raises StageError."""
        return self._exec(self.container(client_id), "bot", "ctl", *words)

    def code(self, client_id: str) -> Code:
        """The QR that the bot shows now. Raises StageError when it shows none."""
        return Code(self.ctl(client_id, "qr", "--text").strip(), self.ctl(client_id, "qr").rstrip())

    def order(self, *words: str) -> dict[str, Any]:
        """`python -m simulator WORDS` in its container. Raises StageError."""
        answer: dict[str, Any] = json.loads(self._exec(self.simulator, "simulator", *words))
        return answer

    def scan(self, text: str, phone: str | None = None) -> str:
        """A simulated phone (a new one, unless named) reads `text`; the phone's number. Raises StageError."""
        wid: str = self.order("pair", text, *(("--phone", phone) if phone else ()))["wid"]
        return wid.partition(":")[0]

    def _exec(self, container: str, *module: str) -> str:
        found = self.engine.exec(container, ["python", "-m", *module], _ORDER_SECONDS)
        if found.exit_code != 0:
            raise StageError(found.stderr.strip() or found.stdout.strip())
        return found.stdout
