"""`python -m manager`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

INTERRUPTED = 130


def open_streams() -> None:
    """The three that a program may count on, be it into nothing: else the next file opened would get their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115  for as long as the program runs


def run() -> None:
    open_streams()
    try:
        # Ctrl-C may come while the modules are still being read.
        from bot.text import write_any_letter  # noqa: PLC0415
        from manager.cli import main  # noqa: PLC0415

        write_any_letter(sys.stdout, sys.stderr)
        code = main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Not sys.exit: after Ctrl-C it would wait for threads that still talk to the engine or to a silent bot.
    os._exit(code)


if __name__ == "__main__":
    run()
