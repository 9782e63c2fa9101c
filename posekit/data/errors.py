"""The one error of labelled data, and how many faults of a kind are told together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

TOLD = 5
"""So many faults of a kind are listed; the rest are counted."""


class DataError(ValueError):
    """Labelled data is not what it should be: the message names the file, what was expected, what came and the fix.

    Where single entries of a file are at fault, the error knows them, so that all faults can be told in one run: see
    `posekit.data.all_faults`.
    """

    entries: tuple[Any, ...] = ()
    "objects of the file that are at fault"
    key: str = ""
    "what is wrong in each of them"

    def about(self, entries: Iterable[Any], key: str) -> Self:
        """This error, knowing the entries at fault and which of their keys is wrong."""
        self.entries, self.key = tuple(entries), key
        return self


def listed(items: Sequence[Any]) -> str:
    """The first few of many, and how many more there are.

    >>> listed([3, 5, 8, 13, 21, 34, 55])
    '3, 5, 8, 13, 21 and 2 more'
    """
    rest = len(items) - TOLD
    return ", ".join(str(i) for i in items[:TOLD]) + (f" and {rest} more" if rest > 0 else "")


def plain(error: ValueError) -> str:
    """The sentences inside an error of validation, on one line."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    told = [(e["loc"][0] if e["loc"] else "", e["msg"].removeprefix("Value error, ")) for e in errors()]
    return "; ".join(f"{where}: {message}" if where else message for where, message in told)


def read_text(path: Path, what: str) -> str:
    """The text of a label file.

    Args:
        path: of the file.
        what: is expected in it, for the message.

    Raises:
        DataError: the file is missing, a folder, empty, or not UTF-8.
    """
    if path.is_dir():
        raise DataError(f"{path}: expected {what}, got a folder; name a file in it")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected {what}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected {what}") from None
    if not content.strip():
        raise DataError(f"{path}: the file is empty; expected {what}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}: line {line} is not UTF-8 (byte 0x{content[error.start]:02x}); expected {what}: save it as UTF-8"
        ) from None
