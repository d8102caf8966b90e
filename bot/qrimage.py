"""Reads the text of a QR code off the picture the page drew."""

from __future__ import annotations

import base64


def read(width: int, height: int, gray: str) -> str | None:
    """`gray`: one byte a pixel, row by row, in base64. None: there is no code in it that can be read."""
    # Only pages that hide the text come here: others need not carry this library in memory.
    import zxingcpp  # noqa: PLC0415

    pixels = base64.b64decode(gray)
    if width <= 0 or len(pixels) != width * height:
        return None
    found = zxingcpp.read_barcodes(memoryview(pixels).cast("B", shape=[height, width]))
    return found[0].text if found else None
