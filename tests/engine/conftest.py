"""A real engine and a trivial image. Every project these tests make has a name of its own and is swept up."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from bot.contract import BOT_UID, LABEL_PROJECT, BrowserSettings, ReconnectSettings
from drill.ownengine import OwnEngine
from manager.engine import Engine
from manager.fleet import Bot, Fleet
from manager.problems import EngineError

TRIVIAL_IMAGE = "oturum-test-trivial:1"
_LABEL_DIGEST = "io.oturum.test.digest"
# Engines of one's own, and becoming somebody else: CI runs as root, so all of these run there.
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can do that")
_APPLETS = (
    "sh",
    "sleep",
    "cat",
    "id",
    "ls",
    "touch",
    "stat",
    "df",
    "date",
    "unshare",
    "chroot",
    "true",
    "kill",
)


@pytest.fixture(scope="session")
def engine() -> Engine:
    found = Engine.connect(os.environ)
    try:
        found.version()
    except EngineError as error:
        pytest.fail(f"these tests need a Docker engine: {error}")
    return found


@pytest.fixture(scope="session")
def sdk(engine: Engine) -> docker.APIClient:
    """The bare SDK: what tests see the engine's side with, so that our own reading is not its own witness."""
    return docker.APIClient(base_url=engine.host, version="auto")


@pytest.fixture(scope="session")
def trivial_archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return image_archive(busybox(tmp_path_factory.mktemp("busybox")))


@pytest.fixture(scope="session")
def trivial_image(sdk: docker.APIClient, trivial_archive: bytes) -> str:
    """The tag of an image that sleeps as the bot's user, with /session as the bot's image has it."""
    return import_trivial(sdk, trivial_archive)


def import_trivial(sdk: docker.APIClient, archive: bytes) -> str:
    """Left as it is where it is: a second test run on this engine must not see its image change."""
    digest = hashlib.sha256(archive).hexdigest()
    known = sdk.images(TRIVIAL_IMAGE, filters={"label": f"{_LABEL_DIGEST}={digest}"})
    if known:
        return TRIVIAL_IMAGE
    repository, tag = TRIVIAL_IMAGE.split(":")
    sdk.import_image_from_data(
        archive,
        repository=repository,
        tag=tag,
        changes=[
            'CMD ["sleep","infinity"]',
            f"USER {BOT_UID}:{BOT_UID}",
            f"LABEL {_LABEL_DIGEST}={digest}",
        ],
    )
    return TRIVIAL_IMAGE


class Killed(BaseException):
    """A process that is killed runs no handler of ours."""


def image_archive(busybox: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode, owner in (("bin", 0o755, 0), ("tmp", 0o1777, 0), ("session", 0o700, BOT_UID)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, mode, owner, owner
            archive.addfile(folder)
        archive.add(busybox, "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return buffer.getvalue()


def busybox(folder: Path) -> Path:
    """A statically linked busybox: the installed one, else out of the distribution's package."""
    installed = shutil.which("busybox")
    owner = subprocess.run(["dpkg", "-S", installed or "-"], check=False, capture_output=True, text=True)
    if installed and owner.stdout.startswith("busybox-static:"):
        return Path(installed)
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", "busybox-static"]
    fetched = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    packages = list(folder.glob("busybox-static_*.deb"))
    if not packages:
        pytest.fail(
            f"no static busybox here: `sudo apt-get install busybox-static` ({fetched.stderr.strip()})"
        )
    subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(folder)], check=True)
    return folder / "bin" / "busybox"


@pytest.fixture
def project(engine: Engine, sdk: docker.APIClient) -> Iterator[str]:
    name = f"ot-{uuid.uuid4().hex[:8]}"
    yield name
    sweep(sdk, name)


def sweep(sdk: docker.APIClient, project: str) -> None:
    label = {"label": f"{LABEL_PROJECT}={project}"}
    for container in sdk.containers(all=True, filters=label):
        sdk.remove_container(container["Id"], force=True, v=True)
    for volume in sdk.volumes(filters=label)["Volumes"] or []:
        sdk.remove_volume(volume["Name"])
    for network in sdk.networks(filters=label):
        sdk.remove_network(network["Id"])


def make_bot(client_id: str) -> Bot:
    return Bot(
        client_id=client_id,
        enabled=True,
        memory=64 * 1024 * 1024,
        language="en",
        url="https://web.whatsapp.com/",
        timezone=None,
        locale=None,
        proxy=None,
        reconnect=ReconnectSettings(),
        browser=BrowserSettings(),
        env={},
    )


def make_fleet(project: str, *client_ids: str, image: str = TRIVIAL_IMAGE) -> Fleet:
    return Fleet(project=project, image=image, bots=tuple(make_bot(each) for each in client_ids))


def changed(fleet: Fleet, client_id: str, **changes: object) -> Fleet:
    bots = tuple(replace(bot, **changes) if bot.client_id == client_id else bot for bot in fleet.bots)  # type: ignore[arg-type]
    return replace(fleet, bots=bots)


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory, trivial_archive: bytes) -> Iterator[OwnEngine]:
    """With the trivial image, and nothing else."""
    engine = OwnEngine(tmp_path_factory.mktemp("e"))
    try:
        engine.start()
        import_trivial(docker.APIClient(base_url=engine.host, version="auto"), trivial_archive)
        yield engine
    finally:
        engine.close()
