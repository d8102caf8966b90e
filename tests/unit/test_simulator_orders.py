"""Orders to a running simulator through one process that takes many."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from simulator.options import Options
from simulator.running import Simulator


async def test_each_order_is_answered_and_a_refusal_ends_nothing() -> None:
    orders: list[Any] = [
        ["drop", {"phone": "*"}],
        ["pair", {"text": "no code"}],
        ["dance", {}],
        "nonsense",
        ["status", None],
    ]
    async with Simulator(Options()) as simulator:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulator", "--control", simulator.control_url, "orders"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=os.environ,
        )
        given = "".join(f"{json.dumps(each)}\n" for each in orders)
        said, _ = await process.communicate(given.encode())
    answers = [json.loads(line) for line in said.splitlines()]
    assert process.returncode == 0
    assert answers[0] == {}
    assert [sorted(each) for each in answers[1:4]] == [["error"]] * 3
    assert "no code of WhatsApp Web" in answers[1]["error"]
    assert answers[4]["network"]["cut"] == ["*"]
