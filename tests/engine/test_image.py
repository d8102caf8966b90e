"""The bot image: its size by a clean method, what is in it, and what must not be."""

from __future__ import annotations

import os
import re

import docker
import pytest

from bot.contract import BOT_UID
from manager import image
from manager.confinement import container_body
from manager.engine import Engine
from manager.spec import ContainerSpec

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def bot_image(engine: Engine) -> str:
    return image.ensure(engine, None, os.environ).id


def run(sdk: docker.APIClient, bot_image: str, *command: str, user: str = "") -> tuple[int, str]:
    """One command in a fresh container as the manager confines it, without volume and network."""
    spec = ContainerSpec("", "", "", "", "none", "image-test", bot_image, {}, 400 * 1024 * 1024, 5, {})
    body = container_body(spec)
    body["Cmd"] = list(command)
    body["Healthcheck"] = {"Test": ["NONE"]}
    body["HostConfig"] |= {"Mounts": [], "RestartPolicy": {}}
    del body["NetworkingConfig"]
    if user:
        body["User"] = user
    container = sdk.create_container_from_config(body)["Id"]
    try:
        sdk.start(container)
        code = sdk.wait(container)["StatusCode"]
        return code, sdk.logs(container).decode(errors="replace")
    finally:
        sdk.remove_container(container, force=True, v=True)


def test_it_is_no_larger_than_promised(sdk: docker.APIClient, bot_image: str) -> None:
    assert sdk.inspect_image(bot_image)["Size"] <= 700 * MEGABYTE


def test_its_package_database_is_whole(sdk: docker.APIClient, bot_image: str) -> None:
    assert run(sdk, bot_image, "sh", "-c", "dpkg --audit && apt-get check", user="root")[0] == 0
    code, text = run(sdk, bot_image, "dpkg-query", "-W", "-f", "${db:Status-Abbrev}|${Package}\n")
    assert code == 0
    assert all(line.startswith("ii ") for line in text.splitlines())
    assert "ii |chromium-headless-shell" in text


def test_nothing_of_the_build_host_stands_in_its_history(sdk: docker.APIClient, bot_image: str) -> None:
    history = "\n".join(layer["CreatedBy"] for layer in sdk.history(bot_image))
    assert not re.search(r"https?://|PIP_INDEX_URL|PIP_TRUSTED_HOST|_PROXY", history, re.IGNORECASE)
    environment = {entry.partition("=")[0] for entry in sdk.inspect_image(bot_image)["Config"]["Env"]}
    assert not {name for name in environment if name.upper().startswith(("PIP_", "HTTP", "NO_PROXY"))}


def test_it_runs_as_the_bots_user_who_owns_the_session_folder(sdk: docker.APIClient, bot_image: str) -> None:
    script = "import os; s = os.stat('/session'); print(os.getuid(), s.st_uid, oct(s.st_mode & 0o7777))"
    code, text = run(sdk, bot_image, "python", "-c", script)
    assert (code, text.split()) == (0, [str(BOT_UID), str(BOT_UID), "0o700"])
    assert sdk.inspect_image(bot_image)["Config"]["User"].split(":")[0] == str(BOT_UID)


def test_it_carries_no_installer_and_all_of_its_code_is_compiled(
    sdk: docker.APIClient, bot_image: str
) -> None:
    script = (
        "import pathlib, importlib.util as u\n"
        "assert u.find_spec('pip') is None and u.find_spec('ensurepip') is None, 'installer'\n"
        "for root in ('/app', '/opt/venv/lib'):\n"
        "    for path in pathlib.Path(root).rglob('*.py'):\n"
        "        if 'template' in str(path): continue\n"
        "        assert pathlib.Path(u.cache_from_source(path)).exists(), path\n"
    )
    assert run(sdk, bot_image, "python", "-c", script) == (0, "")


def test_every_program_finds_its_libraries(sdk: docker.APIClient, bot_image: str) -> None:
    script = (
        "ldd /usr/lib/chromium/chromium-headless-shell "
        "/opt/venv/lib/python3*/site-packages/playwright/driver/node | grep 'not found'"
    )
    assert run(sdk, bot_image, "sh", "-c", script) == (1, "")


def test_the_bot_answers_in_it(sdk: docker.APIClient, bot_image: str) -> None:
    code, text = run(sdk, bot_image, "python", "-m", "bot", "--print-schema")
    assert code == 0
    assert '"clientId"' in text


def test_an_unchanged_source_costs_a_look_up(engine: Engine, bot_image: str) -> None:
    before = engine.calls.writes
    again = image.ensure(engine, None, os.environ)
    assert (again.id, again.built, engine.calls.writes) == (bot_image, False, before)
