"""bots.yaml: its schema, in one place, and how a file becomes a Fleet.

`load` reads and checks; it changes nothing and talks to no engine. Every problem of a file is found in one
pass and comes with line and column. A key that isn't in these models is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from bot.contract import (
    CLIENT_ID_PATTERN,
    SETTINGS_VARIABLE,
    WHATSAPP_URL,
    BrowserSettings,
    ContractModel,
    ReconnectSettings,
)
from manager import checks, configwords, yamlsource
from manager.configproblems import ConfigErrors, ConfigProblem
from manager.fleet import Bot, Fleet, Proxy
from manager.interpolate import Flaw, Variables, expand
from manager.yamlsource import Node, Scalar

Model = TypeVar("Model", bound=ContractModel)

MOST_TOLD = 500
DEFAULT_PROJECT = "oturum"
DEFAULT_MEMORY = 768 * 1024 * 1024

__all__ = ["Bot", "ConfigErrors", "ConfigProblem", "Fleet", "Proxy", "load", "parse"]


def _client_id(text: str) -> str:
    if not re.fullmatch(CLIENT_ID_PATTERN[1:-1], text):
        raise PydanticCustomError("client_id", "bad clientId")
    return text


def _env_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise PydanticCustomError("env_name", "bad name of a variable")
    if text == SETTINGS_VARIABLE:
        raise PydanticCustomError("env_reserved", "reserved name")
    return text


def _nothing_is_empty(value: object) -> object:
    """`env:` with nothing below it (all commented out, say) is an empty mapping."""
    return {} if value is None else value


ClientId = Annotated[str, AfterValidator(_client_id)]
EnvName = Annotated[str, AfterValidator(_env_name)]
Group = BeforeValidator(_nothing_is_empty)


class BrowserOptions(BrowserSettings):
    args: Annotated[tuple[str, ...], AfterValidator(checks.browser_args)] = ()


class BotOptions(ContractModel):
    """What may stand under `defaults` and in every bot."""

    enabled: bool = True
    memory: Annotated[int, BeforeValidator(checks.memory)] = DEFAULT_MEMORY
    language: Literal["en", "tr"] = "en"
    url: Annotated[str, AfterValidator(checks.url)] = WHATSAPP_URL
    timezone: Annotated[str | None, AfterValidator(checks.timezone)] = None
    locale: Annotated[str | None, AfterValidator(checks.locale)] = None
    proxy: Annotated[Proxy | None, BeforeValidator(checks.proxy)] = None
    reconnect: Annotated[ReconnectSettings, Group] = ReconnectSettings()
    browser: Annotated[BrowserOptions, Group] = BrowserOptions()
    env: Annotated[dict[EnvName, str], Group] = Field(default_factory=dict)


class BotEntry(BotOptions):
    client_id: ClientId


class BotsFile(ContractModel):
    project: Annotated[str, AfterValidator(checks.project)] = DEFAULT_PROJECT
    image: Annotated[str | None, AfterValidator(checks.image)] = None
    defaults: Annotated[BotOptions, Group] = BotOptions()
    bots: tuple[BotEntry, ...]


def load(path: Path, environ: Mapping[str, str]) -> Fleet:
    """The fleet in the file. Raises ConfigErrors with everything that is wrong; touches nothing."""
    content = read(path)
    return parse(content, str(path), Variables(environ, path.parent / ".env"))


def read(path: Path) -> bytes:
    """At most MAX_BYTES, and only from a regular file: a pipe would wait for ever, a device never end."""
    name = str(path)
    try:
        if not path.exists():
            raise ConfigErrors([ConfigProblem(name, "not_found", values={"file": name})])
        if not path.is_file():
            raise ConfigErrors([ConfigProblem(name, "not_a_file")])
        with path.open("rb") as file:
            content = file.read(yamlsource.MAX_BYTES + 1)
    except OSError as error:
        raise ConfigErrors([ConfigProblem(name, "unreadable", values={"detail": error.strerror})]) from None
    if len(content) > yamlsource.MAX_BYTES:
        raise ConfigErrors([ConfigProblem(name, "too_big", values={"limit": yamlsource.MAX_BYTES // 1024})])
    return content


def decode(content: bytes, file: str) -> str:
    """UTF-8, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise ConfigErrors([ConfigProblem(file, "not_utf8", line, column)]) from None


def parse(content: bytes, file: str, variables: Variables) -> Fleet:
    root, problems = yamlsource.compose(decode(content, file), file)
    if isinstance(root, Scalar) and root.plain and yamlsource.meaning(root.text) is None:
        raise ConfigErrors([ConfigProblem(file, "empty")])
    filling = _Filling(file, variables)
    data = filling.data(root, "", literal=False)
    problems += filling.problems
    more = 0
    try:
        found: BotsFile | None = BotsFile.model_validate(data, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        found = None
        flawed = {(each.line, each.column) for each in problems} | filling.unfilled
        said = configwords.problems(error, root, file)
        problems += [each for each in islice(said, MOST_TOLD) if (each.line, each.column) not in flawed]
        more = max(0, error.error_count() - MOST_TOLD)
    problems += _duplicates(root, data, file)
    if problems or found is None:
        raise ConfigErrors(problems[:MOST_TOLD], more + max(0, len(problems) - MOST_TOLD))
    bots = tuple(_merged(found.defaults, entry) for entry in found.bots)
    return Fleet(found.project, found.image, bots)


class _Filling:
    """Nodes -> plain data, variables filled in, plain scalars understood."""

    def __init__(self, file: str, variables: Variables) -> None:
        self._file = file
        self._variables = variables
        self._broken: ConfigErrors | None = None
        self.problems: list[ConfigProblem] = []
        self.unfilled: set[tuple[int, int]] = set()

    def data(self, node: Node, path: str, *, literal: bool) -> Any:
        """`literal`: plain scalars are text as they stand (`env` wants `8080` and `yes` just so), and so is
        what a variable stands for, be it nothing."""
        if isinstance(node, Scalar):
            return self._scalar(node, path, literal)
        if isinstance(node, yamlsource.Sequence):
            items = enumerate(node.items)
            return tuple(self.data(each, f"{path}[{at}]", literal=literal) for at, each in items)
        return {
            key: self.data(each, f"{path}.{key}" if path else key, literal=literal or key == "env")
            for key, (_, each) in node.entries.items()
        }

    def _scalar(self, node: Scalar, path: str, literal: bool) -> Any:
        text = node.text
        place = (node.start.line + 1, node.start.column + 1)
        flaws: list[Flaw] = []
        if node.has_variables:
            try:
                text, flaws = expand(text, self._variables)
            except ConfigErrors as errors:
                text = ""
                self._env_file_is_broken(errors, place)
        if "\0" in text:  # YAML can write it; no environment, command line or file name can hold it
            flaws.append(Flaw("control_character", {"code": "U+0000"}))
        self.problems += [ConfigProblem(self._file, flaw.key, *place, path, flaw.values) for flaw in flaws]
        if not node.plain:
            return text
        value = yamlsource.meaning(text)
        return text if literal and (value is not None or node.has_variables) else value

    def _env_file_is_broken(self, errors: ConfigErrors, place: tuple[int, int]) -> None:
        self.unfilled.add(place)
        if self._broken is None:
            self._broken = errors
            self.problems += errors.problems


def _merged(defaults: BotOptions, entry: BotEntry) -> Bot:
    """A bot's own keys win; `reconnect`, `browser` and `env` are merged key by key."""

    def chosen(name: str) -> Any:
        return getattr(entry if name in entry.model_fields_set else defaults, name)

    browser = _layered(defaults.browser, entry.browser)
    return Bot(
        client_id=entry.client_id,
        enabled=chosen("enabled"),
        memory=chosen("memory"),
        language=chosen("language"),
        url=chosen("url"),
        timezone=chosen("timezone"),
        locale=chosen("locale"),
        proxy=chosen("proxy"),
        reconnect=_layered(defaults.reconnect, entry.reconnect),
        browser=BrowserSettings.model_construct(**dict(browser)),
        env={**defaults.env, **entry.env},
    )


def _layered(below: Model, above: Model) -> Model:
    return below.model_copy(update={name: getattr(above, name) for name in above.model_fields_set})


def _duplicates(root: Node, data: object, file: str) -> Iterator[ConfigProblem]:
    """The same clientId twice, also in other letters' case: container and host names would be the same."""
    bots = data.get("bots") if isinstance(data, dict) else None
    if not isinstance(bots, tuple):
        return
    first: dict[str, int] = {}
    for at, bot in enumerate(bots):
        client_id = bot.get("clientId") if isinstance(bot, dict) else None
        if not isinstance(client_id, str) or not client_id:
            continue
        known = first.setdefault(client_id.lower(), at)
        if known != at:
            line, column = configwords.place(root, ("bots", at, "clientId"))
            where = configwords.place(root, ("bots", known, "clientId"))[0]
            written = configwords.written(root, ("bots", at, "clientId"))
            values = {"first": f"bots[{known}]", "line": where, "text": written}
            key = "duplicate_id" if bots[known]["clientId"] == client_id else "duplicate_case"
            yield ConfigProblem(file, key, line, column, f"bots[{at}].clientId", values)
