"""What `diagnostics` and `report` say: verdicts, hints, columns, JSON and the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bot.contract import DisconnectReason, QrCause, ReconnectHow, State, Verdict
from bot.text import LANGUAGES
from manager import diagnosis
from manager.diagnosis import Presence, Story, Window, data, tables, words
from manager.diagnosis.html import Markup, tag
from manager.diagnosis.page import Page
from manager.diagnosis.story import Episode, Failure
from manager.diagnosis.words import Clock, failure_text, notes
from manager.pieces import plain
from manager.text import catalogue
from tests.stories import HOUR, Log, at

ROOT = Path(__file__).resolve().parents[2]
CSS = Path(diagnosis.__file__).with_name("page.css").read_text("utf-8")
SAY = catalogue("en")
CLOCK = Clock(at(12 * HOUR), timezone(timedelta(hours=3)))


def verdict(cause: str = "session_lost", end: float | None = 240.0, **known: object) -> str:
    episode = Episode(at(660), cause, end=None if end is None else at(660 + end), **known)  # type: ignore[arg-type]
    return words.verdict_line(episode, "sales", CLOCK, SAY)


def test_a_verdict_names_time_cause_evidence_what_was_tried_and_where_to_look() -> None:
    told = verdict(
        verdict="storage", evidence=("memory_kills=2", "free=9GiB"), tried=("mirror", "generation 7")
    )
    assert told == (
        "03:11 QR: SESSION LOST: profile damaged: processes were killed for want of memory (2); put back in vain: "
        "the copy of its storage, generation 7; scanned after 4m; "
        "keep the volume, and see: python -m manager logs sales"
    )


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        ("refused=mirror.json: ENOSPC", "the volume refused a write, or was damaged (mirror.json: ENOSPC)"),
        ("file_system=read-only", "the volume had become read-only"),
        ("free=3MiB", "the disk was full (3MiB free)"),
        ("post_logout=storage_failed", "WhatsApp's page says that its own storage failed"),
        ("something=new", "the volume failed"),
    ],
)
def test_what_decided_is_what_is_told(evidence: str, told: str) -> None:
    assert f": {told}; there was nothing kept to put back;" in verdict(
        verdict="storage", evidence=(evidence, "free=1MiB")
    )


def test_a_downgrade_names_both_browsers() -> None:
    told = verdict(verdict="downgrade", evidence=("browser=141.0", "browser_before=142.0"))
    assert "an older browser (141.0) met the profile of a newer one (142.0)" in told


def test_a_qr_that_waits_names_the_command_and_one_of_another_day_its_date() -> None:
    told = verdict("logout", end=None, verdict="phone", waiting=True)
    assert (
        told
        == "03:11 QR: logout: unlinked on the phone; waiting for a scan; scan it: python -m manager qr sales"
    )
    later = Clock(CLOCK.now + 24 * HOUR, CLOCK.zone)
    assert words.verdict_line(Episode(at(0), "first_pairing"), "a", later, SAY) == (
        "2026-11-25 03:00 QR: first pairing: it was never paired before; nobody scanned it"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cause", [*QrCause, "of a later version", ""])
@pytest.mark.parametrize("given", [*Verdict, None, "of a later version"])
def test_every_verdict_is_a_sentence(language: str, cause: str, given: str | None) -> None:
    episode = Episode(at(0), str(cause), None if given is None else str(given))
    told = words.verdict_line(episode, "a", CLOCK, catalogue(language))
    assert told.startswith("03:00 QR: ")
    assert "; ;" not in told
    assert ": ;" not in told


def failure(event: str, reason: str = "", **known: str) -> Failure:
    return Failure(event, reason, "warning", 1, at(0), at(0), **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", DisconnectReason)
def test_every_disconnect_has_a_hint_of_its_own(reason: DisconnectReason) -> None:
    other = words.hint(failure("NOT_KNOWN"), "a", SAY)
    assert words.hint(failure("WHATSAPP_DISCONNECT", reason.value), "a", SAY) != other
    assert words.hint(failure(reason.value), "a", SAY) != other or reason is DisconnectReason.CONNECTION_ERROR


@pytest.mark.parametrize("how", sorted(set(ReconnectHow) - {ReconnectHow.RESTART}))
def test_every_way_back_has_a_hint_of_its_own(how: ReconnectHow) -> None:
    assert "python -m manager logs" not in words.hint(failure("BOT_RECONNECT", how.value), "a", SAY)


def test_the_bots_own_hint_goes_before_ours() -> None:
    own = failure("STORAGE_WARNING", hint="the disk is full", fix="df -h")
    assert words.hint(own, "a", SAY) == "the disk is full; df -h"
    assert words.hint(failure("NOT_KNOWN"), "a", SAY) == "see: python -m manager logs a"


def test_percent_is_never_rounded_up_to_100() -> None:
    assert [words.percent(each) for each in (None, 100.0, 99.9999, 0.0)] == ["-", "100%", "99.99%", "0.00%"]


# ---- the three forms


def fleet() -> list[Story]:
    busy = Log("sales").start().wait(10).code("first_pairing").wait(30).pair().ready().wait(HOUR)
    busy.outage(4).wait(HOUR).drop("SESSION_LOST").wait(5).add("SESSION_LOST", "error", "lost")
    busy.enter(State.STARTING).code("session_lost", verdict="unknown", evidence=["call 905551112233"])
    busy.add("BOT_NEWS", "error", "a <b>bold</b> word from 905551112233 & proxy http://me:secret@proxy")
    calm = Log("a<script>alert(1)</script>").start().ready().wait(3 * HOUR)
    return [busy.tell(), calm.tell(), Story("later", Presence.GONE)]


def test_plain_columns_are_tabs_apart() -> None:
    head, *rows = tables.summary_columns(fleet(), CLOCK, SAY)
    assert [len(row.split("\t")) for row in (head, *rows)] == [len(tables.HEADS)] * 4
    cells = dict(zip(tables.HEADS, (each.strip() for each in rows[0].split("\t")), strict=True))
    assert cells["state"] == "WAITING_FOR_QR_SCAN"
    assert cells["disconnects"] == "CONNECTION_ERROR 1, SESSION_LOST 1"
    assert cells["reconnects"] == "page 1 (4.0s/4.0s)"
    assert cells["qr"] == "first_pairing 1, session_lost 1"
    assert set(rows[2].replace("later", "").split()) == {"-"}


def test_the_widest_columns_give_way_but_no_word_is_broken() -> None:
    rows = [["BOT", "ENDED"], ["sales", "by itself\nagain"]]
    assert tables.fitted(rows, 20) == [5, 9]
    assert tables.fitted(rows, 12) == [5, 7]
    assert tables.fitted(rows, 11) == [5, 6]
    assert tables.fitted(rows, 9) is None


def test_in_a_narrow_terminal_each_figure_that_is_known_has_a_line() -> None:
    shown = [plain(line) for line in tables.stacked(fleet(), CLOCK, catalogue("tr"))]
    assert shown[:5] == [
        "sales  WAITING_FOR_QR_SCAN",
        "  süre 9sa",
        "  açık 2sa",
        "  ready 99.32%",
        "  kopmalar CONNECTION_ERROR 1, SESSION_LOST 1",
    ]
    assert shown[-1] == "later  -"


def test_verdicts_keep_the_alarming_and_the_last_few_of_the_others() -> None:
    log = Log().start()
    for number in range(20):
        cause = "session_lost" if number == 2 else "logout"
        log.wait(60).code(cause).wait(5).pair().ready()
    lines = [plain(line) for line in tables.verdicts([log.tell()], CLOCK, SAY)]
    assert lines[0] == "sales  … 11 earlier QR(s) left out; --json has them all"
    assert len(lines) == 10
    assert "SESSION LOST" in lines[1]


def test_errors_come_worst_first_with_count_time_and_hint() -> None:
    head, *rows = tables.error_columns(fleet(), CLOCK, SAY)
    assert head.split("\t")[-1] == "HINT"
    assert [row.split("\t")[2].strip() for row in rows][:2] == ["BOT_NEWS", "SESSION_LOST"]
    assert {len(row.split("\t")) for row in rows} == {8}
    shown = "\n".join(plain(line) for line in tables.error_screen(fleet(), CLOCK, SAY))
    assert shown.startswith("sales\n  Error     BOT_NEWS  1×")
    assert "later" not in shown


def test_a_log_of_which_nothing_can_be_read_is_not_told_as_none() -> None:
    notes = words.notes(Log().tell(text=b"[[[\nno event either\n"), SAY)
    assert notes == ["2 line(s) of the log could not be read and do not count."]


def test_a_failure_without_a_text_is_not_told_as_an_end() -> None:
    ended, silent = (Failure("STARTUP", reason, "warning", 1, at(0), at(0)) for reason in ("unclean", ""))
    assert failure_text(ended, SAY) == SAY("diagnosis.unclean")
    assert failure_text(silent, SAY) == "-"


def keys(found: object) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            yield key
            if key not in ("state_seconds", "disconnects", "reconnects", "qr_by_cause"):
                yield from keys(value)
    elif isinstance(found, list):
        for each in found:
            yield from keys(each)


def test_every_key_of_the_json_is_documented() -> None:
    window = Window(at(0), at(-60))
    found = {**data.summary(fleet(), window, SAY), "errors": data.errors(fleet(), window, SAY)["bots"]}
    json.dumps(found)
    text = (ROOT / "docs" / "diagnostics.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_0-9]+)`", text)) | set(re.findall(r'"([a-z]+)":', text))
    assert set(keys(found)) - {"errors"} <= named


def test_the_json_tells_all_of_a_story() -> None:
    (told, *_) = data.summary(fleet(), Window(at(0)), SAY)["bots"]
    assert told["state_seconds"]["READY"] == 2 * HOUR
    assert told["qr_episodes"][1]["why"] == "no phone did it, and nothing that was seen explains it"
    assert told["begin"] == "2026-11-25T00:00:00.000Z"
    spread = {
        "spans",
        "seconds",
        "failures",
        "episodes",
        "presence",
        "uptime",
        "unclean",
        "rescued",
        "written",
        "generation",
    }
    assert {each.name for each in fields(Story)} - spread - {"unreadable"} <= told.keys()


def test_a_log_that_cannot_be_read_is_not_told_as_one_that_is_not_there() -> None:
    none = Story("sales", Presence.GONE)
    assert notes(none, SAY) == [SAY("diagnosis.no_log", client="sales")]
    assert notes(replace(none, unread="events.jsonl: Permission denied"), SAY) == []


class Reader(HTMLParser):
    """What a browser would load or run, and what it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")
        ]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, text: str) -> None:
        if self.open and self.open[-1] not in ("style", "title"):
            self.shown += text


def page(language: str = "en", stories: list[Story] | None = None) -> tuple[str, Reader]:
    shown = fleet() if stories is None else stories
    text = Page("shop", shown, Window(at(12 * HOUR)), CLOCK, catalogue(language), CSS).html()
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return text, reader


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_loads_nothing_and_runs_nothing(language: str) -> None:
    text, reader = page(language)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(reader.tags)
    assert all(source.startswith("#") for source in reader.sources)
    assert not re.search(r"url\((?!#)|@import|https?://(?!\*\*\*@proxy)", text)
    assert "default-src &#x27;none&#x27;" in text
    assert f'lang="{language}"' in text


def test_what_bots_wrote_is_shown_as_text_and_nothing_of_a_phone_or_password() -> None:
    text, reader = page()
    assert "a<script>alert(1)</script>" in reader.shown
    assert "a <b>bold</b> word" in reader.shown
    assert "905551112233" not in text
    assert "secret" not in text


def test_every_bot_has_its_picture_and_every_link_its_goal() -> None:
    text, reader = page()
    assert {source[1:] for source in reader.sources} <= set(re.findall(r' id="([^"]+)"', text))
    assert text.count('class="timeline"') == 2
    assert text.count('class="strip"') == 3
    assert 'class="mark-lost"' in text
    assert 'class="t-scan"' in text


def test_a_page_of_nobody_is_a_page() -> None:
    assert "0 / 0" in page(stories=[])[1].shown


def test_the_shortest_outage_is_seen_in_the_picture_of_a_month() -> None:
    log = Log().start().ready().wait(15 * 24 * HOUR).outage(1).wait(15 * 24 * HOUR)
    assert 'class="t-away"' in page(stories=[log.tell()])[0]


def test_elements_escape_their_text_and_their_attributes() -> None:
    assert tag("a", "<&>", tag("b", "x"), None, ["y", Markup("<i>")], title='"<', class_="c", id=None) == (
        '<a title="&quot;&lt;" class="c">&lt;&amp;&gt;<b>x</b>y<i></a>'
    )
