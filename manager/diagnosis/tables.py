"""PURE: stories as lines of text: columns for a pipe, cells and styled lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.contract import Level, State
from bot.text import Catalogue
from manager.diagnosis.story import Beyond, Failure, Story, Way, worth_telling
from manager.diagnosis.words import (
    Clock,
    failure_text,
    hint,
    lasting,
    notes,
    percent,
    state_word,
    verdict_line,
)
from manager.overviewtext import small, span
from manager.pieces import Line, Piece

HEADS = ("client", "state", "since", "up", "ready", "disconnects", "reconnects", "qr", "written", "copy")
_FAILURE_HEADS = ("client", "level", "event", "reason", "count", "last", "text", "hint")
_NONE = "-"
_MOST_EPISODES = 8
_LEAST_NAME = 16
_RANK = {Level.ERROR.value: 0, Level.WARNING.value: 1}
_STYLES = {Level.ERROR.value: "red", Level.WARNING.value: "yellow"}
_KNOWN_LEVELS = frozenset(each.value for each in Level)
_STATE_STYLES = {State.READY.value: "green", Beyond.STOPPED.value: "dim", Beyond.UNKNOWN.value: "dim"}
_PERSON = frozenset(each.value for each in State if each.permanent) | {Beyond.DOWN.value}


def heads(say: Catalogue) -> list[str]:
    return [say(f"diagnosis.head_{each}") for each in HEADS]


def cells(story: Story, clock: Clock, say: Catalogue) -> list[str]:
    """One for each of HEADS."""
    kept = story.generation
    return [
        story.client_id,
        state_word(story, say),
        _NONE if story.since is None else clock.ago(story.since, say),
        _NONE if story.uptime is None else span(story.uptime, say),
        percent(story.availability),
        counted(story.disconnects) or _NONE,
        ", ".join(f"{how} {_way(way, say)}" for how, way in story.reconnects.items()) or _NONE,
        counted(story.qr_by_cause) or _NONE,
        _NONE if story.written is None else clock.ago(story.written, say),
        _NONE
        if kept is None
        else f"{'?' if kept.number is None else kept.number} ({clock.ago(kept.at, say)})",
    ]


def state_style(state: str | None) -> str:
    if state in _PERSON:
        return "red"
    return _STATE_STYLES.get(state or "", "yellow")


def counted(counts: Mapping[str, int]) -> str:
    """`CONNECTION_ERROR 12, PAGE_HUNG 1`."""
    return ", ".join(f"{name or '?'} {count}" for name, count in by_count(counts))


def by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _way(way: Way, say: Catalogue) -> str:
    if way.p50 is None or way.p95 is None:
        return str(way.count)
    return f"{way.count} ({lasting(way.p50, say)}/{lasting(way.p95, say)})"


def verdicts(stories: Iterable[Story], clock: Clock, say: Catalogue) -> Iterator[Line]:
    """A line for each QR and each note, with its bot's name before it."""
    for story in stories:
        shown = worth_telling(story.episodes, _MOST_EPISODES)
        if left := len(story.episodes) - len(shown):
            yield (Piece(f"{story.client_id}  ", "bold"), Piece(say("diagnosis.more", count=left), "dim"))
        for episode in shown:
            style = "red" if episode.alarming else "yellow" if episode.waiting else ""
            line = verdict_line(episode, story.client_id, clock, say)
            yield (Piece(f"{story.client_id}  ", "bold"), Piece(line, style))
        for note in notes(story, say):
            yield (Piece(f"{story.client_id}  ", "bold"), Piece(note, "dim"))


def summary_columns(stories: Sequence[Story], clock: Clock, say: Catalogue) -> list[str]:
    return columns([heads(say), *(cells(story, clock, say) for story in stories)])


def fitted(rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """A width for each column, in all at most `room`: the widest give way first. None: words would be broken, and not
    only those of a long clientId."""
    columns = list(zip(*rows, strict=True))
    widths = [max(len(line) for text in column for line in text.split("\n")) for column in columns]
    least = [max(len(word) for text in column for word in text.split()) for column in columns]
    least[0] = min(least[0], _LEAST_NAME)
    if sum(least) > room:
        return None
    for _ in range(sum(widths) - room):
        at = max(range(len(widths)), key=lambda at: (widths[at] > least[at], widths[at]))
        widths[at] -= 1
    return widths


def stacked(stories: Iterable[Story], clock: Clock, say: Catalogue) -> Iterator[Line]:
    """For a narrow terminal: name and state, and below them a line for each figure that is known."""
    names = [small(each, say) for each in heads(say)[2:]]
    for story in stories:
        client, state, *rest = cells(story, clock, say)
        yield (Piece(f"{client}  ", "bold"), Piece(state, state_style(story.state)))
        for name, text in zip(names, rest, strict=True):
            if text != _NONE:
                yield (Piece(f"  {name} {text}"),)


def columns(table: Sequence[Sequence[str]]) -> list[str]:
    """For programs and pipes: aligned, each column a tab from the next."""
    widths = [max(map(len, column)) for column in list(zip(*table, strict=True))[:-1]]
    return ["\t".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in table]


def ordered(failures: Iterable[Failure]) -> list[Failure]:
    """The worst first, then what came last."""
    return sorted(failures, key=lambda each: (_RANK.get(each.level, 2), -each.last, each.event, each.reason))


def level_word(level: str, say: Catalogue) -> str:
    return say(f"logs.level_{level}") if level in _KNOWN_LEVELS else level


def error_columns(stories: Iterable[Story], clock: Clock, say: Catalogue) -> list[str]:
    table = [[say(f"diagnosis.head_{each}") for each in _FAILURE_HEADS]]
    for story in stories:
        for each in ordered(story.failures):
            told = (_failure_cells(each, clock, say), hint(each, story.client_id, say))
            table.append([story.client_id, *told[0], told[1]])
    return columns(table)


def _failure_cells(failure: Failure, clock: Clock, say: Catalogue) -> list[str]:
    return [
        level_word(failure.level, say),
        failure.event,
        failure.reason or _NONE,
        str(failure.count),
        clock.time(failure.last),
        failure_text(failure, say),
    ]


def error_screen(stories: Iterable[Story], clock: Clock, say: Catalogue) -> Iterator[Line]:
    """A bot, its failures below it, and below each what to do about it."""
    for story in stories:
        if not story.failures:
            continue
        yield (Piece(story.client_id, "bold"),)
        for each in ordered(story.failures):
            level, event, reason, count, last, text = _failure_cells(each, clock, say)
            name = event if reason == _NONE else f"{event} {reason}"
            yield (
                Piece(f"  {level:8}", _STYLES.get(each.level, "blue")),
                Piece(f"  {name}", "bold"),
                Piece(f"  {count}×  {last}  "),
                Piece(f"({text})"),
            )
            yield (Piece(f"    > {hint(each, story.client_id, say)}", "dim"),)
