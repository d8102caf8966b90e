"""An engine of the test's own, to be killed and started again while the shared one goes on undisturbed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import docker
import pytest

from manager.engine import Engine
from manager.problems import EngineError

_START_SECONDS = 60


class OwnEngine:
    """`dockerd` with folders, socket and address range of its own; leaves bridge and firewall alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        (self._folder / "docker.pid").unlink(missing_ok=True)
        with (self._folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # `--bridge=none` takes docker0 away: not from the shared engine, please.
                    *("unshare", "--net", "--"),
                    "dockerd",
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
                    pytest.fail(f"no second engine: {(self._folder / 'dockerd.log').read_text()[-2000:]}")
                time.sleep(0.05)

    def kill(self) -> None:
        """As a crash or the kernel's memory killer would; its containers run on without it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        # Its containerd dies with it, but not at the same moment; a new engine would wait for the dying one.
        stale = self._folder / "exec" / "containerd" / "containerd.pid"
        deadline = time.monotonic() + _START_SECONDS
        while stale.exists() and Path(f"/proc/{stale.read_text().strip()}").exists():
            assert time.monotonic() < deadline, "containerd outlives its engine"
            time.sleep(0.02)
        stale.unlink(missing_ok=True)

    def volume_folder(self, name: str) -> Path:
        """Made while the engine is dead, it is all that a death in the middle of making a volume leaves."""
        return self._folder / "data" / "volumes" / name / "_data"

    def close(self) -> None:
        """Ends the containers, the engine and whatever of it is left, by the folder that is its alone."""
        if self._process is None:
            return
        if self._process.poll() is not None:
            self.start()
        sdk = docker.APIClient(base_url=self.host, version="auto")
        for container in sdk.containers(all=True):
            sdk.remove_container(container["Id"], force=True)
        for network in sdk.networks(filters={"driver": "bridge"}):
            sdk.remove_network(network["Id"])
        self._process.terminate()
        self._process.wait(60)
        for pid in self._leftovers():
            os.kill(pid, signal.SIGKILL)
        for mount in self._mounts():
            subprocess.run(["umount", mount], check=True)
        shutil.rmtree(self._folder / "data")

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
