"""`python -m docs`: writes docs/bot.md and docs/metrics.md from the bot's own code. A test holds them to it."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bot import ctl
from bot.contract import (
    BotExit,
    BotSettings,
    DisconnectReason,
    EventName,
    QrCause,
    ReconnectHow,
    RestartReason,
    RestoreEnd,
    State,
    Verdict,
)
from bot.lifecycle import TRANSITIONS
from bot.metrics import BotMetrics
from docs import words
from manager.watch.happenings import Kind
from manager.watch.metrics import WatchMetrics

HERE = Path(__file__).parent
_RULES = HERE.parent / "compose" / "prometheus" / "rules"
_MADE = "<!-- made by `python -m docs`; change the code or docs/words.py, not this file -->\n"


def main() -> int:
    for name, text in pages().items():
        (HERE / name).write_text(text)
        print(HERE / name)
    return 0


def pages() -> dict[str, str]:
    """File name -> what should stand in it."""
    made = {
        "bot.md": _bot(),
        "metrics.md": _metrics(),
        "watch.md": _watch(),
        "runbooks/README.md": _runbooks(),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    columns = list(head)
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""


def _named(kind: type[Enum], meanings: Mapping[Any, str]) -> Iterator[tuple[str, str]]:
    return ((f"`{each.value}`", meanings[each]) for each in kind)


# --- bot.md ----------------------------------------------------------------------------------------------


def _bot() -> Iterator[str]:
    yield _MADE
    yield words.BOT_INTRO
    yield "## BOT_SETTINGS\n"
    yield words.SETTINGS_INTRO
    yield from table(("Key", "Type", "Default", "Meaning"), _settings(BotSettings, ""))
    yield "## Event log\n"
    yield words.EVENTS_INTRO
    yield from table(("`event`", "Told when"), _named(EventName, words.EVENTS))
    yield "`reason` of WHATSAPP_DISCONNECT, and of `whatsapp_bot_disconnects_total`:\n"
    yield from table(("`reason`", "Meaning"), _named(DisconnectReason, words.REASONS))
    yield "`how` of BOT_RECONNECT and WHATSAPP_READY, and of `whatsapp_bot_reconnects_total`:\n"
    yield from table(("`how`", "Meaning"), _named(ReconnectHow, words.HOWS))
    yield "`cause` of WHATSAPP_QR, and of `whatsapp_bot_qr_requests_total`:\n"
    yield from table(("`cause`", "Meaning"), _named(QrCause, words.CAUSES))
    yield words.VERDICTS_INTRO
    yield from table(("`verdict`", "Meaning"), _named(Verdict, words.VERDICTS))
    yield "## States\n"
    yield words.STATES_INTRO
    yield from table(("State", "Meaning", "Permanent", "`user_action`", "Next"), _states())
    yield "## Control\n"
    yield words.CONTROL_INTRO
    yield from table(("Command", ""), _commands())
    yield "## The volume, while no bot runs\n"
    yield words.VOLUME
    yield "## HTTP\n"
    yield words.HTTP
    yield "## Exit codes\n"
    yield from table(("Code", "Meaning"), ((f"{code.value}", words.EXITS[code]) for code in BotExit))


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, info in model.model_fields.items():
        key = prefix + (info.alias or name)
        inner = next((each for each in _parts(info.annotation) if isinstance(each, type)), None)
        if inner is not None and issubclass(inner, BaseModel):
            yield from _settings(inner, f"{key}.")
        else:
            yield f"`{key}`", _type(info), _default(info), info.description or words.SETTINGS[key]


def _parts(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return [each for each in get_args(annotation) if each is not type(None)]
    return [annotation]


def _type(info: FieldInfo) -> str:
    (part,) = _parts(info.annotation)
    if choices := [each for each in get_args(part) if isinstance(each, str)]:
        return " or ".join(f"`{each}`" for each in choices)
    if get_origin(part) is tuple:
        return "list of text"
    base = get_args(part)[0] if get_args(part) else part
    return {float: "seconds", int: "number", bool: "true or false", str: "text"}[base]


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "required"
    match info.default:
        case None | ():
            return ""
        case bool(value):
            return str(value).lower()
        case float(value) | int(value):
            return f"{value:g}"
        case value:
            return f"`{value}`"


def _states() -> Iterator[tuple[str, ...]]:
    for state in State:
        following = ", ".join(each.value for each in State if each in TRANSITIONS[state])
        yield (
            state.value,
            words.STATES[state],
            "yes" if state.permanent else "",
            f"`{state.user_action.value}`",
            following,
        )


def _commands() -> Iterator[tuple[str, str]]:
    for action in ctl.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield f"`{choice.dest}`", choice.help or ""


# --- metrics.md ------------------------------------------------------------------------------------------


def _metrics() -> Iterator[str]:
    yield _MADE
    yield words.METRICS_INTRO
    yield from table(("Metric", "Type", "Labels", "Meaning"), _families(BotMetrics("client", "0").registry))
    labels = {
        "`reason` of `whatsapp_bot_browser_restarts_total`": _named(RestartReason, words.RESTARTS),
        "`result` of `whatsapp_bot_restores_total`": _named(RestoreEnd, words.RESTORES),
    }
    for title, rows in labels.items():
        yield f"{title}:\n"
        yield from table(("Value", "Meaning"), rows)
    yield words.METRICS_OUTRO
    yield words.MANAGER_METRICS_INTRO
    yield from table(("Metric", "Type", "Labels", "Meaning"), _families(_watcher_metrics()))


def _watcher_metrics() -> CollectorRegistry:
    """With one bot, so that what is told of each bot is seen."""
    metrics = WatchMetrics()
    metrics.bots({"client": 0}, frozenset())
    metrics.given_up({"client"}, frozenset())
    return metrics.registry


def _families(registry: CollectorRegistry) -> Iterator[tuple[str, str, str, str]]:
    for family in registry.collect():
        values: dict[str, list[str]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label == "client_id" and not family.name.startswith("whatsapp_bot_"):
                    values.setdefault(label, [])
                elif label not in ("client_id", "le", "version", "python") and value not in values.setdefault(
                    label, []
                ):
                    values[label].append(value)
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = "; ".join(
            f"`{label}`: {', '.join(found)}" if found else f"`{label}`" for label, found in values.items()
        )
        yield f"`{family.name}{suffix}`", family.type, labels, family.documentation


# --- watch.md --------------------------------------------------------------------------------------------


def _watch() -> Iterator[str]:
    yield _MADE
    yield words.WATCH_INTRO
    yield "## What it tells\n"
    yield words.WATCH_EVENTS_INTRO
    rows = ((f"`{kind}`", kind.level.value, words.WATCH_EVENTS[kind]) for kind in Kind)
    yield from table(("`event`", "`level`", "Told when"), rows)
    yield words.WATCH_OUTRO


# --- runbooks/README.md ----------------------------------------------------------------------------------


def _runbooks() -> Iterator[str]:
    yield _MADE
    yield words.RUNBOOKS_INTRO
    yield from table(("Alert", "Severity", "What it says"), sorted(_alerts(), key=_severity))


def _alerts() -> Iterator[tuple[str, str, str]]:
    for path in sorted(_RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    told = rule["annotations"]
                    page = Path(told["runbook_url"]).name
                    says = re.sub(r"{{ \$labels\.(\w+) }}", r"`\1`", told["summary"])
                    yield f"[{rule['alert']}]({page})", rule["labels"]["severity"], says


def _severity(row: tuple[str, str, str]) -> int:
    return ("critical", "warning", "info").index(row[1])


if __name__ == "__main__":
    sys.exit(main())
