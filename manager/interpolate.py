"""`${VARIABLE}` in bots.yaml: from the environment, then from a `.env` file beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from manager.configproblems import ConfigErrors, ConfigProblem

MAX_ENV_BYTES = 1024 * 1024
MOST_PLACES = 100
MOST_BAD_LINES = 100

_PLACE = re.compile(r"\$\$\{|\$\{(?P<inside>[^{}]*)(?P<end>\}?)")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a text could not be filled in: a key of the catalogue's [config]. Holds no variable's value."""

    key: str
    values: Mapping[str, object]


def expand(text: str, lookup: Callable[[str], str | None]) -> tuple[str, list[Flaw]]:
    """`text` with each `${NAME}` and `${NAME:-default}` filled in; `$${` gives `${`, any other `$` itself.

    The default is taken when the variable is not set, or empty. Every flaw is reported, not only the first.
    """
    flaws: list[Flaw] = []
    if text.count("${") > MOST_PLACES:
        return "", [Flaw("many_placeholders", {"limit": MOST_PLACES})]

    def fill(found: re.Match[str]) -> str:
        if found.group(0) == "$${":
            return "${"
        inside = _INSIDE.fullmatch(found.group("inside")) if found.group("end") else None
        if inside is None:
            flaws.append(Flaw("bad_placeholder", {"text": found.group(0)}))
            return ""
        name, default = inside.group("name"), inside.group("default")
        value = lookup(name)
        if default is not None:
            value = value or default.removeprefix(":-")
        if value is None:
            flaws.append(Flaw("missing_variable", {"name": name}))
            return ""
        if not _is_text(value):
            flaws.append(Flaw("variable_not_utf8", {"name": name}))
            return ""
        return value

    return _PLACE.sub(fill, text), flaws


def _is_text(value: str) -> bool:
    """Python carries undecodable bytes of the environment as lone surrogates, which no file can hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


class Variables:
    """The environment, then `.env`, which is read only when a placeholder asks for what that lacks."""

    def __init__(self, environ: Mapping[str, str], env_file: Path | None) -> None:
        self._environ = environ
        self._env_file = env_file
        self._from_file: dict[str, str] | ConfigErrors | None = None

    def __call__(self, name: str) -> str | None:
        """Raises ConfigErrors, each time the same one, when `.env` is needed and broken."""
        if name in self._environ:
            return self._environ[name]
        if self._from_file is None:
            try:
                self._from_file = read_env_file(self._env_file) if self._env_file else {}
            except ConfigErrors as errors:
                self._from_file = errors
        if isinstance(self._from_file, ConfigErrors):
            raise self._from_file
        return self._from_file.get(name)


def read_env_file(path: Path) -> dict[str, str]:
    """{} when there is none (or it is a folder, as some people name their virtual environment)."""
    name = path.name
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as file:
            content = file.read(MAX_ENV_BYTES + 1)
    except OSError as error:
        raise ConfigErrors([ConfigProblem(name, "unreadable", values={"detail": error.strerror})]) from None
    if len(content) > MAX_ENV_BYTES:
        raise ConfigErrors([ConfigProblem(name, "too_big", values={"limit": MAX_ENV_BYTES // 1024})])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigErrors([ConfigProblem(name, "not_utf8", line, 1)]) from None
    return parse_env(text, name)


_ENV_LINE = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
        (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^'"\n][^\n]*|))
        [ \t]*(?:(?<=[ \t'"])\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_ENV_NOTHING = re.compile(r"[ \t]*(?:\#[^\n]*)?\n|[ \t]*(?:\#[^\n]*)?\Z")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse_env(text: str, name: str) -> dict[str, str]:
    """`NAME=value` lines: `export`, comments, 'literal' and "escaped" values (these may span lines).

    Raises ConfigErrors with the line of each line that is none of it (of the first hundred: what has more is
    no such file). Values never appear in an error.
    """
    text = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    problems: list[ConfigProblem] = []
    position, line = 0, 1
    while position < len(text) and len(problems) < MOST_BAD_LINES:
        nothing = _ENV_NOTHING.match(text, position)
        found = None if nothing else _ENV_LINE.match(text, position)
        if found:
            values[found.group("name")] = _env_value(found)
        elif not nothing:
            problems.append(ConfigProblem(name, "env_line", line, 1))
        matched = nothing or found
        end = matched.end() if matched else text.find("\n", position) + 1 or len(text)
        line += text.count("\n", position, end)
        position = end
    if problems:
        raise ConfigErrors(problems)
    return values


def _env_value(found: re.Match[str]) -> str:
    if found.group("single") is not None:
        return found.group("single")
    if found.group("double") is not None:
        return re.sub(
            r"\\(.)", lambda each: _ESCAPES.get(each[1], each[1]), found.group("double"), flags=re.DOTALL
        )
    return re.split(r"(?:^|[ \t])#", found.group("bare"), maxsplit=1)[0].strip()
