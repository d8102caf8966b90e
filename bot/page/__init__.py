"""All that is known of WhatsApp's page: the probe that reads it and the table of selectors."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources


@cache
def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def probe(origin: str, notify: str) -> str:
    """The init script, for pages of `origin`; `notify` is the name of the binding it calls.

    It is one expression that defines `window[Symbol.for('oturum')]`, and does nothing in other frames and origins.
    """
    config = {"origin": origin, "notify": notify, "selectors": json.loads(_read("selectors.json"))}
    return f"({_read('probe.js').rstrip().rstrip(';')})({json.dumps(config)});"


def restore(entries: dict[str, str]) -> str:
    """The script that puts localStorage back before the page's own scripts run; it comes after the probe."""
    # U+2028 and U+2029 are line ends in JavaScript and plain letters in JSON: ASCII avoids the question.
    return f"window[Symbol.for('oturum')]?.restore({json.dumps(entries)});"
