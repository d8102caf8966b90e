"""Orders over HTTP: `POST /<order>` with a JSON object, `GET /status`. Refusals are 409 with `{"error": …}`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from simulator.problem import Refused

if TYPE_CHECKING:
    from simulator.running import Simulator

Given = dict[str, Any]
_Order = Callable[[Given], Awaitable[Given]]

FLAGS = ("outdated", "passkey", "stall-sync", "half-page")
TELLINGS = ("conflict", "hang", "forget", "break", "proxy")


def application(simulator: Simulator) -> web.Application:
    service = simulator.service

    async def pair(given: Given) -> Given:
        return {"wid": await service.pair(_text(given, "text"), given.get("phone"))}

    async def pair_code(given: Given) -> Given:
        return {"wid": await service.pair_code(_text(given, "code"), _text(given, "phone"))}

    async def logout(given: Given) -> Given:
        return {"unlinked": await service.logout(_text(given, "phone"), given.get("reason"))}

    async def send(given: Given) -> Given:
        words = [_text(given, name) for name in ("phone", "chat", "body")]
        return {"id": await service.send(*words, own=bool(given.get("own")))}

    def network(**change: bool) -> _Order:
        async def order(given: Given) -> Given:
            service.weather(_text(given, "phone"), **change)
            return {}

        return order

    async def ban(given: Given) -> Given:
        await service.ban(_text(given, "phone"), not given.get("off", False))
        return {}

    def flag(name: str) -> _Order:
        async def order(given: Given) -> Given:
            await service.flag(_text(given, "phone"), name, not given.get("off", False))
            return {}

        return order

    def telling(name: str) -> _Order:
        async def order(given: Given) -> Given:
            return {"pages": await service.tell(_text(given, "phone"), name)}

        return order

    orders: dict[str, _Order] = {
        "pair": pair,
        "pair-code": pair_code,
        "logout": logout,
        "send": send,
        "drop": network(cut=True),
        "restore": network(cut=False),
        "freeze": network(frozen=True),
        "unfreeze": network(frozen=False),
        "ban": ban,
        **{name: flag(name) for name in FLAGS},
        **{name: telling(name) for name in TELLINGS},
    }

    async def status(_request: web.Request) -> web.Response:
        return web.json_response(simulator.status())

    async def order(request: web.Request) -> web.Response:
        try:
            wanted = orders[request.match_info["order"]]
        except KeyError:
            return web.json_response({"error": f"orders: {', '.join(sorted(orders))}"}, status=404)
        try:
            given = await request.json() if request.can_read_body else {}
            return web.json_response(await wanted(given))
        except json.JSONDecodeError:
            return web.json_response({"error": "the body is no JSON"}, status=400)
        except Refused as refusal:
            return web.json_response({"error": str(refusal)}, status=409)

    app = web.Application()
    app.router.add_get("/status", status)
    app.router.add_post("/{order}", order)
    return app


def _text(given: Given, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(f"{name} is missing")
    return value
