"""PURE: the stories of a fleet as one self-contained page: nothing is loaded from anywhere, and nothing runs in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.contract import QrCause
from bot.text import Catalogue
from manager.diagnosis.html import Markup, tag, together, void
from manager.diagnosis.picture import Pictures, hatching, phase
from manager.diagnosis.story import Story, Way, Window, worth_telling
from manager.diagnosis.tables import by_count, level_word, ordered
from manager.diagnosis.words import (
    Clock,
    failure_text,
    hint,
    is_ready,
    lasting,
    notes,
    percent,
    state_word,
    verdict_line,
)
from manager.overviewtext import span

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MOST_EPISODES = 25
_LEGEND = ("ready", "coming", "away", "scan", "person", "down", "stopped", "unknown")


@dataclass(frozen=True, slots=True)
class Page:
    """`style`: the page's CSS."""

    project: str
    stories: Sequence[Story]
    window: Window
    clock: Clock
    say: Catalogue
    style: str

    def html(self) -> str:
        title = self.say("report.title", project=self.project)
        head = tag(
            "head",
            void("meta", charset="utf-8"),
            void("meta", name="viewport", content="width=device-width, initial-scale=1"),
            void("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            void("meta", name="robots", content="noindex"),
            tag("title", title),
            tag("style", Markup(self.style)),
        )
        body = tag(
            "body", hatching(), tag("main", self._top(title), self._overview(), self._bots(), self._foot())
        )
        return f"<!doctype html>\n{tag('html', head, body, lang=self.say.language)}\n"

    # ---- the fleet

    @property
    def _begin(self) -> float:
        """Of every picture's axis."""
        if self.window.since is not None:
            return self.window.since
        return min((each.begin for each in self.stories if each.begin is not None), default=self.window.now)

    @property
    def _pictures(self) -> Pictures:
        return Pictures(self._begin, self.window.now, self.clock, self.say)

    def _top(self, title: str) -> Markup:
        fields = {
            "begin": self._stamp(self._begin),
            "end": self._stamp(self.window.now),
            "span": span(self.window.now - self._begin, self.say),
        }
        lead = tag("p", self.say("report.lead", **fields), class_="lead")
        return together(tag("header", tag("h1", title), lead), self._tiles(), self._legend())

    def _stamp(self, at: float) -> str:
        return self.clock.local(at).strftime("%Y-%m-%d %H:%M")

    def _tiles(self) -> Markup:
        stories = self.stories
        ready, meant = (
            (sum(each) for each in zip(*(story.measured for story in stories), strict=True))
            if stories
            else (0, 0)
        )
        episodes = [episode for story in stories for episode in story.episodes]
        lost = sum(episode.cause == QrCause.SESSION_LOST for episode in episodes)
        tiles = [
            (f"{sum(map(is_ready, stories))} / {len(stories)}", "ready_now", False),
            (percent(100 * ready / meant if meant else None), "availability", False),
            (str(sum(sum(story.disconnects.values()) for story in stories)), "disconnects", False),
            (str(len(episodes)), "qr", False),
            (str(lost), "lost", lost > 0),
        ]
        return tag(
            "div",
            (
                tag(
                    "div",
                    tag("b", value),
                    tag("span", self.say(f"report.tile_{key}")),
                    class_="tile alarm" if alarm else "tile",
                )
                for value, key, alarm in tiles
            ),
            class_="tiles",
        )

    def _legend(self) -> Markup:
        entries = (
            tag("li", tag("i", class_=f"s-{each}"), self.say(f"report.phase_{each}")) for each in _LEGEND
        )
        return tag("ul", entries, class_="legend")

    def _overview(self) -> Markup:
        keys = ("bot", "state", "availability", "disconnects", "qr")
        numbers = ("availability", "disconnects", "qr")
        head = tag(
            "tr",
            (
                tag(
                    "th",
                    self.say(f"report.col_{key}"),
                    class_="number" if key in numbers else None,
                    scope="col",
                )
                for key in keys
            ),
            tag("th", self.say("report.col_time"), class_="wide", scope="col"),
        )
        rows = (self._row(number, story) for number, story in enumerate(self.stories))
        table = tag("table", tag("thead", head), tag("tbody", rows))
        return together(tag("h2", self.say("report.overview")), tag("div", table, class_="overview"))

    def _row(self, number: int, story: Story) -> Markup:
        return tag(
            "tr",
            tag("td", tag("a", story.client_id, href=f"#bot-{number}")),
            tag("td", self._state(story)),
            tag("td", percent(story.availability), class_="number"),
            tag("td", str(sum(story.disconnects.values())), class_="number"),
            tag("td", str(len(story.episodes)), class_="number"),
            tag("td", self._pictures.strip(story, self._label(story)), class_="wide"),
        )

    def _state(self, story: Story) -> Markup:
        return tag("span", state_word(story, self.say), class_=f"state s-{phase(story.state)}")

    def _label(self, story: Story) -> str:
        values = {"client": story.client_id, "availability": percent(story.availability)}
        return self.say("report.label", **values)

    # ---- each bot

    def _bots(self) -> Markup:
        each = (self._bot(number, story) for number, story in enumerate(self.stories))
        return together(tag("h2", self.say("report.bots")), each)

    def _bot(self, number: int, story: Story) -> Markup:
        phone = tag("span", story.phone, class_="phone") if story.phone else None
        picture = self._pictures.timeline(story, self._label(story)) if story.end is not None else None
        told = (tag("p", note, class_="note") for note in notes(story, self.say))
        return tag(
            "section",
            tag("header", tag("h3", story.client_id), self._state(story), phone),
            picture,
            self._facts(story),
            self._verdicts(story),
            self._failures(story),
            told,
            class_="bot",
            id=f"bot-{number}",
        )

    def _facts(self, story: Story) -> Markup | None:
        facts = [(key, lines) for key, lines in self._known(story).items() if any(lines)]
        pairs = (
            tag(
                "div",
                tag("dt", self.say(f"report.fact_{key}")),
                tag("dd", (tag("div", line) for line in lines)),
            )
            for key, lines in facts
        )
        return tag("dl", pairs, class_="facts") if facts else None

    def _known(self, story: Story) -> dict[str, list[str]]:
        say, time, kept = self.say, self.clock.time, story.generation
        return {
            "since": ["" if story.since is None else time(story.since)],
            "uptime": ["" if story.uptime is None else span(story.uptime, say)],
            "availability": ["" if story.availability is None else percent(story.availability)],
            "disconnects": [f"{reason} {count}" for reason, count in by_count(story.disconnects)],
            "reconnects": [f"{how} {self._way(way)}" for how, way in story.reconnects.items()],
            "written": ["" if story.written is None else time(story.written)],
            "copy": [
                "" if kept is None else f"{'?' if kept.number is None else kept.number}, {time(kept.at)}"
            ],
        }

    def _way(self, way: Way) -> str:
        named = (("p50", way.p50), ("p95", way.p95))
        times = ", ".join(f"{name} {lasting(each, self.say)}" for name, each in named if each is not None)
        return f"{way.count} ({times})" if times else str(way.count)

    def _verdicts(self, story: Story) -> Markup | None:
        if not story.episodes:
            return None
        shown = worth_telling(story.episodes, _MOST_EPISODES)
        lines = (
            tag(
                "li",
                verdict_line(each, story.client_id, self.clock, self.say),
                class_="alarm" if each.alarming else None,
            )
            for each in shown
        )
        left = len(story.episodes) - len(shown)
        more = tag("li", self.say("diagnosis.more", count=left), class_="note") if left else None
        return together(tag("h4", self.say("report.verdicts")), tag("ul", more, lines, class_="verdicts"))

    def _failures(self, story: Story) -> Markup | None:
        if not story.failures:
            return None
        rows = (
            tag(
                "tr",
                tag("td", each.event, tag("span", each.reason, class_="hint"), class_="event"),
                tag(
                    "td",
                    f"{failure_text(each, self.say)} ({level_word(each.level, self.say)})",
                    tag("span", hint(each, story.client_id, self.say), class_="hint"),
                ),
                tag("td", f"{each.count}×", class_="number"),
                tag("td", self.clock.time(each.last), class_="number"),
            )
            for each in ordered(story.failures)
        )
        keys = ("event", "text", "count", "last")
        head = tag(
            "tr",
            (
                tag(
                    "th",
                    self.say(f"diagnosis.head_{key}"),
                    class_="number" if key in ("count", "last") else None,
                    scope="col",
                )
                for key in keys
            ),
        )
        table = tag("table", tag("thead", head), tag("tbody", rows), class_="failures")
        return together(tag("h4", self.say("report.failures")), table)

    def _foot(self) -> Markup:
        return tag("footer", self.say("report.foot"))
