"""What can be wrong with bots.yaml, with its place in the file; texts are in the catalogues' [config]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.text import Catalogue
from manager.loglines import printable
from manager.text import catalogue


@dataclass(frozen=True)
class ConfigProblem:
    """`line` and `column` count from 1; 0: the file as a whole. `path`: as in `bots[1].memory`.

    `values` fill the text's places. They never hold what a `${VARIABLE}` stands for.
    """

    file: str
    key: str
    line: int = 0
    column: int = 0
    path: str = ""
    values: Mapping[str, object] = field(default_factory=dict)

    def message(self, say: Catalogue) -> str:
        """What is wrong, without the place. A value `hint` names another text that follows in brackets."""
        text = say(f"config.{self.key}", **self.values)
        hint = self.values.get("hint")
        return f"{text} ({say(f'config.hint_{hint}', **self.values)})" if hint else text

    def say(self, say: Catalogue) -> str:
        """`bots.yaml:7:5: bots[1].memroy: unknown key (did you mean memory?)`"""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = ": ".join(part for part in (place, self.path, self.message(say)) if part)
        return printable(text.replace("\n", " "))


class ConfigErrors(Exception):
    """Everything that is wrong, in the file's order. `str()` gives the English lines."""

    def __init__(self, problems: Iterable[ConfigProblem], more: int = 0) -> None:
        """`more`: how many further ones were found and are only counted."""
        known: dict[tuple[object, ...], ConfigProblem] = {}
        for each in problems:
            # What an alias repeats is one mistake. A key missing there may be missing for several reasons.
            path = each.path if each.key == "required" else ""
            known.setdefault((each.file, each.line, each.column, path, each.key, repr(each.values)), each)
        self.more = more
        self.problems = tuple(sorted(known.values(), key=lambda each: (each.file, each.line, each.column)))
        super().__init__(self.problems)

    def lines(self, say: Catalogue) -> list[str]:
        lines = [problem.say(say) for problem in self.problems]
        return [*lines, say("config.more", count=self.more)] if self.more else lines

    def __str__(self) -> str:
        return "\n".join(self.lines(catalogue("en")))
