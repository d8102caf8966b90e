"""Writes the dashboards; a test holds the committed files to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring import bot, fleet

FOLDER = Path(__file__).parent.parent / "compose" / "grafana" / "dashboards"


def pages() -> dict[str, str]:
    """File name -> what should stand in it."""
    made = {"fleet.json": fleet.dashboard(), "bot.json": bot.dashboard()}
    return {name: _written(each.build()) for name, each in made.items()}


def _written(page: Dashboard) -> str:
    for at, panel in enumerate(page.panels or [], 1):
        panel.id_val = at
    return json.dumps(page, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
        print(FOLDER / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
