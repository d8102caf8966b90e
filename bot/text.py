"""User-facing text in English and Turkish: one TOML catalogue a language, beside the code that uses it."""

from __future__ import annotations

import codecs
import tomllib
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

LANGUAGES = ("en", "tr")


def write_any_letter(*streams: TextIO | None) -> None:
    """A letter that a stream's encoding lacks costs that letter, not the program. ASCII is what a locale that was
    never set looks like: there it is UTF-8."""
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            if codecs.lookup(stream.encoding).name == "ascii":
                stream.reconfigure(encoding="utf-8")
            elif stream.errors == "strict":
                stream.reconfigure(errors="replace")


@cache
def load_catalogue(folder: Path, language: str) -> dict[str, str]:
    """`folder/<language>.toml` as flat `section.key -> text`. Raises FileNotFoundError for an unknown language."""
    with (folder / f"{language}.toml").open("rb") as file:
        tree = tomllib.load(file)
    flat: dict[str, str] = {}
    for section, entries in tree.items():
        for key, text in entries.items():
            flat[f"{section}.{key}"] = text.strip()
    return flat


class Catalogue:
    def __init__(self, folder: Path, language: str) -> None:
        self.folder, self.language = folder, language
        self._texts = load_catalogue(folder, language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with `{name}` places filled in. Raises KeyError for a key no catalogue has."""
        return self._texts[key].format(**values)
