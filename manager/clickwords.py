"""click in the reader's language: help keys are looked up when help is shown, usage errors when they are told.

Commands name their texts by key (`help.<command>`, `option.<option>`), so that they can be declared once, as
click wants it, and speak the language of whoever runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from bot.text import Catalogue
from manager.app import App, closest

_MOST_DIGITS = 10

Function = TypeVar("Function", bound=Callable[..., Any])


def app_of(ctx: click.Context) -> App:
    found = ctx.find_object(App)
    assert found is not None
    return found


class _Speaking(click.Command):
    """A command whose help is a key of the catalogue."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        # click's own help option comes with an English sentence.
        return [_translated(param, app_of(ctx).say) for param in super().get_params(ctx)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # click's parser does not always say in which command it was.
            error.ctx = error.ctx or ctx
            raise

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = [piece for piece in self.collect_usage_pieces(ctx) if piece != self.options_metavar]
        say = app_of(ctx).say
        pieces.insert(0, say("usage.options_place"))
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=f"{say('usage.usage')} ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        say = app_of(ctx).say
        for paragraph in say(f"help.{self.help}").splitlines():
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(paragraph)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        with formatter.section(app_of(ctx).say("usage.options")):
            formatter.write_dl([record for record in records if record is not None])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """click would show the keys of the texts."""
        found = super().shell_complete(ctx, incomplete)
        say = app_of(ctx).say
        options = {name: param for param in self.get_params(ctx) for name in param.opts}
        for item in found:
            param = options.get(item.value)
            if isinstance(param, click.Option):
                item.help = say(f"option.{param.help}") if isinstance(param, Option) else param.help
            elif isinstance(self, click.Group):
                item.help = short_help(item.value, say)
        return found


def short_help(name: str, say: Catalogue) -> str:
    return say(f"help.{name}").splitlines()[0]


def _translated(param: click.Parameter, say: Catalogue) -> click.Parameter:
    if isinstance(param, click.Option) and "--help" in param.opts:
        param.help = say("option.help")
    return param


class Command(_Speaking):
    """Takes `--file` after its name too, where people write it just as often."""

    # Taken here and refused in `invoke`: click would refuse it in English.
    allow_extra_args = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(file_option())

    def invoke(self, ctx: click.Context) -> Any:
        if ctx.args:
            text = " ".join(ctx.args)
            raise click.UsageError(app_of(ctx).say("usage.too_many", text=text), ctx)
        return super().invoke(ctx)


class Group(_Speaking, click.Group):
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        say = app_of(ctx).say
        _Speaking.format_options(self, ctx, formatter)
        rows = [(name, short_help(name, say)) for name in self.list_commands(ctx)]
        with formatter.section(say("usage.commands")):
            formatter.write_dl(rows)


class Option(click.Option):
    """`help` is a key of the catalogue's [option]."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return None if record is None else (record[0], app_of(ctx).say(f"option.{self.help}"))


# Whether it can be read shows when it is; click's own word for it is in one language, and names no fix.
PATH = click.Path(path_type=Path, readable=False)


def file_option() -> Option:
    def chosen(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            app_of(ctx).file = Path(value)

    return Option(
        ["--file"],
        metavar="FILE",
        expose_value=False,
        callback=chosen,
        help="file",
        type=click.Path(readable=False),
    )


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Declares a command; its help is `help.<name>`, its callback gets the App first."""

    def declare(function: Callable[..., Any]) -> click.Command:
        return click.command(name, cls=Command, help=name)(click.pass_obj(function))

    return declare


def flag(*names: str, help: str) -> Callable[[Function], Function]:
    return click.option(*names, is_flag=True, cls=Option, help=help)


def option(*names: str, help: str, **settings: Any) -> Callable[[Function], Function]:
    return click.option(*names, cls=Option, help=help, **settings)


def number(least: int) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """A callback for an option that takes a whole number of at least this."""

    def read(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < _MOST_DIGITS and int(value) >= least):
            problem = app_of(ctx).say("usage.not_a_number", text=value, least=least)
            raise click.BadParameter(problem, ctx, param)
        return int(value)

    return read


def json_flag(function: Function) -> Function:
    def chosen(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        app_of(ctx).json = value
        return value

    return click.option(
        "--json", "as_json", is_flag=True, cls=Option, help="json", callback=chosen, is_eager=True
    )(function)


def clients(function: Function) -> Function:
    """Any number of bots; none means all."""
    return click.argument("clients", nargs=-1, metavar="[CLIENT]...", shell_complete=_client_ids)(function)


def client(function: Function) -> Function:
    return click.argument("client", metavar="CLIENT", shell_complete=_client_ids)(function)


def _client_ids(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from manager.config import ConfigErrors  # noqa: PLC0415

    try:
        known = app_of(ctx).fleet().client_ids
    except ConfigErrors:
        return []
    taken = set(ctx.params.get("clients") or ())
    return [CompletionItem(each) for each in sorted(known - taken) if each.startswith(incomplete)]


def usage_problem(error: click.UsageError, say: Catalogue, commands: Collection[str]) -> str:
    """The error in one sentence; click's own English where it is a kind no command of ours can raise."""
    match error:
        case click.NoSuchOption():
            near = next(iter(error.possibilities or ()), None)
            return _with_guess(say("usage.no_such_option", name=error.option_name), near, say)
        case click.NoSuchCommand():
            near = closest(error.command_name, commands)
            return _with_guess(say("usage.no_such_command", name=error.command_name), near, say)
        case click.MissingParameter():
            return say("usage.missing", name=_name(error))
        case click.BadParameter():
            return say("usage.bad_value", name=_name(error), detail=error.message)
        case click.BadOptionUsage():
            options = error.ctx.command.params if error.ctx else []
            takes_none = any(
                isinstance(each, click.Option) and each.is_flag and error.option_name in each.opts
                for each in options
            )
            return say("usage.bad_option" if takes_none else "usage.needs_value", name=error.option_name)
        case _:
            missing = error.ctx is not None and isinstance(error.ctx.command, click.Group)
            return say("usage.no_command") if missing else error.format_message()


def _name(error: click.BadParameter) -> object:
    """An option as it is typed, an argument as the usage line shows it."""
    match error.param:
        case click.Option():
            return max(error.param.opts, key=len)
        case click.Argument() if error.ctx and isinstance(error, click.MissingParameter):
            return error.param.make_metavar(error.ctx)
        case click.Parameter():
            return error.param.human_readable_name
        case _:
            return error.param_hint


def _with_guess(sentence: str, near: str | None, say: Catalogue) -> str:
    return f"{sentence} {say('cli.did_you_mean', better=near)}" if near else sentence
