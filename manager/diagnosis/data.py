"""PURE: stories as JSON, documented in docs/diagnostics.md. Times are RFC 3339 in UTC, durations seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from bot.text import Catalogue
from manager.diagnosis.story import Episode, Failure, Story, Window
from manager.diagnosis.tables import ordered
from manager.diagnosis.words import failure_text, hint, why

Json = dict[str, Any]


def summary(stories: Iterable[Story], window: Window, say: Catalogue) -> Json:
    return {**_head(window), "bots": [_story(each, say) for each in stories]}


def errors(stories: Iterable[Story], window: Window, say: Catalogue) -> Json:
    bots = [
        {
            "client_id": story.client_id,
            "failures": [_failure(each, story.client_id, say) for each in ordered(story.failures)],
        }
        for story in stories
    ]
    return {**_head(window), "bots": bots}


def _head(window: Window) -> Json:
    return {"ok": True, "since": _time(window.since), "until": _time(window.now)}


def _story(story: Story, say: Catalogue) -> Json:
    kept = story.generation
    return {
        "client_id": story.client_id,
        "container": story.presence.value,
        "state": story.state,
        "since": _time(story.since),
        "uptime_seconds": _seconds(story.uptime),
        "phone": story.phone,
        "begin": _time(story.begin),
        "end": _time(story.end),
        "availability_percent": None if story.availability is None else round(story.availability, 4),
        "state_seconds": {state: round(each, 3) for state, each in story.seconds.items()},
        "starts": story.starts,
        "unclean_ends": story.unclean,
        "sessions_rescued": story.rescued,
        "disconnects": dict(story.disconnects),
        "reconnects": {how: asdict(way) for how, way in story.reconnects.items()},
        "qr_episodes": [_episode(each, say) for each in story.episodes],
        "qr_by_cause": story.qr_by_cause,
        "last_session_write": _time(story.written),
        "last_good_generation": None if kept is None else {"number": kept.number, "taken_at": _time(kept.at)},
        "events": story.events,
        "unreadable_lines": story.unreadable,
        "unread": story.unread,
    }


def _episode(episode: Episode, say: Catalogue) -> Json:
    return {
        "start": _time(episode.start),
        "end": _time(episode.end),
        "came_back": _time(episode.back),
        "waiting": episode.waiting,
        "cause": episode.cause,
        "verdict": episode.verdict,
        "why": why(episode, say),
        "evidence": list(episode.evidence),
        "tried": list(episode.tried),
        "codes": episode.codes,
    }


def _failure(failure: Failure, client: str, say: Catalogue) -> Json:
    return {
        "event": failure.event,
        "reason": failure.reason,
        "level": failure.level,
        "count": failure.count,
        "first": _time(failure.first),
        "last": _time(failure.last),
        "text": failure_text(failure, say),
        "hint": hint(failure, client, say),
    }


def _time(at: float | None) -> str | None:
    if at is None:
        return None
    moment = datetime.fromtimestamp(at, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
