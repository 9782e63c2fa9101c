"""Error messages for unknown names, and numbers of things."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(name: str, known: Sequence[str], what: str) -> str:
    """A message for an unknown name, with the nearest known one."""
    near = difflib.get_close_matches(name, known, 1)
    return f"no {what} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "") + f" (known: {', '.join(known)})"


def plural(count: int, thing: str, things: str = "") -> str:
    """A number of things.

    >>> plural(1, "image"), plural(1200, "box", "boxes")
    ('1 image', '1200 boxes')
    """
    return f"{count} {thing}" if count == 1 else f"{count} {things or thing + 's'}"


_SINGULAR = {"boxes": "box", "have": "has", "are": "is", "reach": "reaches", "lack": "lacks", "do": "does", "seem": "seems"}


def counted(count: int, sentence: str) -> str:
    """A sentence about some things with their number; the first two words become singular for one.

    >>> counted(2, "boxes have no width"), counted(1, "boxes have no width")
    ('2 boxes have no width', '1 box has no width')
    """
    if count != 1:
        return f"{count} {sentence}"
    noun, verb, *rest = sentence.split(" ")
    return " ".join([f"1 {_SINGULAR.get(noun, noun.removesuffix('s'))}", _SINGULAR.get(verb, verb), *rest])
