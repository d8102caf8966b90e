"""PURE: the rows of `status` as lines of styled text, for a terminal of a given width, and as plain columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.text import Catalogue
from manager.overview import Place, Row, Weight
from manager.pieces import Line, Piece

_GAPS = (2, 1)
_LEAST_NAME = 10
_INDENT = "  "
_MIB = 1024 * 1024
_NONE = "-"

_STYLES = {Weight.GOOD: "green", Weight.WAITS: "cyan", Weight.OFF: "dim", Weight.ACT: "yellow"}
_DOWN = frozenset(
    {Place.EXITED, Place.OOM, Place.RESTARTING, Place.SILENT, Place.ABSENT, Place.CREATED, Place.REMOVING}
)

_RUNS = frozenset({Place.STARTING, Place.SILENT, Place.PAUSED})


@dataclass(frozen=True, slots=True)
class _Column:
    """`key`: of the header's text, `status.head_<key>`."""

    key: str
    cell: Callable[[Row, datetime, Catalogue], str]


def state_words(row: Row, say: Catalogue) -> str:
    """The bot's own word for it, else ours for its container."""
    word = row.state if row.place is Place.ANSWERS and row.state else say(f"status.place_{row.place.value}")
    if row.place in (Place.EXITED, Place.RESTARTING) and row.exit_code is not None:
        word = f"{word} ({row.exit_code})"
    return word


def _since(row: Row, now: datetime, say: Catalogue) -> str:
    return _NONE if row.since is None else span((now - row.since).total_seconds(), say)


def _session(row: Row, _: datetime, say: Catalogue) -> str:
    if row.session_present is not None:
        return say(f"status.{'yes' if row.session_present else 'no'}")
    key = _kept(row)
    return say(f"status.{key}") if key else _NONE


def _kept(row: Row) -> str | None:
    """Of a bot that does not answer, what is known of its volume: a mere `-` would look like a loss. None: it runs, and
    will tell.
    """
    if row.session_present is not None or not row.has_volume:
        return None
    if row.session_kept is not None:
        return "kept" if row.session_kept else "no"
    return None if row.place in _RUNS else "on_volume"


def _counts(row: Row, _: datetime, __: Catalogue) -> str:
    counts = (row.disconnects, row.reconnects, row.qr_requests)
    return _NONE if None in counts else "/".join(str(each) for each in counts)


def _memory(row: Row, _: datetime, __: Catalogue) -> str:
    return _NONE if row.memory_bytes is None else f"{row.memory_bytes / _MIB:.0f}M"


def _uptime(row: Row, _: datetime, say: Catalogue) -> str:
    return _NONE if row.uptime_seconds is None else span(row.uptime_seconds, say)


_COLUMNS = (
    _Column("client", lambda row, now, say: row.client_id + ("" if row.in_file else "*")),
    _Column("state", lambda row, now, say: state_words(row, say)),
    _Column("since", _since),
    _Column("phone", lambda row, now, say: row.phone or _NONE),
    _Column("session", _session),
    _Column("counts", _counts),
    _Column("memory", _memory),
    _Column("uptime", _uptime),
)


def span(seconds: float, say: Catalogue) -> str:
    """The largest whole unit: `59s`, `12m`, `3h`, `9d`."""
    left = max(0, int(seconds))
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if left >= length:
            return say(f"status.{unit}", count=left // length)
    return say("status.seconds", count=left)


def amount(count: int) -> str:
    """Of bytes; what is small is not told as nothing."""
    return f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:.1f} MiB"


def small(text: str, say: Catalogue) -> str:
    """In small letters: Turkish has two of what is one letter elsewhere."""
    return (text.replace("I", "ı").replace("İ", "i") if say.language == "tr" else text).lower()


def columns(rows: Sequence[Row], now: datetime, say: Catalogue) -> list[str]:
    """For programs and pipes: one line a bot, aligned, each column a tab from the next; to-do last."""
    heads = [*(say(f"status.head_{each.key}") for each in _COLUMNS), say("status.head_todo")]
    table = [heads, *([*_cells(row, now, say), _todo(row, say)] for row in rows)]
    widths = [max(len(cells[at]) for cells in table) for at in range(len(heads) - 1)]
    lines = ["\t".join([*map(str.ljust, cells, widths), cells[-1]]).rstrip() for cells in table]
    return lines + _footnotes(rows, say)


def screen(
    rows: Sequence[Row], now: datetime, say: Catalogue, width: int, height: int | None = None
) -> list[Line]:
    """For people: one line a bot, and under it what has to be done. `height`: as many lines as there is room
    for, those that want something first."""
    if not rows:
        return [(Piece(say("status.none")),)]
    head, bodies = _table(rows, now, say, width) or _stacked(rows, now, say)
    for row, body in zip(rows, bodies, strict=True):
        body.extend(_todo_lines(row, say, width))
    feet: list[Line] = [(Piece(summary(rows, say), "bold"),)]
    feet += [(Piece(each, "dim"),) for each in _footnotes(rows, say)]
    room = None if height is None else height - len(head) - len(feet)
    if room is not None and sum(map(len, bodies)) > room:
        return [*head, *_most_urgent(rows, bodies, room - 1, say), *feet]
    return [*head, *(line for body in bodies for line in body), *feet]


def _most_urgent(rows: Sequence[Row], bodies: list[list[Line]], room: int, say: Catalogue) -> list[Line]:
    order = (Weight.ACT, Weight.WAITS, Weight.GOOD, Weight.OFF)
    ranked = sorted(range(len(rows)), key=lambda at: order.index(rows[at].weight))
    chosen: set[int] = set()
    for at in ranked:
        if len(bodies[at]) > room:
            break
        room -= len(bodies[at])
        chosen.add(at)
    lines = [line for at in sorted(chosen) for line in bodies[at]]
    return [*lines, (Piece(say("status.more", count=len(rows) - len(chosen)), "dim"),)]


def _table(
    rows: Sequence[Row], now: datetime, say: Catalogue, width: int
) -> tuple[list[Line], list[list[Line]]] | None:
    """Columns as narrow as their texts; long clientIds are folded. None when there is no room for that."""
    heads = [say(f"status.head_{each.key}") for each in _COLUMNS]
    cells = [_cells(row, now, say) for row in rows]
    widths = [max(len(each[at]) for each in (heads, *cells)) for at in range(len(heads))]
    for gap in _GAPS:
        room = width - sum(widths[1:]) - gap * (len(widths) - 1)
        if room >= widths[0] or (gap == _GAPS[-1] and room >= _LEAST_NAME):
            break
    else:
        return None
    widths[0] = min(widths[0], room)
    header = (Piece(_joined(heads, widths, gap), "bold"),)
    bodies = []
    for row, texts in zip(rows, cells, strict=True):
        first, *rest = _folded(texts[0], widths[0])
        line = _joined([first, *texts[1:]], widths, gap)
        start = widths[0] + gap
        state = len(texts[1])
        styled = (
            Piece(line[:start]),
            Piece(line[start : start + state], _style(row)),
            Piece(line[start + state :]),
        )
        bodies.append([styled, *((Piece(each),) for each in rest)])
    return [header], bodies


def _stacked(rows: Sequence[Row], now: datetime, say: Catalogue) -> tuple[list[Line], list[list[Line]]]:
    """For a narrow terminal: name and state, and the rest on a line of its own."""
    bodies: list[list[Line]] = []
    for row in rows:
        name, state, *texts = _cells(row, now, say)
        named = [
            f"{small(say(f'status.head_{column.key}'), say)} {text}"
            for column, text in zip(_COLUMNS[2:], texts, strict=True)
            if text != _NONE
        ]
        body: list[Line] = [(Piece(f"{name}  "), Piece(state, _style(row)))]
        body += [(Piece(f"{_INDENT}{each}"),) for each in named]
        bodies.append(body)
    return [], bodies


def _style(row: Row) -> str:
    return "red" if row.weight is Weight.ACT and row.place in _DOWN else _STYLES[row.weight]


def _todo(row: Row, say: Catalogue) -> str:
    parts = [*_why(row, say), row.advice.say(say) if row.advice else ""]
    return "; ".join(part for part in parts if part) or _NONE


def _why(row: Row, say: Catalogue) -> list[str]:
    """What is wrong, and what mends it, in one line each."""
    return [" ".join(text.split()) for text in (row.why(say), row.fix) if text]


def _todo_lines(row: Row, say: Catalogue, width: int) -> list[Line]:
    """A command that finds no room beside its reason gets a line of its own, whole, to be copied."""
    lines: list[Line] = [(Piece(f"{_INDENT}{each}", "dim"),) for each in _why(row, say)]
    if row.advice is None:
        return lines
    style = "dim" if row.weight is Weight.OFF else "yellow"
    text, command = row.advice.say(say), row.advice.command
    if command and len(f"{_INDENT}> {text}") > width:
        text = text.removesuffix(command).rstrip()
        return [*lines, (Piece(f"{_INDENT}> {text}", style),), (Piece(f"{_INDENT}  {command}", style),)]
    return [*lines, (Piece(f"{_INDENT}> {text}", style),)]


def _cells(row: Row, now: datetime, say: Catalogue) -> list[str]:
    return [each.cell(row, now, say) for each in _COLUMNS]


def _joined(texts: Iterable[str], widths: Sequence[int], gap: int) -> str:
    return (" " * gap).join(map(str.ljust, texts, widths)).rstrip()


def _folded(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)]


def summary(rows: Sequence[Row], say: Catalogue) -> str:
    ready = sum(row.weight is Weight.GOOD for row in rows)
    act = sum(row.weight is Weight.ACT for row in rows)
    key = "status.summary_act" if act else "status.summary"
    return say(key, count=len(rows), ready=ready, act=act)


def _footnotes(rows: Sequence[Row], say: Catalogue) -> list[str]:
    notes = [] if all(row.in_file for row in rows) else [say("status.taken_out_note")]
    if any(_kept(row) in ("kept", "on_volume") for row in rows):
        notes.append(say("status.kept_note"))
    return notes
