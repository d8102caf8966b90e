"""PURE: the sentences about a story: why a QR was asked for, and what is to be done about a failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from bot.contract import EventName, QrCause, State, Verdict
from bot.text import Catalogue
from manager.diagnosis.story import UNCLEAN, Beyond, Episode, Failure, Story
from manager.overviewtext import span

_CAUSES = frozenset(each.value for each in QrCause)
_NAMED = frozenset(each.value for each in Beyond)
# What decided stands first in the evidence (`bot/verdict.py`).
_STORAGE = {
    "memory_kills": "memory",
    "refused": "refused",
    "file_system": "read_only",
    "free": "full",
    "post_logout": "page_storage",
}
_PLAIN = {
    Verdict.PHONE.value: "phone",
    Verdict.OWN_COMMAND.value: "own_command",
    Verdict.ACCOUNT.value: "account",
    Verdict.UNKNOWN.value: "unknown",
}
_HINTS = frozenset({
    "connection_error", "page_crashed", "page_hung", "browser_lost", "session_lost", "logout", "conflict", "banned",
    "outdated", "proxy_blocked", "qr_logout", "qr_session_lost", "reconnect_page", "reconnect_reload",
    "reconnect_relaunch", "startup", "signal_missing", "session_restore", "storage_warning", "bot_init", "bot_control",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clock:
    """Times as the reader's clock shows them. `zone` None: that of this machine."""

    now: float
    zone: tzinfo | None = None

    def local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self.zone).astimezone(self.zone)

    def time(self, at: float) -> str:
        """`03:12` of today, `2026-11-24 03:12` of another day."""
        moment = self.local(at)
        today = moment.date() == self.local(self.now).date()
        return moment.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")

    def ago(self, at: float, say: Catalogue) -> str:
        return span(self.now - at, say)


def lasting(seconds: float, say: Catalogue) -> str:
    """As `span`, with a decimal where a second is much."""
    return say("status.seconds", count=f"{seconds:.1f}") if 0 < seconds < 10 else span(seconds, say)


def percent(value: float | None) -> str:
    """Never rounded up to 100: a fleet that was down for a minute was down."""
    if value is None:
        return "-"
    return "100%" if value == 100 else f"{min(value, 99.99):.2f}%"


def state_word(story: Story, say: Catalogue) -> str:
    if story.state is None:
        return "-"
    return say(f"diagnosis.state_{story.state.lower()}") if story.state in _NAMED else story.state


def cause_word(cause: str, say: Catalogue) -> str:
    return say(f"diagnosis.cause_{cause}") if cause in _CAUSES else cause


def verdict_line(episode: Episode, client: str, clock: Clock, say: Catalogue) -> str:
    """`03:12 QR: session lost: profile damaged after …; kept generation 7 did not help; scanned after 4m`."""
    parts = [part for part in (why(episode, say), _tried(episode, say), _scanned(episode, say)) if part]
    if episode.alarming:
        parts.append(say("diagnosis.see", client=client))
    elif episode.waiting:
        parts.append(say("diagnosis.scan", client=client))
    head = say("diagnosis.qr", time=clock.time(episode.start), cause=cause_word(episode.cause, say))
    return f"{head}: {'; '.join(parts)}"


def why(episode: Episode, say: Catalogue) -> str:
    """Whose doing it was, as far as the evidence says; empty when a line of an older bot brought none."""
    verdict = episode.verdict
    if verdict == Verdict.STORAGE:
        decided, _, value = (episode.evidence[0] if episode.evidence else "").partition("=")
        return say(f"diagnosis.why_{_STORAGE.get(decided, 'storage')}", value=value)
    if verdict == Verdict.DOWNGRADE:
        ours, before = (episode.fact(name) or "?" for name in ("browser", "browser_before"))
        return say("diagnosis.why_downgrade", ours=ours, before=before)
    if verdict in _PLAIN:
        return say(f"diagnosis.why_{_PLAIN[verdict]}")
    return say("diagnosis.why_first_pairing") if episode.cause == QrCause.FIRST_PAIRING else ""


def _tried(episode: Episode, say: Catalogue) -> str:
    if not episode.alarming:
        return ""
    if not episode.tried:
        return say("diagnosis.tried_nothing")
    kinds = (each.partition(" ") for each in episode.tried)
    named = [
        say("diagnosis.kept_generation", number=number) if number else say("diagnosis.kept_mirror")
        for _, _, number in kinds
    ]
    return say("diagnosis.tried", what=", ".join(named))


def _scanned(episode: Episode, say: Catalogue) -> str:
    if episode.back is not None:
        return say("diagnosis.came_back", after=lasting(episode.back - episode.start, say))
    if episode.end is None:
        return say(f"diagnosis.{'waiting' if episode.waiting else 'not_scanned'}")
    return say("diagnosis.scanned", after=lasting(episode.end - episode.start, say))


def hint(failure: Failure, client: str, say: Catalogue) -> str:
    """The bot's own, which knows the case; else ours for the kind."""
    if failure.hint or failure.fix:
        return "; ".join(part for part in (failure.hint, failure.fix) if part)
    slug = _slug(failure)
    return say(f"diagnosis.hint_{slug if slug in _HINTS else 'other'}", client=client)


def _slug(failure: Failure) -> str:
    match failure.event:
        case EventName.WHATSAPP_DISCONNECT:
            return failure.reason.lower()
        case EventName.WHATSAPP_QR:
            return f"qr_{failure.reason}"
        case EventName.BOT_RECONNECT:
            return f"reconnect_{failure.reason}"
        case event:
            return event.lower().removeprefix("whatsapp_")


def failure_text(failure: Failure, say: Catalogue) -> str:
    """What the bot said, or, of an end that nobody could write down, our word for it."""
    if failure.text:
        return failure.text
    return say("diagnosis.unclean") if failure.reason == UNCLEAN else "-"


def notes(story: Story, say: Catalogue) -> list[str]:
    """What a reader of the figures has to know beside them."""
    found = []
    if story.end is None and not story.unreadable and story.unread is None:
        found.append(say("diagnosis.no_log", client=story.client_id))
    if story.unclean:
        found.append(say("diagnosis.note_unclean", count=story.unclean))
    if story.rescued:
        found.append(say("diagnosis.note_rescued", count=story.rescued))
    if unknown := story.seconds.get(Beyond.UNKNOWN.value):
        found.append(say("diagnosis.note_unknown", time=span(unknown, say)))
    if story.unreadable:
        found.append(say("diagnosis.note_unreadable", count=story.unreadable))
    return found


def is_ready(story: Story) -> bool:
    return bool(story.state == State.READY.value)
