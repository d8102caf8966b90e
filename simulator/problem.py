from __future__ import annotations


class Refused(Exception):
    """An order that can't be carried out; the text says why, to a person."""
