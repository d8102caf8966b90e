"""YAML with positions: safe, bounded, and without YAML's guesses.

A tree of nodes that know their line and column, built from the parser's events. Nothing is constructed from
tags, aliases are references and not copies, and depth, size and expanded size have limits, so that a hostile
file costs no more than a long one. What a plain scalar *means* (`on`, `007`, `1e3`) is decided here alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Protocol

import yaml

from manager.configproblems import ConfigErrors, ConfigProblem

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20
MAX_NODES = 40_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_MERGE = "<<"


class Mark(Protocol):
    """The parser's own. Zero-based; `index` counts characters from the file's beginning."""

    line: int
    column: int
    index: int


@dataclass(slots=True)
class Scalar:
    """`text` as the parser read it; `plain`: without quotes, so that it may be a number or nothing at all."""

    start: Mark
    end: Mark
    text: str
    plain: bool

    @property
    def has_variables(self) -> bool:
        return "${" in self.text


@dataclass(slots=True)
class Sequence:
    start: Mark
    end: Mark
    flow: bool
    items: list[Node] = field(default_factory=list)
    weight: int = 1


@dataclass(slots=True)
class Mapping:
    """`entries`: key text -> (key, value), with what `<<` brought in. `own`: the keys written in place."""

    start: Mark
    end: Mark
    flow: bool
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    merges: list[Node] = field(default_factory=list)
    weight: int = 1


Node = Scalar | Sequence | Mapping


def compose(text: str, file: str) -> tuple[Node, list[ConfigProblem]]:
    """The one document in `text`, and what is wrong with it but hinders no further reading (duplicate keys).

    Raises ConfigErrors: broken YAML, tabs, tags, several documents, too deep, an alias bomb, nothing in it.
    """
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        raise ConfigErrors([*builder.problems, *_syntax_problems(error, text, file)]) from None
    if builder.root is None:
        raise ConfigErrors([ConfigProblem(file, "empty")])
    return builder.root, builder.problems


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.problems: list[ConfigProblem] = []
        self._open: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._unfinished: set[int] = set()
        self._count = 0

    def take(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.NodeEvent):
            self._check_tag(event, getattr(event, "tag", None))
        match event:
            case yaml.ScalarEvent():
                plain = event.style in (None, "") and event.tag is None
                self._add(Scalar(start, end, event.value, plain), event.anchor)
            case yaml.SequenceStartEvent():
                self._begin(Sequence(start, end, bool(event.flow_style)), event.anchor)
            case yaml.MappingStartEvent():
                self._begin(Mapping(start, end, bool(event.flow_style)), event.anchor)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._finish(end)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                if self.root is not None:
                    self._stop("documents", event)

    def _begin(self, node: Sequence | Mapping, anchor: str | None) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise ConfigErrors([self._problem("too_deep", node.start, limit=MAX_DEPTH)])
        self._add(node, anchor)
        self._open.append(_Frame(node))
        self._unfinished.add(id(node))

    def _finish(self, end: Mark) -> None:
        frame = self._open.pop()
        frame.node.end = end
        self._unfinished.discard(id(frame.node))
        if isinstance(frame.node, Mapping) and frame.node.merges:
            self._merge(frame.node)
        if self._open:
            self._open[-1].node.weight += frame.node.weight

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(str(event.anchor))
        if node is None:
            self._stop("unknown_anchor", event, name=event.anchor)
        if id(node) in self._unfinished:
            self._stop("endless_alias", event, name=event.anchor)
        weight = 1 if isinstance(node, Scalar) else node.weight
        self._grow(weight, event.start_mark)
        if self._open:
            self._open[-1].node.weight += weight
        self._place(node)

    def _add(self, node: Node, anchor: str | None) -> None:
        self._grow(1, node.start)
        if self._open and isinstance(node, Scalar):
            self._open[-1].node.weight += 1
        if anchor is not None:
            self._anchors[anchor] = node
        self._place(node)

    def _grow(self, weight: int, where: Mark) -> None:
        """The size with every alias written out: an alias bomb stops here, before anything is expanded."""
        self._count += weight
        if self._count > MAX_NODES:
            raise ConfigErrors([self._problem("too_many_nodes", where, limit=MAX_NODES)])

    def _place(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        frame = self._open[-1]
        if isinstance(frame.node, Sequence):
            frame.node.items.append(node)
        elif frame.key is None:
            if not isinstance(node, Scalar):
                raise ConfigErrors([self._problem("key_not_text", node.start)])
            frame.key = node
        else:
            self._pair(frame.node, frame.key, node)
            frame.name, frame.key = frame.key.text, None

    def _pair(self, mapping: Mapping, key: Scalar, value: Node) -> None:
        if key.plain and key.text == _MERGE:
            mapping.merges.append(value)
        elif key.text in mapping.own:
            first = mapping.entries[key.text][0].start.line + 1
            problem = self._problem("duplicate_key", key.start, name=key.text, first=first)
            self.problems.append(replace(problem, path=self._path(key.text)))
        else:
            mapping.own.add(key.text)
            mapping.entries[key.text] = (key, value)

    def _path(self, key: str) -> str:
        """Where the parser is: `bots[1].memory`."""
        path = ""
        for frame in self._open[:-1]:
            if isinstance(frame.node, Sequence):
                path += f"[{len(frame.node.items) - 1}]"
            else:
                path += f".{frame.name}" if path else frame.name
        return f"{path}.{key}" if path else key

    def _merge(self, mapping: Mapping) -> None:
        """YAML 1.1's `<<`: own keys win, then the first of several merged mappings."""
        for source in mapping.merges:
            for each in source.items if isinstance(source, Sequence) else [source]:
                if not isinstance(each, Mapping):
                    raise ConfigErrors([self._problem("merge_not_mapping", each.start)])
                for key, pair in each.entries.items():
                    mapping.entries.setdefault(key, pair)

    def _check_tag(self, event: Any, tag: str | None) -> None:
        if tag is not None and tag != "!" and tag not in _KNOWN_TAGS:
            self._stop("tag", event, tag=tag.replace(_TAG, "!!"))

    def _stop(self, kind: str, event: Any, **values: object) -> NoReturn:
        raise ConfigErrors([*self.problems, self._problem(kind, event.start_mark, **values)])

    def _problem(self, kind: str, where: Mark, **values: object) -> ConfigProblem:
        return ConfigProblem(self.file, kind, where.line + 1, where.column + 1, values=values)


@dataclass(slots=True)
class _Frame:
    """A collection that is being read. `key` waits for its value; `name`: key of the last value begun."""

    node: Sequence | Mapping
    key: Scalar | None = None
    name: str = ""


# ---- what went wrong, in words


def _syntax_problems(error: yaml.YAMLError, text: str, file: str) -> Iterator[ConfigProblem]:
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position] if isinstance(error.position, int) else ""
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        yield ConfigProblem(file, "control_character", line, column, values={"code": _code(error.character)})
        return
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    tabs = list(_tabs(text, file))
    if tabs and (mark is None or any(tab.line <= mark.line + 1 for tab in tabs)):
        yield from tabs
        return
    said = ", ".join(
        part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part
    )
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    yield ConfigProblem(file, "syntax", line, column, values={"detail": said or str(error)})


def _code(character: object) -> str:
    number = ord(character) if isinstance(character, str) else int(str(character))
    return f"U+{number:04X}"


def _tabs(text: str, file: str) -> Iterator[ConfigProblem]:
    """Every line that is indented with a tab: YAML's own message about the first one explains nothing."""
    for number, line in enumerate(text.splitlines(), 1):
        indentation = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indentation and line.strip():
            yield ConfigProblem(file, "tab", number, indentation.index("\t") + 1)


# ---- what a plain scalar means


class Ambiguous:
    """What YAML readers do not agree on (`007`, `0x1f`, `12:30`, `2026-01-31`): neither text nor number."""


AMBIGUOUS = Ambiguous()

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE|yes|Yes|YES|on|On|ON")
_FALSE = re.compile(r"false|False|FALSE|no|No|NO|off|Off|OFF")
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_ODD = re.compile(
    r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9_]+([eE][-+]?[0-9]+)?"
    r"|[-+]?0[xob][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"
)


def meaning(text: str) -> str | int | float | bool | Ambiguous | None:
    """A plain scalar's value where all YAML versions agree; AMBIGUOUS where they don't.

    YAML 1.1's words for true and false count as such, because other readers of the same file take them so.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return AMBIGUOUS if _ODD.fullmatch(text) else text
