"""The command line: finds the command, and turns whatever goes wrong into one sentence and an exit code."""

from __future__ import annotations

import errno
import importlib
import json
import keyword
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from manager.app import App, UserError, engine_exit
from manager.clickwords import Group, file_option, usage_problem
from manager.exits import Exit

PROGRAM = "python -m manager"
COMPLETE_VARIABLE = "_OTURUM_COMPLETE"
_OUTPUT_ENDED = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO)

# Read only when it is called: `up` with nothing to do must not wait for what draws QR codes.
COMMANDS = {
    "up": "fleet",
    "down": "fleet",
    "restart": "fleet",
    "watch": "watch",
    "status": "status",
    "logs": "logs",
    "qr": "qr",
    "pair": "pairing",
    "logout": "pairing",
    "rm": "rm",
    "import": "importing",
    "backup": "backup",
    "restore": "backup",
    "generations": "generations",
    "rollback": "generations",
    "add": "botsfile",
    "pause": "botsfile",
    "resume": "botsfile",
    "validate": "botsfile",
    "diagnostics": "diagnostics",
    "report": "diagnostics",
    "doctor": "doctor",
    "drill": "drill",
    "completion": "completion",
}


class Root(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"manager.commands.{COMMANDS[cmd_name]}")
        found = getattr(module, f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name)
        assert isinstance(found, click.Command)
        return found

    def main(self, args: Sequence[str] | None = None, **_: Any) -> Any:  # type: ignore[override]
        """Exits with a code of `Exit`, whatever happens."""
        sys.exit(self.run(args))

    def run(self, args: Sequence[str] | None = None) -> int:
        app = App.of(os.environ)
        app.words = sys.argv[1:] if args is None else args
        try:
            found = super().main(
                args,
                prog_name=PROGRAM,
                complete_var=COMPLETE_VARIABLE,
                standalone_mode=False,
                obj=app,
                color=app.colour,
            )
            sys.stdout.flush()
        except (click.Abort, KeyboardInterrupt):
            return Exit.INTERRUPTED
        except OSError as error:
            if error.errno not in _OUTPUT_ENDED or error.filename is not None:
                raise
            # What is left in the buffer has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno == errno.EPIPE:  # whoever read us (`| head`) has seen enough
                return Exit.FAILED
            return _say_error(app, app.say("cli.not_written", detail=error.strerror), "", Exit.FAILED)
        except Exception as error:
            return _told(error, app)
        return int(found or Exit.OK)


@click.group(
    "manager",
    cls=Root,
    help="manager",
    params=[file_option()],
    context_settings={"help_option_names": ["-h", "--help"]},
)
def root() -> None:
    pass


def main(args: Sequence[str] | None = None) -> int:
    try:
        return root.run(args)
    except SystemExit as leaving:  # click's completion leaves this way
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)


def _told(error: Exception, app: App) -> Exit:
    """Tells what went wrong, and gives the exit code. What nobody foresaw goes on as it is."""
    from manager.config import ConfigErrors  # noqa: PLC0415
    from manager.edit import EditError  # noqa: PLC0415
    from manager.problems import EngineError  # noqa: PLC0415

    match error:
        case click.UsageError():
            return _told_usage(error, app)
        case UserError():
            return _say_error(app, error.message, error.fix, error.code)
        case EngineError():
            said = error.say(app.say)
            return _say_error(app, said.message, said.fix, engine_exit(error))
        case EditError():
            code = Exit.UNKNOWN_CLIENT if error.key.startswith("unknown") else Exit.FAILED
            code = Exit.USAGE if error.key == "not_a_client_id" else code
            return _say_error(app, error.say(app.say), "", code)
        case ConfigErrors():
            return _say_error(app, "\n".join(error.lines(app.say)), "", Exit.BAD_CONFIG)
        case _:
            raise error


def _told_usage(error: click.UsageError, app: App) -> Exit:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return Exit.USAGE
    where = error.ctx.command_path if error.ctx else PROGRAM
    return _say_error(
        app, usage_problem(error, app.say, COMMANDS), app.say("usage.see_help", command=where), Exit.USAGE
    )


def _say_error(app: App, message: str, fix: str, code: Exit) -> Exit:
    if app.json:
        told = {"ok": False, "exit": int(code), "error": {"message": message, "fix": fix}}
        click.echo(json.dumps(told, ensure_ascii=False))
    # A command at the message's end must not run into the words that follow it.
    goes_on = bool(fix) and "\n" not in message and message.endswith((".", "!", "?"))
    click.secho(message, err=True, nl=not goes_on, fg="red", color=app.colour)
    if fix:
        click.echo(f" {fix}" if goes_on else fix, err=True)
    return code
