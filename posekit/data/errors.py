"""The one error of labelled data, and how its messages list faults and show values."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

TOLD = 5
"""So many faults of a kind are listed; the rest are counted."""

LONGEST_PATH = 4096
"""Characters of a path that file systems take."""

LONGEST = 1500
"""Characters of what other libraries say that a message repeats."""

_BOM = b"\xef\xbb\xbf"


class DataError(ValueError):
    """Labelled data is not what it should be: the message names the file, what was expected, what came and the fix.

    Where single entries of a file are at fault, the error knows them, so that all faults can be told in one run: see
    `posekit.data.all_faults`.
    """

    entries: tuple[Any, ...] = ()
    "objects of the file that are at fault: their id, and the image_id where they are annotations"
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


class _Short(reprlib.Repr):
    """Values as Python writes them, cut where they are long or nested deeply."""

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
    """A value in a message: as Python writes it, on one line, cut in its middle where it is long.

    >>> shown([1, "two", [3]]), shown(10**99)
    ("[1, 'two', [3]]", '100000000000000000...0000000000000000000')
    """
    return " ".join(_SHORT.repr(value).split("\n"))


def plain_path(path: Path) -> str:
    """A path in a message: on one line, and cut only where it is longer than any file system takes."""
    text = " ".join(str(path).splitlines())
    return text if len(text) <= LONGEST_PATH else f"{text[:120]}...{text[-120:]}"


def one_line(sentences: Iterable[str]) -> tuple[str, ...]:
    """Sentences without the line breaks that names in them may have."""
    return tuple(" ".join(sentence.splitlines()) for sentence in sentences)


def plain(error: ValueError) -> str:
    """The sentences inside an error of validation, on one line, cut where they are very long."""
    errors = getattr(error, "errors", None)
    if errors is None:
        told = [("", str(error))]
    else:
        told = [(e["loc"][0] if e["loc"] else "", e["msg"].removeprefix("Value error, ")) for e in errors()]
    text = " ".join("; ".join(f"{where}: {message}" if where else message for where, message in told).splitlines())
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def read_content(path: Path, what: str) -> bytes:
    """The bytes of a file, without the mark that some editors put before UTF-8; may be empty.

    Args:
        path: of the file.
        what: is expected in it, for the message.

    Raises:
        DataError: the file is missing, a folder, or cannot be read.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path}: expected {what}, got a folder; name a file in it")
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected {what}") from None
    except OSError as error:
        raise DataError(f"{plain_path(path)}: cannot be read ({error.strerror}); expected {what}") from None
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{plain_path(path)}: no name of a file ({error}); expected {what}") from None
    return content.removeprefix(_BOM)


def read_text(path: Path, what: str) -> str:
    """The text of a label file.

    Args:
        path: of the file.
        what: is expected in it, for the message.

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
        what: is expected in it, for the message.

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
