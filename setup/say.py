"""What set-up tells people: one line each, on standard error, in English or Turkish."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_LOCALES = Path(__file__).parent / "locales"


class SetupError(Exception):
    """Set-up cannot go on. The text says what happened and the command that mends it."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(text(key, **values))
        self.key = key


def language(environ: Mapping[str, str] = os.environ) -> str:
    """`tr` or `en`, from OTURUM_LANG, else from the locale variables in their usual order."""
    for name in ("OTURUM_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(name):
            return "tr" if value.lower().startswith("tr") else "en"
    return "en"


@cache
def _catalogue(name: str) -> dict[str, str]:
    with (_LOCALES / f"{name}.toml").open("rb") as file:
        texts: dict[str, str] = tomllib.load(file)
    return texts


def text(key: str, **values: object) -> str:
    return _catalogue(language())[key].format(**values)


def say(key: str, **values: object) -> None:
    print(text(key, **values), file=sys.stderr, flush=True)
