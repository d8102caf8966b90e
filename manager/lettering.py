"""PURE: a pairing code in letters that can be read from across the desk."""

from __future__ import annotations

from manager.scan import half_blocks

_SPACE = "."
# Five rows of five dots each, for all that stands in a pairing code, and the dash between its groups.
_FONT = {
    "0": ".###. #..## #.#.# ##..# .###.", "1": "..#.. .##.. ..#.. ..#.. .###.", "2": "####. ....# .###. #.... #####",
    "3": "####. ....# .###. ....# ####.", "4": "#..#. #..#. ##### ...#. ...#.", "5": "##### #.... ####. ....# ####.",
    "6": ".###. #.... ####. #...# .###.", "7": "##### ...#. ..#.. .#... .#...", "8": ".###. #...# .###. #...# .###.",
    "9": ".###. #...# .#### ....# .###.", "A": ".###. #...# ##### #...# #...#", "B": "####. #...# ####. #...# ####.",
    "C": ".#### #.... #.... #.... .####", "D": "####. #...# #...# #...# ####.", "E": "##### #.... ###.. #.... #####",
    "F": "##### #.... ###.. #.... #....", "G": ".#### #.... #..## #...# .###.", "H": "#...# #...# ##### #...# #...#",
    "I": ".###. ..#.. ..#.. ..#.. .###.", "J": "..### ...#. ...#. #..#. .##..", "K": "#..#. #.#.. ##... #.#.. #..#.",
    "L": "#.... #.... #.... #.... #####", "M": "#...# ##.## #.#.# #...# #...#", "N": "#...# ##..# #.#.# #..## #...#",
    "O": ".###. #...# #...# #...# .###.", "P": "####. #...# ####. #.... #....", "Q": ".###. #...# #.#.# #..#. .##.#",
    "R": "####. #...# ####. #..#. #...#", "S": ".#### #.... .###. ....# ####.", "T": "##### ..#.. ..#.. ..#.. ..#..",
    "U": "#...# #...# #...# #...# .###.", "V": "#...# #...# .#.#. .#.#. ..#..", "W": "#...# #...# #.#.# ##.## #...#",
    "X": "#...# .#.#. ..#.. .#.#. #...#", "Y": "#...# .#.#. ..#.. ..#.. ..#..", "Z": "##### ...#. ..#.. .#... #####",
    "-": "..... ..... .###. ..... .....",
}  # fmt: skip


def grouped(code: str, size: int) -> str:
    """`ABCD1234` -> `ABCD-1234`; what is grouped already stays as it is."""
    plain = code.replace("-", "")
    return "-".join(plain[at : at + size] for at in range(0, len(plain), size))


def large(code: str) -> list[str]:
    """Three lines of text; empty when a character of `code` is none of a pairing code."""
    glyphs = [_FONT.get(each) for each in code.upper()]
    if not glyphs or None in glyphs:
        return []
    rows = zip(*(glyph.split() for glyph in glyphs if glyph), strict=True)
    return half_blocks([[dot != _SPACE for dot in _SPACE.join(row)] for row in rows], border=0)
