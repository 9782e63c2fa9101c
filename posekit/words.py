"""Error messages for unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(name: str, known: Sequence[str], what: str) -> str:
    """A message for an unknown name, with the nearest known one."""
    near = difflib.get_close_matches(name, known, 1)
    return f"no {what} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "") + f" (known: {', '.join(known)})"
