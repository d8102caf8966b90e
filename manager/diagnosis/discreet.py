"""PURE: takes out of a text what nobody else should read. Bots mask and never log secrets; a report that is sent to
somebody does not rely on the version of the bot that wrote the line."""

from __future__ import annotations

import re
from functools import lru_cache

from bot.contract import mask_phone

# A number of 9 to 15 digits (E.164 allows 15), alone or as WhatsApp writes it: 905551112233:4@c.us. Not: the
# decimals of a longer number, a version, or a name with digits in it.
_PHONE = re.compile(r"(?<![\w.*])\+?(\d{9,15})(?![\w.]*\d)(?::\d+)?(?:@[a-z.]+)?")
# Up to the last @ before the path: people write passwords with an @ of their own.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+@")
# What would move a terminal's cursor, colour it or turn the text around.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")

_NAME = 48


def discreet(text: str, most: int = 600) -> str:
    """On one line of at most `most` characters, without phone numbers, without the user and password of an address."""
    plain = _CREDENTIALS.sub("***@", _UNPRINTABLE.sub(" ", text[: 4 * most]))
    # Only then cut: half a number, or a password without its address, is nothing that could be known again.
    plain = _PHONE.sub(lambda found: mask_phone(found[1]), plain)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


@lru_cache(1024)
def name(text: str) -> str:
    """The same for what should be a short word, as of an event, a state or a reason."""
    return text if text.isidentifier() and len(text) <= _NAME else discreet(text, _NAME)
