"""Why a browser does not start, and what mends that, told where the bot stands: in the manager's container or alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot import chromium
from bot.chromium import BrowserError, BrowserProblem, find, launch_options, launch_problem
from bot.contract import SESSION_MOUNT, BotSettings
from bot.problem import LOCALES
from bot.text import Catalogue

EXECUTABLE = Path("/usr/lib/chromium/chromium")
PROFILE = Path("/session/profile")
CLOSED = "BrowserType.launch_persistent_context: Target page, context or browser has been closed"
ENDED = "[pid=12] <process did exit: exitCode=null, signal=SIGKILL>"
ZYGOTE = "zygote_host_impl_linux.cc(127)] Check failed"


def settings(session_dir: str = SESSION_MOUNT, **more: Any) -> BotSettings:
    return BotSettings.model_validate({"clientId": "sales", "sessionDir": session_dir} | more)


@pytest.mark.parametrize(
    ("found", "mends", "never"),
    [
        (settings(browser={"executable": "/no/browser"}), ["bots.yaml", "python -m manager up"], "apt-get"),
        (settings("/var/bot", browser={"executable": "/no/browser"}), ["BOT_SETTINGS"], "apt-get"),
        (settings(), ["bots.yaml", "python -m manager up"], "apt-get"),
        (settings("/var/bot"), ["apt-get install chromium-headless-shell"], "bots.yaml"),
    ],
)
@pytest.mark.parametrize("language", ["en", "tr"])
def test_no_browser_is_told_with_what_can_be_done_there(
    monkeypatch: pytest.MonkeyPatch, found: BotSettings, mends: list[str], never: str, language: str
) -> None:
    monkeypatch.setattr(chromium, "_PLACES", ())
    monkeypatch.setattr(chromium, "_NAMES", ("no-such-browser",))
    with pytest.raises(BrowserError) as caught:
        find(found)
    said = caught.value.say(Catalogue(LOCALES, language))
    assert all(each in said.fix for each in mends)
    assert never not in said.fix
    assert ("browser.executable" in said.fix) == bool(found.browser.executable)
    assert (found.browser.executable or "no-such-browser") in said.message
    assert caught.value.permanent


def test_an_executable_that_is_none_is_told_as_one_that_is_not_there() -> None:
    error = launch_problem("spawn ENOEXEC", EXECUTABLE, PROFILE, settings(browser={"executable": "/bin/x"}))
    assert error.problem is BrowserProblem.MISCONFIGURED
    assert launch_problem("spawn ENOEXEC", EXECUTABLE, PROFILE, settings()).problem is (
        BrowserProblem.IMAGE_WITHOUT
    )


@pytest.mark.parametrize("said", [CLOSED, ENDED, ZYGOTE, "Timeout 60000ms exceeded"])
@pytest.mark.parametrize("language", ["en", "tr"])
def test_a_launch_that_the_kernel_killed_says_so_whatever_the_driver_saw(said: str, language: str) -> None:
    error = launch_problem(said, EXECUTABLE, PROFILE, settings(), starved_at=128 * 1024**2)
    told = error.say(Catalogue(LOCALES, language))
    assert error.problem is BrowserProblem.OUT_OF_MEMORY
    assert not error.permanent
    assert "128 MiB" in told.hint
    assert "memory" in told.fix
    assert "bots.yaml" in told.fix
    assert "python -m manager up" in told.fix


def test_without_a_kill_the_driver_is_believed() -> None:
    assert launch_problem(ENDED, EXECUTABLE, PROFILE, settings()).problem is BrowserProblem.CRASHED_AT_START
    assert launch_problem(CLOSED, EXECUTABLE, PROFILE, settings()).problem is BrowserProblem.OTHER


@pytest.mark.parametrize("content", [None, "", "{}", '"text"', '{"username": "u"}'])
@pytest.mark.parametrize("language", ["en", "tr"])
def test_the_file_of_a_proxys_password_is_named(tmp_path: Path, content: str | None, language: str) -> None:
    path = tmp_path / "proxy.json"
    if content is not None:
        path.write_text(content)
    proxy = {"server": "http://proxy:8080", "credentialsFile": str(path)}
    with pytest.raises(BrowserError) as caught:
        launch_options(settings("/var/bot", proxy=proxy), EXECUTABLE, None)
    told = caught.value.say(Catalogue(LOCALES, language))
    assert str(path) in told.message
    assert "proxy.credentialsFile" in told.fix
    assert "BOT_SETTINGS" in told.fix
    path.write_text(json.dumps({"username": "u", "password": "p"}))
    assert launch_options(settings(proxy=proxy), EXECUTABLE, None)["proxy"]["username"] == "u"


def test_in_the_managers_container_the_manager_writes_that_file_anew() -> None:
    proxy = {"server": "http://proxy:8080", "credentialsFile": "/no/such/file"}
    with pytest.raises(BrowserError) as caught:
        launch_options(settings(proxy=proxy), EXECUTABLE, None)
    assert caught.value.fix == "python -m manager down sales; python -m manager up sales"


@pytest.mark.parametrize(
    ("key", "least"),
    [
        ("networkWait", 0.1),
        ("backoffMax", 1),
        ("readyDeadline", 1),
        ("probeInterval", 0.1),
        ("probeTimeout", 1),
    ],
)
def test_a_wait_that_would_keep_the_machine_at_work_is_refused(key: str, least: float) -> None:
    assert settings(reconnect={key: least}).reconnect
    with pytest.raises(ValueError, match="greater than or equal"):
        settings(reconnect={key: least * 0.99})
