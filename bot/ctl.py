"""`python -m bot ctl`: talks to the running bot over its control socket. Starts fast: standard library only."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.names import CONTAINER_SOCKET, SETTINGS_VARIABLE, BotExit, default_socket
from bot.text import LANGUAGES, Catalogue, write_any_letter

LOCALES = Path(__file__).parent / "locales"
LANGUAGE_VARIABLE = "OTURUM_LANG"
_ANSWER_SECONDS = 60


class NoBot(Exception):
    """Nobody answers on the socket."""


def main(arguments: Sequence[str]) -> int:
    write_any_letter(sys.stdout, sys.stderr)
    settings = _settings()
    # The caller's language, else that of the bot's own log.
    wanted = (os.environ.get(LANGUAGE_VARIABLE), settings.get("language"))
    language = next((each for each in wanted if each in LANGUAGES), "en")
    say = Catalogue(LOCALES, language)
    # `set_defaults` would reach the subcommands' copies of these options too, and undo what stands before the command.
    options = parser().parse_args(arguments, argparse.Namespace(socket=None, json=False))
    path = _socket_path(options.socket, settings)
    request: dict[str, Any] = {"command": options.command, "language": language}
    if options.command == "pair":
        request["phone"] = options.phone
    try:
        answer = _ask(path, request)
    except NoBot as error:
        return _fail(say("ctl.not_running", path=path, detail=error), say("ctl.not_running_fix"), options, 4)
    if not answer.get("ok"):
        told = answer.get("error", {})
        code = int(answer.get("exit", BotExit.FAILED))
        return _fail(told.get("message", "?"), told.get("fix", ""), options, code)
    return _told(answer["result"], options, say)


def parser() -> argparse.ArgumentParser:
    """The commands, also for the documentation."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--socket", metavar="PATH", default=argparse.SUPPRESS, help="the bot's control socket"
    )
    common.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print the answer as one JSON object"
    )
    parser = argparse.ArgumentParser(
        prog="python -m bot ctl", description="Talk to a running bot.", parents=[common]
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("status", parents=[common], help="how the bot is")
    qr = commands.add_parser("qr", parents=[common], help="draw the QR to scan; exit 3 when none is shown")
    qr.add_argument("--text", action="store_true", help="print the QR's text alone")
    pair = commands.add_parser("pair", parents=[common], help="get a code to link with the phone's number")
    pair.add_argument("phone", metavar="PHONE", help="with country code, digits only")
    commands.add_parser("logout", parents=[common], help="unlink the device; a new QR follows")
    commands.add_parser("reload", parents=[common], help="load the page anew")
    commands.add_parser("generation", parents=[common], help="copy the session now, for a backup")
    return parser


def _settings() -> dict[str, Any]:
    try:
        found = json.loads(os.environ.get(SETTINGS_VARIABLE, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _socket_path(given: str | None, settings: dict[str, Any]) -> str:
    if given:
        return given
    named = settings.get("controlSocket")
    if isinstance(named, str) and named:
        return named
    client_id = settings.get("clientId")
    if isinstance(client_id, str):
        path = default_socket(client_id)
        if Path(path).exists() or not Path(CONTAINER_SOCKET).exists():
            return path
    return CONTAINER_SOCKET


def _ask(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """Raises NoBot."""
    try:
        folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise NoBot(error.strerror) from error
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(_ANSWER_SECONDS)
            line.connect(f"/proc/self/fd/{folder}/{Path(path).name}")
            line.sendall(json.dumps(request).encode() + b"\n")
            with line.makefile("rb") as answers:
                raw = answers.readline()
        answer = json.loads(raw)
    except (OSError, ValueError) as error:
        raise NoBot(
            error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
        ) from error
    finally:
        os.close(folder)
    return answer if isinstance(answer, dict) else {}


def _fail(message: str, fix: str, options: argparse.Namespace, code: int) -> int:
    if options.json:
        print(json.dumps({"error": {"message": message, "fix": fix}, "exit": int(code)}, ensure_ascii=False))
    print(f"{message} {fix}".strip(), file=sys.stderr)
    return int(code)


def _told(result: dict[str, Any], options: argparse.Namespace, say: Catalogue) -> int:
    try:
        _show(result, options, say)
        print(end="", flush=True)
    except OSError as error:  # its reader has gone, or its disk is full
        print(say("ctl.not_written", detail=error.strerror), file=sys.stderr)
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # what is left in the buffer goes nowhere
        return BotExit.FAILED
    return BotExit.OK


def _show(result: dict[str, Any], options: argparse.Namespace, say: Catalogue) -> None:
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    elif options.command == "status":
        print("\n".join(_status_lines(result, say)))
    elif options.command == "qr":
        _show_qr(result, options.text, say)
    elif options.command == "pair":
        print(say("ctl.pair", code=result["code"], seconds=result["expires_in"]))
    elif options.command == "generation":
        size = f"{result['bytes'] / 1024**2:.1f} MiB"
        print(say("ctl.generation", number=result["number"], size=size, taken_at=result["taken_at"]))
    else:
        print(say(f"ctl.{options.command}"))


def _show_qr(result: dict[str, Any], as_text: bool, say: Catalogue) -> None:
    if as_text:
        print(result["text"])
        return
    import segno  # noqa: PLC0415  only where a picture is drawn

    segno.make(result["text"], error="l", micro=False).terminal(sys.stdout, border=2, compact=True)
    print(say("ctl.qr", number=result["number"]))


def _status_lines(status: dict[str, Any], say: Catalogue) -> list[str]:
    session = "session_present" if status["session_present"] else "session_absent"
    counters = status["counters"]
    lines = [
        say("ctl.state", state=status["state"], since=status["since"]),
        say("ctl.action", action=say(f"ctl.action_{status['user_action']}")),
        say("ctl.session", session=say(f"ctl.{session}"), phone=status["phone"] or "-"),
        say(
            "ctl.counters",
            disconnects=sum(counters["disconnects"].values()),
            reconnects=sum(counters["reconnects"].values()),
            qr=sum(counters["qr_requests"].values()),
        ),
    ]
    if status["signals"]["missing"]:
        lines.append(say("ctl.missing", names=", ".join(status["signals"]["missing"])))
    return lines
