"""The manager's catalogues."""

from __future__ import annotations

from pathlib import Path

from bot.text import Catalogue

LOCALES = Path(__file__).with_name("locales")


def catalogue(language: str = "en") -> Catalogue:
    """Raises FileNotFoundError for a language there is no catalogue of."""
    return Catalogue(LOCALES, language)
