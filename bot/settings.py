"""BOT_SETTINGS, read and checked: everything that is wrong at once, each with its place, none with its value."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bot.contract import SETTINGS_VARIABLE, BotSettings
from bot.problem import LOCALES
from bot.text import LANGUAGES, Catalogue

LANGUAGE_VARIABLE = "OTURUM_LANG"


class BadSettings(Exception):
    """`lines`: what is wrong, each with its place, none with a value: a value may be a secret."""

    def __init__(self, *lines: str) -> None:
        super().__init__(lines[0])
        self.lines = lines


def read_settings(environ: Mapping[str, str]) -> BotSettings:
    """Raises BadSettings with everything that is wrong at once."""
    text = environ.get(SETTINGS_VARIABLE, "")
    say = _catalogue(None, environ)
    if not text.strip():
        raise BadSettings(say("settings.missing"), say("settings.missing_fix"))
    try:
        raw = json.loads(text, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise BadSettings(say("settings.not_json", line=error.lineno, column=error.colno)) from None
    except RecursionError:
        raise BadSettings(say("settings.not_object"), say("settings.missing_fix")) from None
    if not isinstance(raw, dict):
        raise BadSettings(say("settings.not_object"), say("settings.missing_fix"))
    say = _catalogue(raw.get("language"), environ)
    problems = _place_problems(raw, say)
    try:
        # Strict, as the published schema says: no `"off"` for false, no `client_id`.
        settings = BotSettings.model_validate(_frozen(raw), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        problems = [(_path(each), _problem(each, say)) for each in found] + problems
    if problems:
        lines = [say("settings.wrong", path=path, problem=problem) for path, problem in problems]
        raise BadSettings(*lines, say("settings.wrong_fix"))
    return settings


def _catalogue(wanted: object, environ: Mapping[str, str]) -> Catalogue:
    named = (environ.get(LANGUAGE_VARIABLE), wanted)
    return Catalogue(LOCALES, next((str(each) for each in named if each in LANGUAGES), "en"))


def _place_problems(raw: Mapping[str, Any], say: Catalogue) -> list[tuple[str, str]]:
    """What a browser would take without a word, or die of without a reason."""
    problems = [(path, say("settings.nul")) for path, text in _texts(raw, "") if "\0" in text]
    zone = raw.get("timezone")
    if isinstance(zone, str) and available_timezones() and not _is_zone(zone):
        problems.append(("timezone", say("settings.timezone")))
    return problems


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Every text in it and where it stands: `browser.args.0`."""
    if isinstance(value, str):
        yield path.removeprefix("."), value
    elif isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(each, f"{path}.{key}")


def _frozen(value: object) -> object:
    """JSON has only lists for what our models keep as tuples."""
    if isinstance(value, dict):
        return {key: _frozen(each) for key, each in value.items()}
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _whole(digits: str) -> int | float:
    """Python reads no whole number of more than 4300 digits; no setting is one."""
    return int(digits) if len(digits) < 100 else float(digits)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _path(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"])


def _problem(error: ErrorDetails, say: Catalogue) -> str:
    match error["type"]:
        case "extra_forbidden":
            near = difflib.get_close_matches(str(error["loc"][-1]), _keys(error["loc"][:-1]), n=1)
            return say("settings.unknown_key_near", near=near[0]) if near else say("settings.unknown_key")
        case "missing":
            return say("settings.required")
        case "string_pattern_mismatch":
            return say("settings.form", pattern=(error.get("ctx") or {}).get("pattern", ""))
        case _:
            return error["msg"]


def _keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at `place`, as they are written."""
    schema = BotSettings.json_schema()
    names = {"browser": "BrowserSettings", "reconnect": "ReconnectSettings", "proxy": "ProxySettings"}
    inner = schema["$defs"].get(names.get(str(place[0]), ""), {}) if place else schema
    return list(inner.get("properties", {}))
