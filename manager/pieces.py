"""Text with styles that a terminal may show and a pipe does without."""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Piece:
    """`style`: a colour, `bold`, `dim`, or empty; the names mean the same to click and to rich."""

    text: str
    style: str = ""


Line = tuple[Piece, ...]


def plain(line: Line) -> str:
    return "".join(piece.text for piece in line).rstrip()


def coloured(line: Line) -> str:
    return "".join(_coloured(piece) for piece in line)


def _coloured(piece: Piece) -> str:
    match piece.style:
        case "":
            return piece.text
        case "bold":
            return click.style(piece.text, bold=True)
        case "dim":
            return click.style(piece.text, dim=True)
        case colour:
            return click.style(piece.text, fg=colour)
