"""What people are told when something outside the program is wrong: what happened, a hint, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from bot.contract import BotExit
from bot.text import Catalogue

LOCALES = Path(__file__).parent / "locales"


@dataclass(frozen=True, slots=True)
class Said:
    message: str
    hint: str
    fix: str


class Problem(Exception):
    """A fault with words in the catalogue: `<section>.<problem>`, and the same key with `_hint` and `_fix`.

    `values` fill the places in those texts; they never hold a secret of the session.
    """

    section: ClassVar[str]

    def __init__(self, problem: StrEnum, exit_code: BotExit, **values: object) -> None:
        self.problem = problem
        self.exit = exit_code
        self.values = values
        super().__init__(problem.value)

    def say(self, catalogue: Catalogue) -> Said:
        key = f"{self.section}.{self.problem.value}"
        return Said(
            catalogue(key, **self.values),
            catalogue(f"{key}_hint", **self.values),
            catalogue(f"{key}_fix", **self.values),
        )

    def _english(self) -> Said:
        return self.say(Catalogue(LOCALES, "en"))

    @property
    def message(self) -> str:
        return self._english().message

    @property
    def hint(self) -> str:
        return self._english().hint

    @property
    def fix(self) -> str:
        return self._english().fix

    def __str__(self) -> str:
        said = self._english()
        return " ".join(part for part in (said.message, said.hint, said.fix) if part)
