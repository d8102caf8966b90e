"""PURE: what a check found, first as a decision on plain values, then in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.text import Catalogue

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """`warning`: the bots run, but something promised is weaker or unknown. `error`: bots will not run.

    `fix` is None only when all is well; otherwise there is a command to type in it, in backticks.
    """

    check: str
    level: Level
    message: str
    fix: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The texts are `doctor.<key>` and, unless all is well, `doctor.<fix or key>_fix`."""

    check: str
    level: Level
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    fix: str = ""

    def tell(self, say: Catalogue) -> Finding:
        message = say(f"doctor.{self.key}", **self.values)
        if self.level == "ok":
            return Finding(self.check, self.level, message, None)
        return Finding(
            self.check, self.level, message, say(f"doctor.{self.fix or self.key}_fix", **self.values)
        )
