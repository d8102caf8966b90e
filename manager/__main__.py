"""`python -m manager`."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress
from io import TextIOWrapper

INTERRUPTED = 130


def open_streams() -> None:
    """The three that a program may count on, be it into nothing: else the next file opened would get their number.

    Text that the terminal's encoding lacks is no reason to fail. ASCII is what a locale that was never set looks like.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115  for as long as the program runs
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            if codecs.lookup(stream.encoding).name == "ascii":
                stream.reconfigure(encoding="utf-8")
            elif stream.errors == "strict":
                stream.reconfigure(errors="replace")


def run() -> None:
    open_streams()
    try:
        from manager.cli import main  # noqa: PLC0415  Ctrl-C may come while the modules are still being read

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
