"""Changes bots.yaml for people: add, pause and resume a bot. Every other character of the file stays.

The change is made in the text, at the place the parsed tree names, because a YAML writer would lay the whole
file out anew. The new text must then read as exactly the fleet that was asked for, or nothing is written.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.contract import is_client_id
from bot.text import Catalogue
from manager import config, yamlsource
from manager.config import ConfigErrors
from manager.fleet import Fleet
from manager.interpolate import Variables
from manager.text import catalogue
from manager.wholefile import sync_folder
from manager.yamlsource import Mapping as YamlMapping
from manager.yamlsource import Node, Scalar, Sequence


class EditError(Exception):
    """Nothing was changed. `key` is one of the catalogue's [edit]; `str()` gives the English text."""

    def __init__(self, key: str, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(key)

    def say(self, say: Catalogue) -> str:
        return say(f"edit.{self.key}", **self.values)

    def __str__(self) -> str:
        return self.say(catalogue("en"))


def add(
    path: Path,
    environ: Mapping[str, str],
    client_id: str,
    settings: Mapping[str, object] | None = None,
    *,
    only_trying: bool = False,
) -> None:
    """One more entry at the end of `bots`. `settings`: further keys of the entry with plain values. `only_trying`: all
    but that the new file is put in the old one's place.

    Raises EditError, and ConfigErrors when the file is wrong, or would be with these settings.
    """
    if not is_client_id(client_id):
        raise EditError("not_a_client_id", client=client_id)
    with _edited(path, environ, only_trying=only_trying) as file:
        for at, bot in enumerate(file.fleet.bots):
            if bot.client_id.lower() == client_id.lower():
                key = "exists" if bot.client_id == client_id else "exists_case"
                raise EditError(
                    key, client=client_id, other=bot.client_id, file=str(path), line=file.line(at)
                )
        keys = {"clientId": client_id, **(settings or {})}
        file.text = _with_entry(file, keys)
        file.check(lambda new: new.bots[:-1] == file.fleet.bots and new.bots[-1].client_id == client_id)


def pause(path: Path, environ: Mapping[str, str], client_id: str) -> bool:
    """`enabled: false` in the bot's entry. False: it was so already. Raises EditError, ConfigErrors."""
    return _set_enabled(path, environ, client_id, False)


def resume(path: Path, environ: Mapping[str, str], client_id: str) -> bool:
    """`enabled: true` in the bot's entry. False: it was so already. Raises EditError, ConfigErrors."""
    return _set_enabled(path, environ, client_id, True)


def _set_enabled(path: Path, environ: Mapping[str, str], client_id: str, enabled: bool) -> bool:
    with _edited(path, environ) as file:
        at = next((at for at, bot in enumerate(file.fleet.bots) if bot.client_id == client_id), None)
        if at is None:
            known = ", ".join(bot.client_id for bot in file.fleet.bots)
            key = "unknown" if known else "unknown_none"
            raise EditError(key, client=client_id, file=str(path), known=known)
        if file.fleet.bots[at].enabled == enabled:
            return False
        file.text = _with_enabled(file, at, enabled)
        wanted = list(file.fleet.bots)
        wanted[at] = replace(wanted[at], enabled=enabled)
        file.check(lambda new: new.bots == tuple(wanted))
    return True


# ---- the file


@dataclass
class _File:
    """A bots.yaml that is being edited: its old tree and fleet, and the text as it shall become."""

    path: Path
    variables: Variables
    text: str
    root: Node
    fleet: Fleet
    by_hand: str = ""

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def bots(self) -> Sequence:
        assert isinstance(self.root, YamlMapping)
        node = self.root.entries["bots"][1]
        assert isinstance(node, Sequence)
        return node

    def line(self, at: int) -> int:
        return self.bots().items[at].start.line + 1

    def refuse(self) -> EditError:
        return EditError("by_hand", file=str(self.path), line=self.by_hand)

    def check(self, as_wanted: Callable[[Fleet], bool]) -> None:
        """The text must read as the wanted fleet; a bad setting of the new entry is told as such."""
        try:
            new = config.parse(self.text.encode(), str(self.path), self.variables)
        except ConfigErrors as errors:
            if any(problem.path.startswith("bots[") for problem in errors.problems):
                raise
            raise self.refuse() from None
        same = (new.project, new.image) == (self.fleet.project, self.fleet.image)
        if not (same and as_wanted(new)):
            raise self.refuse()


@contextmanager
def _edited(path: Path, environ: Mapping[str, str], *, only_trying: bool = False) -> Iterator[_File]:
    """The file, locked against other edits; written when the block ends well and the text has changed."""
    path = Path(path)
    with _locked(path):
        content = config.read(path)
        variables = Variables(environ, path.parent / ".env")
        fleet = config.parse(content, str(path), variables)
        text = content.decode("utf-8")
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        root, _ = yamlsource.compose(text.removeprefix(mark), str(path))
        file = _File(path, variables, text.removeprefix(mark), root, fleet)
        yield file
        if mark + file.text != text:
            _write(path.resolve(), (mark + file.text).encode(), only_trying=only_trying)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """An exclusive lock on the file itself, so that two edits at once don't undo each other.

    An edit puts a new file in place of the old: whoever waited for the old one's lock must look again.
    """
    while True:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield  # config.read says what is wrong
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), path.stat()):
                yield
                return
        finally:
            os.close(handle)


def _write(path: Path, content: bytes, *, only_trying: bool) -> None:
    """All or nothing (`only_trying`: nothing), with the old file's mode and owner. Raises EditError."""
    temporary = None
    try:
        old = path.stat()
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.fstat(handle).st_gid):
                try:
                    os.fchown(handle, old.st_uid, old.st_gid)
                except PermissionError:
                    raise EditError("owner", file=str(path), uid=old.st_uid) from None
            os.fchmod(handle, old.st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(handle)
        if not only_trying:
            temporary.replace(path)
            temporary = None
            sync_folder(path.parent)
    except OSError as error:
        raise EditError("not_written", file=str(path), detail=error.strerror) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


# ---- the text


def _with_entry(file: _File, keys: Mapping[str, object]) -> str:
    bots = file.bots()
    file.by_hand = "- " + _flow(keys, json_style=False)
    if bots.flow and (bots.items or bots.start.line != bots.end.line or _is_flow(file.root)):
        return _into_flow(file, bots, _flow(keys, json_style=_is_flow(file.root)))
    written = [f"{_plain(key)}: {_plain(value)}" for key, value in keys.items()]
    if bots.flow:
        indent = " " * _child_indent(file)
        entry = [f"{indent}- {written[0]}", *(f"{indent}  {line}" for line in written[1:])]
        text = file.text[: bots.start.index].rstrip(" \t") + file.text[bots.end.index :]
        return _after_line(text, bots.start.line, entry, file.newline)
    indent = " " * bots.start.column
    entry = [f"{indent}- {written[0]}", *(f"{indent}  {line}" for line in written[1:])]
    lines = file.text.splitlines()
    last = _last_line(bots.items[-1])
    while last + 1 < len(lines) and _is_comment_deeper(lines[last + 1], bots.start.column):
        last += 1
    if _items_apart(bots, lines):
        entry = ["", *entry]
    return _after_line(file.text, last, entry, file.newline)


def _with_enabled(file: _File, at: int, enabled: bool) -> str:
    node = file.bots().items[at]
    word = "true" if enabled else "false"
    file.by_hand = f"enabled: {word}"
    if not isinstance(node, YamlMapping) or "clientId" not in node.own:
        raise file.refuse()
    if "enabled" in node.own:
        value = node.entries["enabled"][1]
        if not isinstance(value, Scalar) or value.start.index < node.start.index:
            raise file.refuse()
        return file.text[: value.start.index] + word + file.text[value.end.index :]
    key, value = node.entries["clientId"]
    if value.start.index < node.start.index:
        raise file.refuse()
    if node.flow:
        name = '"enabled"' if _is_flow(file.root) else "enabled"
        return f"{file.text[: value.end.index]}, {name}: {word}{file.text[value.end.index :]}"
    line = " " * key.start.column + f"enabled: {word}"
    return _after_line(file.text, value.end.line, [line], file.newline)


def _into_flow(file: _File, bots: Sequence, entry: str) -> str:
    place = bots.items[-1].end.index if bots.items else bots.start.index + 1
    return file.text[:place] + (", " if bots.items else "") + entry + file.text[place:]


def _after_line(text: str, line: int, added: list[str], newline: str) -> str:
    """`added` as lines of their own after line `line` (from 0), whether or not the file ends in a newline."""
    lines = text.splitlines(keepends=True)
    before = "".join(lines[: line + 1])
    if not before.endswith(("\n", "\r")):
        before += newline
    rest = "".join(lines[line + 1 :])
    ends = newline if rest or text.endswith(("\n", "\r")) else ""
    return before + newline.join(added) + ends + rest


def _last_line(node: Node) -> int:
    """The last line on which the node's own text stands: a block's end mark lies behind what follows it."""
    if isinstance(node, Scalar) or node.flow:
        end = node.end
        return end.line - 1 if end.column == 0 and end.line > node.start.line else end.line
    if isinstance(node, Sequence):
        children: list[Node] = list(node.items)
    else:
        children = [each for name in node.own for each in node.entries[name]]
    inside = [_last_line(each) for each in children if each.start.index >= node.start.index]
    return max([node.start.line, *inside])


def _is_comment_deeper(line: str, column: int) -> bool:
    """A comment that is indented like the keys of an entry belongs to that entry."""
    found = re.match(r"( *)#", line)
    return found is not None and len(found.group(1)) > column


def _items_apart(bots: Sequence, lines: list[str]) -> bool:
    """Whether empty lines stand between the entries, as the new one then should have."""
    if len(bots.items) < 2:
        return False
    start = bots.items[-1].start.line
    return start > 0 and not lines[start - 1].strip()


def _child_indent(file: _File) -> int:
    """As deep as the keys under `defaults` are, else two."""
    assert isinstance(file.root, YamlMapping)
    found = file.root.entries.get("defaults")
    if found and isinstance(found[1], YamlMapping) and not found[1].flow and found[1].start.column > 0:
        return int(found[1].start.column)
    return 2


def _is_flow(node: Node) -> bool:
    return isinstance(node, YamlMapping) and node.flow


def _flow(keys: Mapping[str, object], *, json_style: bool) -> str:
    if json_style:
        return json.dumps(dict(keys), ensure_ascii=False)
    return "{" + ", ".join(f"{_plain(key)}: {_plain(value)}" for key, value in keys.items()) + "}"


def _plain(value: object) -> str:
    """A scalar as YAML reads it back: bare where that is safe, else quoted (JSON's quotes are YAML's too)."""
    if isinstance(value, str):
        safe = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", value) and yamlsource.meaning(value) == value
        return value if safe else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)
