"""Two real bots live through what befalls bots, while a real Prometheus looks on with the stack's own rules.

A real `manager watch` keeps containers of the same names: it's asked for its own metrics. Its bots are of the trivial
image, the ones that are looked at here are processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from manager.engine import Engine
from monitoring.__main__ import FOLDER
from simulator.options import Options
from simulator.running import Simulator
from tests.browser.conftest import QUICK
from tests.engine.conftest import busybox, image_archive, import_trivial, sweep
from tests.engine.watchers import Watched
from tests.monitoring import hurry
from tests.monitoring.running import Api, prometheus, until
from tests.monitoring.tools import rules
from tests.robot import Robot

NAMES = ("one", "two")
# A metric of ours with its labels, as it stands in an expression.
_SELECTOR = re.compile(r"\b(?:whatsapp_bot_|oturum_manager_|client_id:|state:|up\b)[a-z0-9_:]*(?:{[^}]*})?")


def expressions() -> dict[str, str]:
    """Where it stands -> PromQL: every query of every panel and mark, every rule, every metric a rule asks for."""
    found = {}
    for path in sorted(FOLDER.glob("*.json")):
        page = json.loads(path.read_text())
        for panel in page["panels"]:
            for target in panel.get("targets") or ():
                found[f"{path.stem}/{panel['title']}/{target['refId']}"] = target["expr"]
        for mark in page["annotations"].get("list") or ():
            found[f"{path.stem}/mark/{mark['name']}"] = mark["expr"]
    for rule in rules():
        name = rule.get("alert") or rule["record"]
        text = hurry.expression(rule["expr"])
        found[f"rule/{name}"] = text
        for at, selector in enumerate(
            dict.fromkeys(_SELECTOR.findall(re.sub(r"by \([a-z_, ]*\)", "", text)))
        ):
            found[f"rule/{name}/{at}: {selector}"] = selector
    return found


@dataclass
class Findings:
    """`answered`: whether an expression had a sample at any moment of the drill. `fired`: alert and bot."""

    answered: dict[str, bool] = field(default_factory=dict)
    fired: set[tuple[str, str]] = field(default_factory=set)
    still_firing: set[tuple[str, str]] = field(default_factory=set)
    told: list[dict[str, str]] = field(default_factory=list)


class Seen:
    """A bot, and what Prometheus thinks of it."""

    def __init__(self, bot: Robot, simulator: Simulator, api: Api) -> None:
        self.bot, self._simulator, self._api = bot, simulator, api
        self.number = ""
        self.told: list[dict[str, str]] = []

    async def paired(self) -> None:
        mark = self.bot.mark
        text = await until(self._shown, f"{self.bot.client_id} shows a code")
        wid = await self._simulator.service.pair(text, self.number or None)
        self.number = wid.partition(":")[0]
        await self.bot.event("WHATSAPP_READY", mark)

    async def _shown(self) -> str | None:
        """On a machine that is short of CPU a page may be found hung, and loaded anew, while it shows one."""
        code, text, _ = await self.bot.ctl("qr", "--text")
        return text.strip() if code == 0 else None

    async def read_when_ready(self) -> bool:
        sample = f'whatsapp_bot_state{{client_id="{self.bot.client_id}",state="READY"}} == 1'
        return bool((await self._api.get("/api/v1/query", query=sample))["data"]["result"])

    async def firing(self, alert: str) -> bool:
        told = await _firing(self._api, alert, self.bot.client_id)
        if told:
            self.told.append(told)
        return told is not None

    async def fires(self, alert: str) -> None:
        await until(lambda: self.firing(alert), f"{alert} fires for {self.bot.client_id}", within=60)

    async def resolves(self, alert: str) -> None:
        await _over(self._api, alert, self.bot.client_id)


async def _firing(api: Api, alert: str, client_id: str | None) -> dict[str, str] | None:
    """What is told of it, while it fires."""
    for each in (await api.get("/api/v1/alerts"))["data"]["alerts"]:
        labels = each["labels"]
        if (labels["alertname"], labels.get("client_id"), each["state"]) == (alert, client_id, "firing"):
            told: dict[str, str] = each["annotations"]
            return told
    return None


async def _over(api: Api, alert: str, client_id: str | None) -> None:
    async def gone() -> bool:
        return await _firing(api, alert, client_id) is None

    await until(gone, f"{alert} of {client_id} is over", within=60)


@contextmanager
def managed(folder: Path) -> Iterator[Watched]:
    """A watcher whose fleet has come true."""
    engine = Engine.connect(os.environ)
    sdk = docker.APIClient(base_url=engine.host, version="auto")
    import_trivial(sdk, image_archive(busybox(folder)))
    project = f"ot-{uuid.uuid4().hex[:8]}"
    watched = Watched(folder / "bots.yaml", project, engine.host)
    try:
        watched.begin(dict.fromkeys(NAMES, "128m")).until("CONVERGED")
        yield watched
    finally:
        watched.close()
        sweep(sdk, project)


@asynccontextmanager
async def stage(folder: Path, manager: str) -> AsyncIterator[tuple[Simulator, Api, list[Seen]]]:
    async with Simulator(Options(**QUICK)) as simulator:
        waits = {"networkWait": 2, "logoutWait": 0.5, "probeTimeout": 2, "probeInterval": 0.5}
        bots = [Robot(folder / name, simulator, name, reconnect=waits) for name in NAMES]
        targets = {bot.client_id: f"127.0.0.1:{bot.port}" for bot in bots}
        async with prometheus(folder, hurry.write(folder, targets, manager)) as api:
            try:
                yield simulator, api, [Seen(bot, simulator, api) for bot in bots]
            finally:
                for bot in bots:
                    if bot.process:
                        await bot.kill()


async def play(folder: Path, watched: Watched) -> Findings:
    address = watched.watchers[0].lines[0]["address"].removeprefix("http://")
    async with stage(folder, address) as (simulator, api, (one, two)):
        begin = time.time()
        for each in (one, two):
            await each.bot.start()
        for each in (one, two):
            await each.bot.qr()
            await each.paired()
        # What a counter did before it was read for the first time is no increase.
        for each in (one, two):
            await until(each.read_when_ready, f"Prometheus has read {each.bot.client_id}")
        # A bot that had not started yet is rightly missed.
        await until(lambda: _calm(api), "nothing fires at the start")
        calm = time.time()
        await asyncio.gather(_first(one, simulator), _second(two, simulator), _fleet(watched, api))
        return await _judge(api, (begin, calm), (one, two))


async def _fleet(watched: Watched, api: Api) -> None:
    """A bots.yaml that is saved badly, and then well, with one more bot."""
    watched.file.write_text("bots: nonsense\n")
    await until(lambda: _firing(api, "OturumConfigInvalid", None), "OturumConfigInvalid fires")
    watched.save(dict.fromkeys((*NAMES, "third"), "128m"))
    await _over(api, "OturumConfigInvalid", None)


async def _first(one: Seen, simulator: Simulator) -> None:
    """Trouble with the network, the browser, the process: no QR in all of it."""
    bot, service = one.bot, simulator.service
    while not await one.firing("OturumFlapping"):
        mark = bot.mark
        service.weather(one.number, cut=True)
        await bot.event("WHATSAPP_DISCONNECT", mark)
        service.weather(one.number, cut=False)
        await bot.event("WHATSAPP_READY", mark)
    mark = bot.mark
    await service.tell(one.number, "hang")
    await bot.event("WHATSAPP_READY", mark)
    mark = bot.mark
    await service.tell(one.number, "conflict")
    await one.fires("OturumConflict")
    await bot.ctl("reload")
    await bot.event("WHATSAPP_READY", mark)
    await one.resolves("OturumConflict")
    await bot.kill()
    await one.fires("OturumBotDown")
    mark = bot.mark
    await bot.start()
    await bot.event("WHATSAPP_READY", mark)
    await one.resolves("OturumBotDown")
    service.weather(one.number, cut=True)
    await one.fires("OturumReconnectingTooLong")
    service.weather(one.number, cut=False)
    await bot.event("WHATSAPP_READY", bot.mark)
    await one.resolves("OturumReconnectingTooLong")


async def _second(two: Seen, simulator: Simulator) -> None:
    """Trouble with the session and the account."""
    bot, service = two.bot, simulator.service
    mark = bot.mark
    await service.tell(two.number, "break")
    await bot.event("SESSION_LOST", mark, within=60)
    for alert in ("OturumSessionLost", "OturumRestoreFailed", "OturumQrWaiting"):
        await two.fires(alert)
    await two.paired()
    await two.resolves("OturumQrWaiting")
    mark = bot.mark
    await service.logout(two.number)
    await bot.event("WHATSAPP_QR", mark)
    await two.paired()
    mark = bot.mark
    await service.flag(two.number, "outdated", True)
    await two.fires("OturumBotStuck")
    await service.flag(two.number, "outdated", False)
    await bot.ctl("reload")
    await bot.event("WHATSAPP_READY", mark)
    await two.resolves("OturumBotStuck")
    await service.ban(two.number)
    await two.fires("OturumBanned")


async def _all_firing(api: Api) -> set[tuple[str, str]]:
    return {
        (each["labels"]["alertname"], each["labels"].get("client_id", ""))
        for each in (await api.get("/api/v1/alerts"))["data"]["alerts"]
        if each["state"] == "firing"
    }


async def _calm(api: Api) -> bool:
    return not await _all_firing(api)


async def _judge(api: Api, begins: tuple[float, float], seen: Iterable[Seen]) -> Findings:
    found = Findings(told=[text for each in seen for text in each.told])
    begin, calm = begins
    found.still_firing = await _all_firing(api)
    end = time.time()
    span = f"{int(end - begin) + 1}s"
    times = {"start": str(begin), "end": str(end), "step": "1"}

    async def series(expr: str) -> list[dict[str, Any]]:
        # A step of two scrapes, and as in Grafana a window of one more.
        filled = expr.replace("$__rate_interval", "6s").replace("$__interval_ms", "4000")
        filled = filled.replace("$__range", span)
        answers: list[dict[str, Any]] = []
        for client_id in NAMES if "$clientId" in expr else ("",):
            asked = filled.replace("$clientId", client_id)
            answer = await api.get("/api/v1/query_range", query=asked, **times)
            answers += [
                each
                for each in answer["data"]["result"]
                if any(value not in ("NaN", "+Inf") for _, value in each["values"])
            ]
        return answers

    for place, expr in expressions().items():
        found.answered[place] = bool(await series(expr))
    for each in await series('ALERTS{alertstate="firing"}'):
        alert = each["metric"]["alertname"], each["metric"].get("client_id", "")
        if each["values"][-1][0] <= calm:
            continue
        found.fired.add(alert)
    return found
