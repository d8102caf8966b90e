"""A session of the real whatsapp-web.js becomes a bot's, by the commands as people type them, on a real engine."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import pyrage
import pytest

from bot.contract import LABEL_PROJECT, EventName
from demo.ear import Ear
from demo.stage import HOST, Stage, StageError
from manager import image
from manager.engine import Engine
from manager.exits import Exit
from manager.image import BotImage
from manager.spec import network_name, volume_name
from setup import simulator_image
from tests.cli.conftest import Cli, Ran
from tests.conformance.peer import Peer, install
from tests.engine.conftest import engine, sdk  # noqa: F401  fixtures

pytestmark = [pytest.mark.conformance, pytest.mark.engine, pytest.mark.timeout(600)]
QUICK = ("--sync-seconds", "0.1", "--load-seconds", "0.05", "--backoff-scale", "0.3")


@pytest.fixture(scope="module")
def bot_image(engine: Engine) -> BotImage:  # noqa: F811
    return image.ensure(engine, None, os.environ)


@pytest.fixture(scope="module")
def stage(engine: Engine, bot_image: BotImage) -> Iterator[Stage]:  # noqa: F811
    install()
    with Stage(engine, f"ot-{uuid.uuid4().hex[:8]}", simulator_image.ensure(), QUICK) as stage:
        yield stage


@dataclass(frozen=True)
class Theirs:
    """What whatsapp-web.js left behind. `while_it_ran`: what `import` said to its folder then."""

    folder: Path
    number: str
    while_it_ran: Ran


@pytest.fixture(scope="module")
def theirs(
    stage: Stage,
    bot_image: BotImage,
    sdk: docker.APIClient,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Theirs:
    """Its browser runs here and finds the simulator in the bots' network."""
    networks = sdk.inspect_container(stage.simulator)["NetworkSettings"]["Networks"]
    address = networks[network_name(stage.project)]["IPAddress"]
    args = [
        f"--host-resolver-rules=MAP {HOST} {address}",
        f"--ignore-certificate-errors-spki-list={stage.pin}",
    ]
    folder = tmp_path_factory.mktemp("peer")
    manager = fleet_of(stage, bot_image, tmp_path_factory.mktemp("fleet"))

    async def live() -> tuple[str, Ran]:
        peer = Peer(folder, args)
        try:
            await peer.start()
            number = await scan(peer, stage)
            await peer.event("ready", within=120)
            said = await asyncio.to_thread(manager, "import", str(folder), "--yes")
            await peer.destroy()
            return number, said
        finally:
            await peer.end()

    number, said = asyncio.run(live())
    return Theirs(folder / "auth", number, said)


async def scan(peer: Peer, stage: Stage) -> str:
    """The first code that the page shows: on a busy machine the client tells one before its page has it."""
    mark = 0
    while True:
        code = await peer.event("qr", mark, within=120)
        mark = peer.events.index(code) + 1
        with suppress(StageError):
            return stage.scan(code["text"])


def fleet_of(stage: Stage, bot_image: BotImage, folder: Path) -> Cli:
    """The manager of the stage's fleet, without a bot at first."""
    made = Cli(folder, {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OTURUM_LANG": "en"})
    made.file.write_text(
        f"project: {stage.project}\nimage: {bot_image.tag}\n"
        "defaults:\n  memory: 512m\n  browser:\n"
        f'    args: ["--ignore-certificate-errors-spki-list={stage.pin}"]\nbots: []\n'
    )
    return made


@pytest.fixture
def cli(tmp_path: Path, stage: Stage, bot_image: BotImage, sdk: docker.APIClient) -> Iterator[Cli]:  # noqa: F811
    """Its bots are gone afterwards, sessions included: one session must not run twice."""
    yield fleet_of(stage, bot_image, tmp_path)
    label = {"label": f"{LABEL_PROJECT}={stage.project}"}
    for container in sdk.containers(all=True, filters=label):
        sdk.remove_container(container["Id"], force=True)
    for volume in sdk.volumes(filters=label)["Volumes"] or []:
        sdk.remove_volume(volume["Name"])


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def volumes_of(sdk: docker.APIClient, stage: Stage) -> list[str]:  # noqa: F811
    return [
        each["Name"] for each in sdk.volumes(filters={"name": f"{stage.project}-session-"})["Volumes"] or []
    ]


def up(cli: Cli, stage: Stage, client: str) -> Ear:
    """The bot starts, is READY and asks nobody to scan."""
    ear = stage.ear(client)
    done = cli("up", client)
    assert done.code == Exit.OK, done
    ready(ear)
    return ear


def ready(ear: Ear, after: int = 0) -> None:
    assert ear.wait(EventName.WHATSAPP_READY, after), ear.tale(after)
    assert ear.count(EventName.WHATSAPP_QR, after) == 0


def test_whatsapp_web_js_hands_its_session_over_without_a_qr(
    theirs: Theirs,
    cli: Cli,
    stage: Stage,
    sdk: docker.APIClient,  # noqa: F811
) -> None:
    folder, number = theirs.folder, theirs.number
    before = hashes(folder)
    assert theirs.while_it_ran.code == Exit.FAILED
    assert "It is in use" in theirs.while_it_ran.err

    planned = cli("import", str(folder), "--dry-run")
    assert planned.code == Exit.OK, planned
    assert "session-shop -> shop" in planned.out
    assert number[-3:] in planned.out
    assert volumes_of(sdk, stage) == []

    done = cli("import", str(folder), "--add", "--yes")
    assert done.code == Exit.OK, done
    assert "clientId: shop" in cli.file.read_text()
    assert volumes_of(sdk, stage) == [volume_name(stage.project, "shop")]
    assert hashes(folder) == before

    again = cli("import", str(folder), "--yes")
    assert again.code == Exit.FAILED
    assert "shop has a session already" in again.err

    up(cli, stage, "shop")
    assert json.loads(stage.ctl("shop", "status", "--json"))["phone"].endswith(number[-3:])
    assert not sdk.containers(all=True, filters={"label": f"io.oturum.tool={stage.project}"})

    # A browser that is newer than the image's: refused before anything is made.
    profile = shutil.copytree(folder / "session-shop", cli.folder / "copy")
    (profile / "Last Version").write_text("999.0.1.2")
    newer = cli("import", str(profile), "--as", "later", "--yes")
    assert newer.code == Exit.FAILED
    assert "999.0.1.2" in newer.err
    assert volumes_of(sdk, stage) == [volume_name(stage.project, "shop")]


def test_backup_restore_and_rollback(
    theirs: Theirs,
    cli: Cli,
    stage: Stage,
    tmp_path: Path,
    sdk: docker.APIClient,  # noqa: F811
) -> None:
    assert cli("import", str(theirs.folder), "--as", "desk", "--add", "--yes").code == Exit.OK
    secret = {"OTURUM_PASSPHRASE": "correct horse"}

    # Stopped: the profile itself, with a passphrase.
    first = cli("backup", "desk", "-o", "first.age", **secret)
    assert first.code == Exit.OK, first
    assert stat.S_IMODE((tmp_path / "first.age").stat().st_mode) == 0o600
    assert "as it is now" in first.out
    ear = up(cli, stage, "desk")

    # Running: the newest generation, for a key; opened with what everybody has.
    mark = ear.mark
    assert cli("restart", "desk").code == Exit.OK
    ready(ear, mark)
    key = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"# a key\n{key}\n")
    second = cli("backup", "-o", "second.age", "--recipient", str(key.to_public()))
    assert second.code == Exit.OK, second
    assert "its newest generation" in second.out
    assert cli("backup", "-o", "second.age", "--plain").code == Exit.FAILED

    # Over a session nothing is put.
    for file, more in (("first.age", ()), ("second.age", ("--identity", "key.txt"))):
        refused = cli("restore", file, *more, "--yes", **secret)
        assert refused.code == Exit.FAILED
        assert "desk has a session already" in refused.err

    listed = cli("generations", "desk", "--json")
    assert listed.code == Exit.OK, listed
    numbers = [each["number"] for each in listed.json["generations"]]
    mark = ear.mark
    back = cli("rollback", "desk", str(numbers[-1]), "--yes")
    assert back.code == Exit.OK, back
    ready(ear, mark)
    assert cli("rollback", "desk", "99", "--yes").code == Exit.USAGE
    unasked = cli("rollback", "desk")
    assert (unasked.code, "--yes" in unasked.err) == (Exit.USAGE, True)

    # The session is lost with its volume, and comes back from either file.
    assert cli("rm", "desk", "--volume", "--yes").code == Exit.OK
    done = cli("restore", "first.age", "--yes", **secret)
    assert done.code == Exit.OK, done
    mark = ear.mark
    assert cli("up", "desk").code == Exit.OK
    ready(ear, mark)
    other = cli("restore", "second.age", "desk", "--as", "spare", "--identity", "key.txt", "--yes")
    assert other.code == Exit.OK, other
    assert "python -m manager add spare" in other.out
    assert volume_name(stage.project, "spare") in volumes_of(sdk, stage)


def test_a_tampered_or_foreign_file_puts_nothing_in_place(
    theirs: Theirs,
    cli: Cli,
    stage: Stage,
    tmp_path: Path,
    sdk: docker.APIClient,  # noqa: F811
) -> None:
    assert cli("import", str(theirs.folder), "--as", "till", "--add", "--yes").code == Exit.OK
    assert cli("backup", "till", "-o", "plain.zst", "--plain").code == Exit.OK
    assert cli("backup", "till", "-o", "locked.age", OTURUM_PASSPHRASE="one").code == Exit.OK
    assert cli("rm", "till", "--volume", "--yes").code == Exit.OK

    for name in ("plain.zst", "locked.age"):
        raw = bytearray((tmp_path / name).read_bytes())
        raw[len(raw) // 2] ^= 1
        (tmp_path / f"bad-{name}").write_bytes(raw)
        (tmp_path / f"cut-{name}").write_bytes((tmp_path / name).read_bytes()[:-200])
        for bad in (f"bad-{name}", f"cut-{name}"):
            refused = cli("restore", bad, "--yes", OTURUM_PASSPHRASE="one")
            assert refused.code == Exit.FAILED, refused
    assert cli("restore", "locked.age", "--yes", OTURUM_PASSPHRASE="two").code == Exit.FAILED
    assert cli("restore", str(cli.file), "--yes").code == Exit.FAILED
    assert volumes_of(sdk, stage) == []
