"""A container that is fed and read as a stream: everything arrives, nothing is written down, nothing is left."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import docker
import pytest

from bot.contract import BOT_UID, LABEL_CLIENT_ID, LABEL_PROJECT, LABEL_TOOL, SESSION_MOUNT
from manager.confinement import one_shot_body
from manager.engine import Engine
from manager.problems import EngineError
from manager.streams import STDERR, STDOUT

pytestmark = pytest.mark.engine
SIZE = 3 << 20


def body(project: str, image: str, script: str) -> dict[str, Any]:
    made = one_shot_body(image, ["sh", "-c", script], 64 << 20)
    made["Labels"] = {LABEL_TOOL: project}
    made["HostConfig"]["Mounts"] = [
        {
            "Type": "volume",
            "Source": f"{project}-session-x",
            "Target": SESSION_MOUNT,
            "VolumeOptions": {"Labels": {LABEL_PROJECT: project, LABEL_CLIENT_ID: "x"}},
        }
    ]
    return made


def tar(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.uid, entry.gid = len(content), BOT_UID, BOT_UID
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_what_is_given_lies_there_and_what_is_said_arrives(
    engine: Engine, sdk: docker.APIClient, trivial_image: str, project: str
) -> None:
    content = bytes(range(256)) * (SIZE // 256)
    raw = tar("given", content)
    pieces = (raw[at : at + 100_000] for at in range(0, len(raw), 100_000))
    made = body(project, trivial_image, f"cat {SESSION_MOUNT}/given; echo problem >&2; exit 3")
    said: dict[int, bytes] = {STDOUT: b"", STDERR: b""}
    with engine.one_shot(made, f"{project}-volume-x", pieces) as running:
        (container,) = sdk.containers(filters={"label": f"{LABEL_TOOL}={project}"})
        assert sdk.inspect_container(container["Id"])["HostConfig"]["LogConfig"]["Type"] == "none"
        for stream, data in running.frames:
            said[stream] += data
        assert running.wait() == 3
    assert said == {STDOUT: content, STDERR: b"problem\n"}
    assert not sdk.containers(all=True, filters={"label": f"{LABEL_TOOL}={project}"})


def test_it_is_gone_when_the_reader_leaves_or_the_giver_fails(
    engine: Engine, sdk: docker.APIClient, trivial_image: str, project: str
) -> None:
    made = body(project, trivial_image, "sleep 100")
    with pytest.raises(KeyError), engine.one_shot(made, f"{project}-volume-x"):
        raise KeyError

    def giver() -> Any:
        yield tar("given", b"x")[:512]
        raise OSError("the file is gone")

    made = body(project, trivial_image, "true")
    with pytest.raises(EngineError), engine.one_shot(made, f"{project}-volume-x", giver()):
        pass
    assert not sdk.containers(all=True, filters={"label": f"{LABEL_TOOL}={project}"})


def test_the_sweep_takes_what_has_ended_and_leaves_what_runs(
    engine: Engine, sdk: docker.APIClient, trivial_image: str, project: str
) -> None:
    for name, script in (("ended", "true"), ("runs", "sleep 100")):
        made = sdk.create_container_from_config(
            body(project, trivial_image, script), name=f"{project}-volume-{name}"
        )
        sdk.start(made["Id"])
    sdk.wait(f"{project}-volume-ended")
    sdk.create_container_from_config(body(project, trivial_image, "true"), name=f"{project}-volume-made")
    try:
        engine.sweep(f"{LABEL_TOOL}={project}")
        left = sdk.containers(all=True, filters={"label": f"{LABEL_TOOL}={project}"})
        assert {each["Names"][0] for each in left} == {f"/{project}-volume-runs", f"/{project}-volume-made"}
    finally:
        for name in ("runs", "made"):
            sdk.remove_container(f"{project}-volume-{name}", force=True)
