"""The error class of labelled data, and how messages list faults and show values."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

TOLD = 5
"""Largest number of faults of a kind that are listed; the others are counted."""

LONGEST_PATH = 4096
"""Largest length of a path on common file systems."""

LONGEST = 1500
"""Largest number of characters repeated from messages of other libraries."""

_BOM = b"\xef\xbb\xbf"


class DataError(ValueError):
    """Labelled data is invalid: the message names the file, what was expected, what was found and the fix.

    If single entries of a file are at fault, the error lists them, so that all faults can be reported in one run: see
    `posekit.data.all_faults`.
    """

    entries: tuple[Any, ...] = ()
    "entries of the file that are at fault: their id, and the image_id of annotations"
    key: str = ""
    "the invalid field of these entries"

    def about(self, entries: Iterable[Any], key: str) -> Self:
        """The same error with the entries at fault and their invalid field."""
        self.entries, self.key = tuple(entries), key
        return self


def listed(items: Sequence[Any]) -> str:
    """The first few of a list, and the number of the others.

    >>> listed([3, 5, 8, 13, 21, 34, 55])
    '3, 5, 8, 13, 21 and 2 more'
    """
    rest = len(items) - TOLD
    return ", ".join(str(i) for i in items[:TOLD]) + (f" and {rest} more" if rest > 0 else "")


class _Short(reprlib.Repr):
    """Values as Python writes them, shortened if they are long or deeply nested."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 3, 12, 12, 6
        self.maxstring, self.maxlong, self.maxother = 80, 40, 80

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python writes no whole number of more than 4300 digits
            return f"a whole number of {x.bit_length()} bits"


_SHORT = _Short()


def shown(value: Any) -> str:
    """A value in a message: as Python writes it, on one line, shortened in the middle if it is long.

    >>> shown([1, "two", [3]]), shown(10**99)
    ("[1, 'two', [3]]", '100000000000000000...0000000000000000000')
    """
    return " ".join(_SHORT.repr(value).split("\n"))


def plain_path(path: Path, longest: int = LONGEST_PATH) -> str:
    """A path in a message: on one line, shortened only if it is longer than any file system could hold."""
    text = " ".join(str(path).splitlines())
    return text if len(text) <= longest else f"{text[:120]}...{text[-120:]}"


def one_line(sentences: Iterable[str]) -> tuple[str, ...]:
    """Messages without the line breaks that names in them may have."""
    return tuple(" ".join(sentence.splitlines()) for sentence in sentences)


def plain(error: ValueError) -> str:
    """The messages of a validation error, on one line, shortened if very long."""
    errors = getattr(error, "errors", None)
    if errors is None:
        told = [("", str(error))]
    else:
        told = [(e["loc"][0] if e["loc"] else "", e["msg"].removeprefix("Value error, ")) for e in errors()]
    text = " ".join("; ".join(f"{where}: {message}" if where else message for where, message in told).splitlines())
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def read_content(path: Path, what: str) -> bytes:
    """The bytes of a file without a UTF-8 byte order mark; may be empty.

    Args:
        path: of the file.
        what: expected content, for the message.

    Raises:
        DataError: the file is missing, a folder, or cannot be read.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path}: expected {what}, got a folder; give a file in it")
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected {what}") from None
    except OSError as error:
        raise DataError(f"{plain_path(path)}: cannot be read ({error.strerror}); expected {what}") from None
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{plain_path(path)}: not a valid file name ({error}); expected {what}") from None
    return content.removeprefix(_BOM)


def read_text(path: Path, what: str) -> str:
    """The text of a label file.

    Args:
        path: of the file.
        what: expected content, for the message.

    Raises:
        DataError: the file is missing, a folder, empty, or not UTF-8.
    """
    content = read_content(path, what)
    if not content.strip():
        raise DataError(f"{path}: the file is empty; expected {what}")
    return decoded(content, path, what)


def decoded(content: bytes, path: Path, what: str) -> str:
    """The text of bytes in UTF-8.

    Args:
        content: of the file.
        path: of the file, for the message.
        what: expected content, for the message.

    Raises:
        DataError: they are not UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}: line {line} is not UTF-8 (byte 0x{content[error.start]:02x}); expected {what}: save it as UTF-8"
        ) from None
