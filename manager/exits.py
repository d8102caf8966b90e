"""Exit codes of `python -m manager`: a promise to scripts, listed in the README."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """USAGE is what click itself uses; INTERRUPTED is what shells say of Ctrl-C."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_QR = 3
    BAD_CONFIG = 4
    ENGINE = 5
    UNKNOWN_CLIENT = 6
    DOCTOR = 7
    HELD = 8
    ROLLOUT = 9
    INTERRUPTED = 130
