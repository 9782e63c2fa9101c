"""Error messages for unknown names, and numbers of things."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path


def nearest(name: str, known: Sequence[str], what: str) -> str:
    """A message for an unknown name, with the nearest known one, or all known ones if none is near."""
    near = difflib.get_close_matches(name, known, 1)
    return f"no {what} {name!r}" + (f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}")


def plural(count: int, thing: str, things: str = "") -> str:
    """A number of things.

    >>> plural(1, "image"), plural(1200, "box", "boxes")
    ('1 image', '1200 boxes')
    """
    return f"{count} {thing}" if count == 1 else f"{count} {things or thing + 's'}"


def in_shell(path: str | Path) -> str:
    """A path as a word of a command that can be copied: in quotes if it has spaces or other signs of the shell.

    >>> in_shell("runs/one"), in_shell("my runs/one")
    ('runs/one', "'my runs/one'")
    """
    return shlex.quote(str(path))


_ONE = re.compile(r"^1 ((?:boxes|areas|annotations|points|images|lines|(?:image )?files)) (\w+)([^:;]*)")
_VERBS = {
    "are": "is",
    "have": "has",
    "do": "does",
    "reach": "reaches",
    "lack": "lacks",
    "use": "uses",
    "repeat": "repeats",
}
_LATER = {"is TIFFs": "is a TIFF", "and are": "and is", "they are": "it is", "their boxes": "its box", "their": "its"}


def singular(sentence: str) -> str:
    """A sentence about things with their number, in the singular if it is 1.

    >>> singular("1 boxes have no width: ids 2"), singular("2 boxes have no width: ids 2, 3")
    ('1 box has no width: ids 2', '2 boxes have no width: ids 2, 3')
    """
    found = _ONE.match(sentence)
    if found is None:
        return sentence
    noun, verb, rest = found.groups()
    noun = "box" if noun == "boxes" else noun.removesuffix("s")
    start = f"1 {noun} {_VERBS.get(verb, verb)}{rest}"
    for many, one in _LATER.items():
        start = re.sub(rf"\b{many}\b", one, start)
    return start + sentence[found.end() :]
