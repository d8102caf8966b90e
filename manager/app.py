"""What every command works with: the language, the file, the engine, and which bots are meant."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.text import LANGUAGES, Catalogue
from manager.exits import Exit
from manager.text import catalogue

if TYPE_CHECKING:
    from manager.engine import Engine
    from manager.fleet import Fleet
    from manager.problems import EngineError

FILE_VARIABLE = "OTURUM_FILE"
LANGUAGE_VARIABLE = "OTURUM_LANG"
DEFAULT_FILE = "bots.yaml"
_MOST_NAMED = 12


class UserError(Exception):
    """A command that cannot be carried out, with what mends it and the exit code that tells so."""

    def __init__(self, message: str, fix: str = "", code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.message, self.fix, self.code = message, fix, code


@dataclass
class App:
    """`json`: the answer goes to stdout as JSON, and so does what went wrong. `words`: what was typed."""

    say: Catalogue
    environ: Mapping[str, str]
    file: Path
    json: bool = False
    words: Sequence[str] = ()

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> App:
        return cls(catalogue(language(environ)), environ, Path(environ.get(FILE_VARIABLE) or DEFAULT_FILE))

    @property
    def terminal(self) -> bool:
        """Whether a person looks at stdout: colours, live pictures and questions only then."""
        return sys.stdout.isatty() and self.environ.get("TERM", "dumb") != "dumb" and not self.json

    @property
    def colour(self) -> bool | None:
        """False where the reader wants none (https://no-color.org); None: as the terminal is."""
        return False if self.environ.get("NO_COLOR") else None

    @property
    def can_ask(self) -> bool:
        return self.terminal and sys.stdin.isatty()

    def ask(self, question: str) -> bool:
        """Yes or no; an empty answer is no. Raises click.Abort on Ctrl-C and at the end of the input."""
        answer = self.ask_for(self.say("cli.yes_no", question=question))
        return answer.lower() in self.say("cli.yes_words").split()

    def ask_for(self, prompt: str) -> str:
        """Raises click.Abort, having said that nothing was changed."""
        try:
            answer: str = click.prompt(prompt, default="", show_default=False, prompt_suffix=" ")
        except click.Abort:
            click.echo(f"\n{self.say('cli.cancelled')}", err=True)
            raise
        return answer.strip()

    def fleet(self) -> Fleet:
        """Raises ConfigErrors."""
        from manager import config  # noqa: PLC0415  `--help` and completion start without it

        return config.load(self.file, self.environ)

    def engine(self) -> Engine:
        """Raises EngineError for an impossible address; asks the engine nothing yet."""
        from manager.engine import Engine  # noqa: PLC0415

        return Engine.connect(self.environ)

    def chosen(self, clients: Iterable[str], known: Collection[str]) -> frozenset[str] | None:
        """The bots that are meant; None: all. Raises UserError (UNKNOWN_CLIENT)."""
        wanted = frozenset(clients)
        for client in sorted(wanted - set(known)):
            raise self.unknown(client, known)
        return wanted or None

    def unknown(self, client: str, known: Collection[str]) -> UserError:
        names = sorted(known)
        if not names:
            return self._unknown(self.say("edit.unknown_none", client=client, file=self.file))
        listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
        message = self.say("edit.unknown", client=client, file=self.file, known=listed)
        near = closest(client, names)
        return self._unknown(message, self.say("cli.did_you_mean", better=near) if near else "")

    @staticmethod
    def _unknown(message: str, fix: str = "") -> UserError:
        return UserError(message, fix, Exit.UNKNOWN_CLIENT)


def language(environ: Mapping[str, str]) -> str:
    """OTURUM_LANG, else the locale's variables in POSIX order; English for what there is no catalogue of."""
    for variable in (LANGUAGE_VARIABLE, "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(variable):
            word = value.split(".")[0].split("_")[0].split("-")[0].lower()
            return word if word in LANGUAGES else "en"
    return "en"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that was probably meant, upper and lower case aside."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def engine_exit(error: EngineError) -> Exit:
    """ENGINE when there is no talking to the engine at all, else FAILED: it answered, and refused."""
    from manager.problems import UNUSABLE  # noqa: PLC0415

    return Exit.ENGINE if error.problem in UNUSABLE else Exit.FAILED
