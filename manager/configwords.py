"""pydantic's findings -> problems with line, column and a word people understand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bot.contract import BrowserSettings, ContractModel, ReconnectSettings
from manager import checks
from manager.configproblems import ConfigProblem
from manager.yamlsource import AMBIGUOUS, Mapping, Node, Scalar, Sequence, meaning

Location = tuple[int | str, ...]

_MOST_SHOWN = 60

_TOP_KEYS = ("project", "image", "defaults", "bots")
_BOT_KEYS = (
    "enabled", "memory", "language", "url", "timezone", "locale", "proxy", "reconnect", "browser", "env",
)  # fmt: skip
_GROUPS: dict[str, type[ContractModel]] = {"reconnect": ReconnectSettings, "browser": BrowserSettings}
_SYNONYMS = {
    "id": "clientId",
    "name": "clientId",
    "client": "clientId",
    "environment": "env",
    "tz": "timezone",
    "ram": "memory",
    "mem": "memory",
    "chrome": "browser",
    "chromium": "browser",
    "clients": "bots",
}

# pydantic's error types -> keys of the catalogue's [config]. Types of our own checks are such keys already.
_WORDS = {
    "missing": "required",
    "string_type": "want_text",
    "int_type": "want_number",
    "float_type": "want_number",
    "bool_type": "want_bool",
    "tuple_type": "want_list",
    "list_type": "want_list",
    "dict_type": "want_mapping",
    "model_type": "want_mapping",
    "model_attributes_type": "want_mapping",
    "literal_error": "one_of",
    "greater_than": "greater_than",
    "greater_than_equal": "at_least",
    "less_than_equal": "at_most",
    "finite_number": "want_number",
}


def problems(error: ValidationError, root: Node, file: str) -> Iterator[ConfigProblem]:
    for found in error.errors(include_url=False):
        yield _problem(found, root, file)


def place(root: Node, location: Location) -> tuple[int, int]:
    """Line and column, from 1, of the value at `location`; of the last part of it that exists."""
    start = _walk(root, location)[-1].start
    return start.line + 1, start.column + 1


def written(root: Node, location: Location) -> str:
    """The scalar at `location` as it stands in the file: a placeholder, never what it was filled with."""
    return _shown(_walk(root, location)[-1])


def dotted(location: Iterable[int | str]) -> str:
    """`("bots", 1, "memory")` -> `bots[1].memory`"""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _problem(found: ErrorDetails, root: Node, file: str) -> ConfigProblem:
    location: Location = found["loc"]
    at_key = location[-1:] == ("[key]",)
    if at_key:
        location = location[:-1]
    kind = found["type"]
    walked = _walk(root, location)
    node = walked[-1]
    values: dict[str, Any] = dict(found.get("ctx") or {})
    if _is_filled_in(node):
        for name in ("text", "better", "hint"):
            values.pop(name, None)
    if kind == "extra_forbidden":
        key, values = _unknown_key(location, found, root)
        at_key = True
    else:
        key = _WORDS.get(kind, kind if kind in _OWN else "invalid")
        if key.startswith("want_"):
            values |= _instead(node, key)
        values.setdefault("detail", found["msg"])
    secret = "proxy" in location or "env" in location
    values.setdefault("text", "…" if secret else _shown(node))
    start = _key_of(walked, location).start if at_key else node.start
    return ConfigProblem(file, key, start.line + 1, start.column + 1, dotted(location), values)


def _is_filled_in(node: Node) -> bool:
    """What the checks saw there came out of variables, and is not to be repeated."""
    if isinstance(node, Sequence):
        return any(_is_filled_in(each) for each in node.items)
    return isinstance(node, Scalar) and node.has_variables


def _walk(root: Node, location: Location) -> list[Node]:
    """The nodes on the way, as far as they exist."""
    nodes = [root]
    for part in location:
        node = nodes[-1]
        if isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            nodes.append(node.items[part])
        elif isinstance(node, Mapping) and part in node.entries:
            nodes.append(node.entries[str(part)][1])
        else:
            break
    return nodes


def _key_of(walked: list[Node], location: Location) -> Node:
    parent = walked[-2] if len(walked) > 1 else walked[-1]
    if isinstance(parent, Mapping) and location[-1] in parent.entries:
        return parent.entries[str(location[-1])][0]
    return walked[-1]


def _unknown_key(location: Location, found: ErrorDetails, root: Node) -> tuple[str, dict[str, Any]]:
    """The catalogue's key and values: a likely other spelling, or the place where this key does belong."""
    name = str(location[-1])
    known = _known_keys(location[:-1])
    if name in _BOT_KEYS and name not in known:
        return "misplaced", {"where": "defaults / bots[…]"}
    if name in _TOP_KEYS and name not in known:
        return "misplaced_top", {}
    better = checks.nearest(name, known)
    synonym = _SYNONYMS.get(name.lower())
    if synonym in known:
        better = synonym
    if better:
        return "unknown_key", {"better": better, "hint": "did_you_mean"}
    return "unknown_key", {"known": ", ".join(sorted(known)), "hint": "known_keys"}


def _known_keys(location: Location) -> tuple[str, ...]:
    match location:
        case ():
            return _TOP_KEYS
        case ("defaults",):
            return _BOT_KEYS
        case ("bots", int()):
            return ("clientId", *_BOT_KEYS)
    return _group_keys(str(location[-1]))


def _group_keys(name: str) -> tuple[str, ...]:
    model = _GROUPS.get(name)
    return tuple(str(field.alias) for field in model.model_fields.values()) if model else ()


def _instead(node: Node, wanted: str) -> dict[str, Any]:
    """What stands there instead of what was wanted, and how to mend the commonest case: quotes."""
    if isinstance(node, Mapping | Sequence):
        kind = "mapping" if isinstance(node, Mapping) else "list"
        return {"got": kind, "hint": f"got_{kind}"}
    return {"hint": _scalar_hint(node, wanted)}


def _scalar_hint(node: Scalar, wanted: str) -> str:
    value = meaning(node.text)
    if not node.plain:
        return "got_text"
    if node.has_variables:
        return "quote_variable" if wanted == "want_text" else "got_variable"
    if wanted == "want_text" and value is not None and not isinstance(value, str):
        return "quote_bool" if isinstance(value, bool) else "quote_number"
    if value is None:
        return "got_nothing"
    return "got_ambiguous" if value is AMBIGUOUS else "got_text"


def _shown(node: Node) -> str:
    """The scalar as it stands in the file: a placeholder, never what it was filled with."""
    if not isinstance(node, Scalar):
        return "…"
    text = node.text if len(node.text) <= _MOST_SHOWN else node.text[: _MOST_SHOWN - 1] + "…"
    return text.replace("\n", " ")


_OWN = frozenset(
    {
        "client_id", "env_name", "env_reserved", "memory", "memory_small", "memory_big", "project", "image",
        "url", "url_credentials", "timezone", "locale", "proxy", "proxy_port", "proxy_path",
        "proxy_socks_credentials", "browser_arg", "browser_arg_sandbox", "browser_arg_taken",
    }
)  # fmt: skip
