"""Error messages for invalid configs, with field names as the user writes them."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

MOST_FAULTS = 20
"""Largest number of faults that are listed."""

LONGEST = 1000
"""Largest number of characters of one fault."""


def explain(error: ValidationError, document: object = None) -> str:
    """All faults of a validation in one line, with dotted field names as the user writes them.

    Args:
        error: raised by pydantic.
        document: the validated JSON, if any; used to leave out the union tags that pydantic adds to field paths.
    """
    lines = []
    for fault in error.errors():
        where = ".".join(_fields(fault["loc"], document))
        what = fault["msg"].removeprefix("Value error, ")
        lines.append(_cut(f"{where}: {what}" if where else what))
    rest = len(lines) - MOST_FAULTS
    return "; ".join(lines[:MOST_FAULTS]) + (f"; and {rest} more" if rest > 0 else "")


def _cut(line: str) -> str:
    """A fault on one line; of a very long one the middle is left out."""
    line = " ".join(line.splitlines())
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


def _fields(path: tuple[int | str, ...], document: object) -> Iterator[str]:
    for part in path:
        inside = document if isinstance(document, dict) else {}
        if part not in inside and (part == inside.get("kind") or str(part).startswith(("function-", "tagged-union"))):
            continue
        document = inside.get(part)
        yield str(part)
