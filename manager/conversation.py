"""One bot, found on the engine and talked to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from bot.contract import BotExit
from manager import overview, talk
from manager.app import App, UserError
from manager.engine import Engine
from manager.exits import Exit
from manager.observed import ContainerState
from manager.overviewtext import state_words
from manager.survey import Survey
from manager.text import catalogue

_STATUS_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Conversation:
    client_id: str
    container: str
    engine: Engine
    language: str

    def ask(self, *words: str, seconds: float) -> talk.Json:
        """Raises talk.Refusal; EngineError NOT_RUNNING, GONE, SLOW_EXEC."""
        try:
            return talk.ask(self.engine, self.container, words, seconds, self.language)
        except talk.Refusal as refusal:
            if refusal.bot_exit != BotExit.NOT_RUNNING:
                raise
            raise self._unheard() from refusal

    def _unheard(self) -> talk.Refusal:
        """Nobody listens in the container: the bot is on its way, or it hangs."""
        detail = overview.Detail.of(self.engine.inspect(self.container))
        key = "starting" if overview.young(detail, datetime.now(UTC)) else "silent"
        say, values = catalogue(self.language), {"client": self.client_id}
        return talk.Refusal(
            BotExit.NOT_RUNNING, say(f"talk.{key}", **values), say(f"talk.{key}_fix", **values)
        )

    def status(self) -> talk.Json:
        return self.ask("status", seconds=_STATUS_SECONDS)


def with_bot(app: App, client_id: str, if_down: Exit = Exit.FAILED) -> Conversation:
    """Raises UserError: UNKNOWN_CLIENT, or `if_down` with where the bot stands and what to type."""
    fleet, engine = app.fleet(), app.engine()
    survey = Survey(engine, fleet, app.say.language)
    observed = survey.observe()
    containers = overview.current(observed.containers)
    app.chosen([client_id], fleet.client_ids | containers.keys())
    container = containers.get(client_id)
    if container is not None and container.state is ContainerState.RUNNING:
        return Conversation(client_id, container.name, engine, app.say.language)
    (row,) = survey.rows(observed, frozenset({client_id}))
    message = app.say("talk.down", client=client_id, state=state_words(row, app.say))
    raise UserError(message, row.advice.sentence(app.say) if row.advice else "", if_down)
