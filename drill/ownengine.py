"""A Docker engine of one's own, to be stopped, killed and started again while every other one goes on undisturbed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from operator import methodcaller
from pathlib import Path

from drill.subject import Restart
from manager.engine import Engine
from manager.problems import EngineError

_START_SECONDS = 60
_STOP_SECONDS = 60
_LOOK_SECONDS = 0.05
_PROGRAMS = ("dockerd", "nsenter", "unshare")


class EngineFailed(Exception):
    """It does not start, or does not end; the text is the end of what it wrote."""


class OwnEngine:
    """`dockerd` with folders, socket, network and address range of its own; leaves bridge and firewall alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def possible() -> bool:
        return os.geteuid() == 0 and all(shutil.which(each) for each in _PROGRAMS)

    @property
    def environ(self) -> dict[str, str]:
        """For the docker command."""
        return {**os.environ, "DOCKER_HOST": self.host}

    def start(self, *, live: bool = False) -> None:
        """Returns when it answers. `live`: it finds its containers running, and lets them. Raises EngineFailed."""
        network = self._network()
        self.starts += 1
        self._configure(live=live)
        (self._folder / "docker.pid").unlink(missing_ok=True)
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # `--bridge=none` takes docker0 away: not from the shared engine, please.
                    *("nsenter", f"--net={network}", "--"),
                    "dockerd",
                    f"--config-file={self._configuration}",
                    f"--data-root={self._folder}/data",
                    f"--exec-root={self._folder}/exec",
                    f"--pidfile={self._folder}/docker.pid",
                    f"--host={self.host}",
                    "--bridge=none",
                    "--iptables=false",
                    "--default-address-pool=base=10.213.0.0/16,size=24",
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                Engine(self.host).version()
                return
            except EngineError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise EngineFailed(self._said()) from None
                time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """As a host's service manager does: it stops its containers first, unless they were to live on."""
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise EngineFailed(self._said()) from None

    def kill(self) -> None:
        """As a crash or the kernel's memory killer would; its containers run on without it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        # Its containerd dies with it, but not at the same moment; a new engine would wait for the dying one.
        stale = self._folder / "exec" / "containerd" / "containerd.pid"
        deadline = time.monotonic() + _START_SECONDS
        while stale.exists() and Path(f"/proc/{stale.read_text().strip()}").exists():
            if time.monotonic() > deadline:
                raise EngineFailed("containerd outlives its engine")
            time.sleep(_LOOK_SECONDS)
        stale.unlink(missing_ok=True)

    def restart(self, how: Restart) -> None:
        """Raises EngineFailed."""
        live = how is Restart.LIVE
        if live:
            self._let_containers_live(True)
        if how is Restart.KILL:
            self.kill()
        else:
            self.stop()
        self.start(live=live)
        if live:
            self._let_containers_live(False)

    def volume_folder(self, name: str) -> Path:
        """Made while the engine is dead, it is all that a death in the middle of making a volume leaves."""
        return self._folder / "data" / "volumes" / name / "_data"

    def load(self, images: Sequence[str]) -> None:
        """From the engine that this process's environment names. Raises EngineFailed."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
            loading = subprocess.run(
                ["docker", "load", "--quiet"],
                stdin=saving.stdout,
                capture_output=True,
                text=True,
                check=False,
                env=self.environ,
            )
        if saving.returncode or loading.returncode:
            raise EngineFailed(loading.stderr.strip() or f"docker save: exit code {saving.returncode}")

    def close(self) -> None:
        """Ends the containers, the engine and whatever of it is left, by the folder that is its alone."""
        if self._process is None:
            return
        if self._process.poll() is not None:
            self.start()
        engine = Engine(self.host)
        with suppress(EngineError):  # one that is stuck in its start is ended, and what it left with it
            self._clear(engine)
        self._process.terminate()
        self._process.wait(_STOP_SECONDS)
        for pid in self._leftovers():
            os.kill(pid, signal.SIGKILL)
        for mount in self._mounts():
            subprocess.run(["umount", mount], check=True)
        shutil.rmtree(self._folder / "data")

    @staticmethod
    def _clear(engine: Engine) -> None:
        for container in engine.ask(methodcaller("containers", all=True)):
            engine.ask(methodcaller("remove_container", container["Id"], force=True))
        for network in engine.ask(methodcaller("networks", filters={"driver": "bridge"})):
            engine.ask(methodcaller("remove_network", network["Id"]))

    # --- its surroundings -----------------------------------------------------------------------------------

    @property
    def _configuration(self) -> Path:
        return self._folder / "daemon.json"

    def _configure(self, *, live: bool) -> None:
        self._configuration.write_text(json.dumps({"live-restore": live}))

    def _let_containers_live(self, wanted: bool) -> None:
        """Should the running engine be stopped."""
        assert self._process is not None
        self._configure(live=wanted)
        self._process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + _START_SECONDS
        while Engine(self.host).info()["LiveRestoreEnabled"] is not wanted:
            if time.monotonic() > deadline:
                raise EngineFailed(self._said())
            time.sleep(_LOOK_SECONDS)

    def _network(self) -> Path:
        """A network namespace that outlives the engine, as a host's does: containers that live on need it."""
        place = self._folder / "net"
        if str(place) not in self._mounts():
            place.touch()
            subprocess.run(["unshare", f"--net={place}", "true"], check=True)
        return place

    def _said(self) -> str:
        return (self._folder / "dockerd.log").read_text()[-2000:]

    def _mounts(self) -> list[str]:
        """The innermost first."""
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        return sorted((each for each in mounts if each.startswith(str(self._folder))), reverse=True)

    def _leftovers(self) -> list[int]:
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if str(self._folder).encode() in command:
                    found.append(int(entry.name))
        return found
