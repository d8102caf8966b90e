"""`python -m simulator serve`, and every order to a running one as a command."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from simulator.control import FLAGS, TELLINGS
from simulator.options import Options
from simulator.problem import Refused
from simulator.running import Simulator
from simulator.weather import ALL

_DEFAULT_CONTROL = "http://127.0.0.1:8090"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--control", envvar="SIMULATOR_CONTROL", default=_DEFAULT_CONTROL, show_default=True, metavar="URL",
    help="Where the running simulator takes orders.",
)  # fmt: skip
@click.pass_context
def cli(context: click.Context, control: str) -> None:
    """A stand-in for WhatsApp Web: a page, its server, and phones that do what you say."""
    context.obj = control


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8443, show_default=True, help="Of the page; 0 takes a free one.")
@click.option("--control-host", default="127.0.0.1", show_default=True)
@click.option("--control-port", default=8090, show_default=True)
@click.option(
    "--state", type=click.Path(path_type=Path), help="A file that keeps phones and devices over restarts."
)
@click.option(
    "--key-file", type=click.Path(path_type=Path), help="The key of the certificate, made when absent."
)
@click.option("--first-ref-seconds", default=60.0, show_default=True)
@click.option("--ref-seconds", default=20.0, show_default=True)
@click.option("--sync-seconds", default=0.5, show_default=True, help="From connected to synced.")
@click.option("--load-seconds", default=0.3, show_default=True, help="Until the page's modules are there.")
@click.option(
    "--backoff-scale", default=1.0, show_default=True, help="On the page's waits between reconnects."
)
@click.option("--health-seconds", default=15.0, show_default=True)
@click.option("--dead-seconds", default=20.0, show_default=True)
@click.option("--modules/--no-modules", default=True, help="Whether clients find modules at all.")
@click.option("--dom/--no-dom", default=True, help="Whether the page shows anything.")
@click.option(
    "--data-ref/--no-data-ref", default=True, help="Whether the code's text stands beside its picture."
)
@click.option("--link", is_flag=True, help="Codes are links.")
@click.option("--without", multiple=True, metavar="MODULE", help="A module that the page lacks.")
def serve(**given: Any) -> None:
    """Serve the page until SIGTERM or Ctrl-C. The first line, as JSON, says where it is."""
    asyncio.run(_serve(Options(**given)))


async def _serve(options: Options) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        async with Simulator(options) as simulator:
            first = {
                "url": simulator.url, "port": simulator.port, "control": simulator.control_url,
                "pin": simulator.pin, "browser_args": simulator.browser_args,
            }  # fmt: skip
            print(json.dumps(first), flush=True)
            await stop.wait()
    except Refused as refusal:
        raise click.ClickException(str(refusal)) from None


_phone = click.option("--phone", metavar="NUMBER", help="Country code and number, digits only.")
_all = click.option("--all", "everyone", is_flag=True, help="All phones.")


@cli.command()
@click.argument("text")
@_phone
@click.pass_obj
def pair(control: str, text: str, phone: str | None) -> None:
    """Scan a code: TEXT is what the QR says, - reads it from standard input. Without --phone a new phone scans."""
    text = sys.stdin.read() if text == "-" else text
    _order(control, "pair", text=text, phone=phone)


@cli.command("pair-code")
@click.argument("code")
@click.option("--phone", metavar="NUMBER", required=True)
@click.pass_obj
def pair_code(control: str, code: str, phone: str) -> None:
    """Type a pairing code on the phone."""
    _order(control, "pair-code", code=code, phone=phone)


@cli.command()
@_phone
@_all
@click.option(
    "--reason", type=int, help="As the page's logout_reason: 0 client fatal, 1, 2 sync, 3 account locked."
)
@click.pass_obj
def logout(control: str, phone: str | None, everyone: bool, reason: int | None) -> None:
    """Unlink the phone's devices."""
    _order(control, "logout", phone=_which(phone, everyone), reason=reason)


@cli.command()
@click.argument("chat")
@click.argument("body")
@click.option("--phone", metavar="NUMBER", required=True, help="Who is written to.")
@click.pass_obj
def send(control: str, chat: str, body: str, phone: str) -> None:
    """Somebody (CHAT: a number) writes BODY to the phone."""
    _order(control, "send", phone=phone, chat=chat, body=body)


@cli.command()
@click.pass_obj
def status(control: str) -> None:
    """Pages, phones, network, as JSON."""
    print(json.dumps(_ask(control, "status", None), indent=2))


@cli.command()
@click.pass_obj
def orders(control: str) -> None:
    """Many orders: each line of standard input is `["ORDER", {…}]` in JSON (`null` for status), each line of the
    output its answer, or `{"error": …}`."""
    for line in sys.stdin:
        try:
            name, given = json.loads(line)
            answer = _ask(control, name, given)
        except click.ClickException as refusal:
            answer = {"error": refusal.message}
        except ValueError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def _simple(name: str, does: str, *, switch: bool) -> None:
    def run(control: str, phone: str | None, everyone: bool, off: bool = False) -> None:
        more = {"off": True} if off else {}
        _order(control, name, phone=_which(phone, everyone), **more)

    command = click.pass_obj(run)
    for option in (_phone, _all):
        command = option(command)
    if switch:
        command = click.option("--off", is_flag=True, help="End it.")(command)
    cli.command(name, help=does)(command)


_DOES = {
    "drop": "Cut the network.",
    "restore": "Mend the network.",
    "freeze": "Connections stay, nothing moves on them.",
    "unfreeze": "End a freeze.",
    "ban": "Ban the account.",
    "outdated": "The page takes the browser for too old.",
    "passkey": "Linking wants a passkey.",
    "stall-sync": "Authenticated, never synced.",
    "half-page": "One of the page's scripts can't be fetched.",
    "conflict": "The session is opened elsewhere.",
    "hang": "The page's script never ends.",
    "forget": "The page's localStorage vanishes.",
    "break": "A key of the page's own storage is lost.",
    "proxy": "The page's proxy is refused.",
}
for _name, _does in _DOES.items():
    _simple(_name, _does, switch=_name in (*FLAGS, "ban"))
assert set(_DOES) >= {*FLAGS, *TELLINGS}


def _which(phone: str | None, everyone: bool) -> str:
    if bool(phone) == everyone:
        raise click.UsageError("say --phone NUMBER or --all")
    return phone or ALL


def _order(control: str, name: str, **given: object) -> None:
    print(json.dumps(_ask(control, name, {key: value for key, value in given.items() if value is not None})))


def _ask(control: str, name: str, given: dict[str, object] | None) -> Any:
    body = None if given is None else json.dumps(given).encode()
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's own
        f"{control.rstrip('/')}/{name}", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise click.ClickException(json.load(error)["error"]) from None
    except OSError as error:
        raise click.ClickException(
            f"no simulator takes orders at {control} ({error}); start one: python -m simulator serve"
        ) from None


if __name__ == "__main__":
    cli()
