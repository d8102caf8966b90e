"""BOT_SETTINGS: everything that is wrong at once, in the reader's language, and never a value."""

from __future__ import annotations

import json

import pytest

from bot.settings import BadSettings, read_settings

GOOD = {"clientId": "shop", "sessionDir": "./session"}


def told(spoken: str = "en", **settings: object) -> list[str]:
    environ = {"BOT_SETTINGS": json.dumps(GOOD | settings), "OTURUM_LANG": spoken}
    with pytest.raises(BadSettings) as caught:
        read_settings(environ)
    return [line.removeprefix("BOT_SETTINGS: ") for line in caught.value.lines]


def test_the_least_there_must_be() -> None:
    settings = read_settings({"BOT_SETTINGS": json.dumps(GOOD)})
    assert (settings.client_id, settings.session_dir, settings.browser.sandbox) == ("shop", "./session", True)


@pytest.mark.parametrize("text", ["", "  ", "{", "[]", "7", '"x"', "[" * 100_000])
def test_what_is_no_object(text: str) -> None:
    with pytest.raises(BadSettings):
        read_settings({"BOT_SETTINGS": text})


def test_all_mistakes_at_once() -> None:
    lines = told(clientId="a b", sesionDir="x", timezone="Mars/X", locale="zz_", browser={"exeutable": "x"})
    for line in (
        "browser.exeutable: unknown key (did you mean executable?)",
        "sesionDir: unknown key (did you mean sessionDir?)",
        "timezone: unknown time zone; as in Europe/Istanbul",
    ):
        assert line in lines
    assert any(line.startswith("clientId: ") for line in lines)
    assert any(line.startswith("locale: ") for line in lines)


def test_in_turkish() -> None:
    assert "sesionDir: bilinmeyen anahtar (sessionDir mi demek istediniz?)" in told("tr", sesionDir="x")
    assert "sesionDir: bilinmeyen anahtar (sessionDir mi demek istediniz?)" in told(
        "", language="tr", sesionDir="x"
    )


def test_no_value_is_repeated() -> None:
    secret = "hunter2-not-to-be-seen"
    lines = told(proxy={"server": f"http://user:{secret}@proxy:1"}, url=secret, timezone=secret)
    assert secret not in str(lines)


def test_only_what_the_schema_allows() -> None:
    """A sandbox must not be off because a word somewhere reads like "no"."""
    lines = told(browser={"sandbox": "off"}, httpPort="80", reconnect={"takeover": 1})
    assert sorted(line.split(":")[0] for line in lines[:-1]) == [
        "browser.sandbox", "httpPort", "reconnect.takeover",
    ]  # fmt: skip
    assert "client_id: unknown key (did you mean clientId?)" in told(client_id="x")
    settings = read_settings({"BOT_SETTINGS": json.dumps(GOOD | {"browser": {"args": ["--a"]}})})
    assert settings.browser.args == ("--a",)


def test_a_character_that_no_path_or_name_can_hold() -> None:
    lines = told(sessionDir="a\0b", browser={"args": ["--a", "\0"]}, timezone="UTC\0")
    for path in ("sessionDir", "browser.args.1", "timezone"):
        assert f"{path}: holds the character U+0000" in lines


def test_half_a_character() -> None:
    assert any(line.startswith("sessionDir: ") for line in told(sessionDir="a\ud800"))


@pytest.mark.parametrize("number", ["1" * 5000, "-" + "1" * 5000, "NaN", "1e999"])
def test_numbers_that_are_none(number: str) -> None:
    text = f'{{"clientId": "a", "sessionDir": "s", "reconnect": {{"networkWait": {number}}}}}'
    with pytest.raises(BadSettings) as caught:
        read_settings({"BOT_SETTINGS": text})
    assert "BOT_SETTINGS: reconnect.networkWait: " in caught.value.lines[0]
