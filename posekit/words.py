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
