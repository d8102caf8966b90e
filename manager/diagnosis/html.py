"""PURE: elements of HTML and SVG that escape what is put into them: text becomes markup here and nowhere else."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Markup(str):
    """Markup already: goes in as it is."""

    __slots__ = ()


Child = str | Iterable["Child"] | None


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """`class_` and `for_` lose their underscore, `aria_label` becomes `aria-label`; an attribute None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{given}>{together(*children)}</{name}>")


def void(name: str, /, **attributes: object) -> Markup:
    """An element of HTML (not of SVG) that has no end of its own."""
    return Markup(tag(name, **attributes).removesuffix(f"</{name}>"))


def together(*children: Child) -> Markup:
    return Markup("".join(map(_written, children)))


def _written(child: Child) -> str:
    match child:
        case None:
            return ""
        case Markup():
            return child
        case str():
            return html.escape(child)
        case _:
            return together(*child)
