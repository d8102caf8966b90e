"""Wiring: settings, volume, log, metrics, servers and the runner, from the first line to the exit code."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from bot import VERSION, hearing
from bot.contract import BotExit, BotSettings, EventName, Level
from bot.control import ControlServer, SocketTaken
from bot.desk import Desk
from bot.driver import Driver
from bot.events import EventLog
from bot.metrics import BotMetrics
from bot.names import default_socket
from bot.problem import LOCALES
from bot.runner import Runner, events_file
from bot.server import HttpServer
from bot.session import Session, SessionError
from bot.settings import BadSettings, read_settings
from bot.text import Catalogue
from bot.webdoor import PortTaken


async def serve(driver: Driver) -> BotExit:
    """Runs the bot of `BOT_SETTINGS` to its end. Who made `driver` closes it."""
    try:
        settings = read_settings(os.environ)
    except BadSettings as wrong:
        print("\n".join(wrong.lines), file=sys.stderr)
        return BotExit.BAD_SETTINGS
    return await _serve(settings, driver)


async def _serve(settings: BotSettings, driver: Driver) -> BotExit:
    """A stop in the middle of a start is a clean stop."""
    stop = asyncio.Event()
    heard: list[str] = []
    loop = asyncio.get_running_loop()

    def hear(name: str) -> None:
        heard.append(name)
        stop.set()

    def unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A driver that is ended together with us has last words that nobody needs."""
        if not stop.is_set():
            loop.default_exception_handler(context)

    loop.set_exception_handler(unheard)
    hearing.hand_over(loop, hear)
    say = Catalogue(LOCALES, settings.language)
    log = EventLog(settings.client_id, say)
    fields = {"clientId": settings.client_id, "version": VERSION, "sandbox": settings.browser.sandbox}
    if settings.browser.sandbox:
        log.emit(EventName.STARTUP, Level.INFO, "startup", fields)
    else:
        log.emit(EventName.STARTUP, Level.WARNING, "startup_unsandboxed", fields)
    try:
        session = Session.open(Path(settings.session_dir), settings.client_id)
    except SessionError as error:
        said = error.say(say)
        fields = {"problem": said.message, "hint": said.hint, "fix": said.fix}
        log.emit(EventName.BOT_SESSION, Level.ERROR, "session_unusable", fields)
        return error.exit
    try:
        log.attach(events_file(session.folder))
        metrics = BotMetrics(settings.client_id, VERSION)
        runner = Runner(settings, session, log, metrics, say)
        stopper = asyncio.create_task(_pass_on(stop, heard, runner))
        try:
            return await _run(runner, driver, log, say)
        finally:
            stopper.cancel()
    finally:
        session.close()


async def _run(runner: Runner, driver: Driver, log: EventLog, say: Catalogue) -> BotExit:
    settings, desk = runner.settings, Desk(runner)
    http, control = HttpServer(desk), ControlServer(desk, say)
    path = Path(settings.control_socket or default_socket(settings.client_id))
    try:
        await http.start(settings.http_host, settings.http_port)
        await control.start(path)
    except PortTaken as taken:
        _refuse(log, say, "port_taken", address=f"{taken.host}:{taken.port}", detail=taken.detail)
        return BotExit.PORT_IN_USE
    except SocketTaken as taken:
        await http.close()
        _refuse(log, say, "socket_taken", detail=f"{path}: {taken}")
        return BotExit.PORT_IN_USE
    try:
        return await runner.run(driver)
    finally:
        await control.close()
        await http.close()


async def _pass_on(stop: asyncio.Event, heard: list[str], runner: Runner) -> None:
    await stop.wait()
    runner.stop(heard[0])


def _refuse(log: EventLog, say: Catalogue, key: str, **values: object) -> None:
    hints = {"hint": say(f"server.{key}_hint"), "fix": say(f"server.{key}_fix")}
    log.emit(EventName.BOT_INIT, Level.ERROR, key, {**values, **hints})
