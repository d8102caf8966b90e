"""`python -m bot`: one bot, until it is told to stop. `python -m bot ctl …`: talks to the one that runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

_USAGE = """usage: python -m bot                 run the bot that BOT_SETTINGS describes
       python -m bot --print-schema  print the JSON schema of BOT_SETTINGS
       python -m bot --version       print the version
       python -m bot ctl …           talk to the running bot (see: python -m bot ctl --help)
       python -m bot volume …        look at and change the volume of a bot that does not run

exit codes: 0 stopped as asked · 1 failed · 2 BOT_SETTINGS wrong · 3 no QR is shown · 4 no bot answers
            5 refused · 10 session folder unusable · 11 session in use · 12 browser unusable · 13 port in use"""


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["ctl" | "volume" as part, *rest]:
            # An exec'ed command must start fast: neither needs what the other or the bot needs.
            code: int = importlib.import_module(f"bot.{part}").main(rest)
            return code
        case []:
            from bot import hearing  # noqa: PLC0415

            hearing.begin()
            from bot import start  # noqa: PLC0415

            return start.main()
        case ["--print-schema"]:
            import json  # noqa: PLC0415

            from bot.contract import BotSettings  # noqa: PLC0415

            print(json.dumps(BotSettings.json_schema(), indent=2))
            return 0
        case ["--version"]:
            from bot import VERSION  # noqa: PLC0415

            print(VERSION)
            return 0
        case ["--help" | "-h"]:
            print(_USAGE)
            return 0
        case _:
            print(_USAGE, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
