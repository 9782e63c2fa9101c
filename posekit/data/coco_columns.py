"""The fields of many objects of a COCO file as arrays, and errors about invalid values.

Unusual values with only one meaning (a number as text, 7.0 for 7) are converted and noted; the others are refused, all
faults of a kind together, with the ids of the objects.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from posekit.data.errors import DataError, listed, shown
from posekit.data.json_values import decimal, flag, is_number, kind, whole

Mask = NDArray[np.bool_]
CHUNK = 512
"""Lists of numbers that are parsed at a time: few enough for the cache of the processor."""

_NUMBERS = msgspec.json.Decoder(list[int | float] | None)


@dataclass(eq=False)
class Table:
    """The objects of one list of a file, for error messages.

    Args:
        file: that holds them.
        kind: what they are, in the plural.
        ids: as they stand in the file.
        image_ids: as they stand in the file, where the objects are annotations.
        faults: list that collects faults, so that reading continues; ``None``: the first is raised.
        notes: notes on converted values.
    """

    file: Path
    kind: str
    ids: Sequence[Any]
    image_ids: Sequence[Any] | None = None
    faults: list[DataError] | None = None
    notes: list[str] = field(default_factory=list)

    def refuse(self, rows: Sequence[int], key: str, what: str, came: str, fix: str) -> None:
        """One error for all the objects at fault, if there are any.

        Args:
            rows: their positions.
            key: the invalid field.
            what: what is wrong; the message puts the count before it and the ids after it.
            came: value of the first object, or empty.
            fix: what to do.

        Raises:
            DataError: there are rows, and faults are not kept.
        """
        if not len(rows):
            return
        who = listed([self._name(row) for row in rows])
        first = f"; the first has {came}" if came else ""
        count = f"{len(rows)} of {len(self.ids)} {self.kind}"
        error = DataError(f"{self.file}: {count} {what}: ids {who}{first}; {fix}")
        self.keep(error.about(map(self._entry, rows), key))

    def keep(self, error: DataError) -> None:
        """Keep an error, or raise it where errors are not kept."""
        if self.faults is None:
            raise error
        self.faults.append(error)

    def _name(self, row: int) -> str:
        number = self.ids[row]
        return f"number {row} of the list" if number is None else shown(number) if number != "" else "''"

    def _entry(self, row: int) -> dict[str, Any]:
        about = {"id": self.ids[row]}
        return about if self.image_ids is None else about | {"image_id": self.image_ids[row]}

    def note(self, key: str, values: Sequence[Any], rows: Sequence[int], meaning: str) -> None:
        """Note that some values were converted."""
        if len(rows):
            first = kind(values[rows[0]])
            self.notes.append(f"{len(rows)} {self.kind} have values such as {first} as '{key}': read as {meaning}")


def whole_numbers(table: Table, key: str, values: Sequence[Any]) -> tuple[NDArray[np.int64], Mask]:
    """(N,) whole numbers (0 if missing), and a mask of those that are given; nothing is refused."""
    if set(map(type, values)) <= {int}:
        try:
            return np.array(values, np.int64), np.ones(len(values), bool)
        except OverflowError:
            pass
    read = [whole(value) for value in values]
    known = np.array([number is not None for number in read], bool)
    odd = [row for row, value in enumerate(values) if known[row] and not isinstance(value, int)]
    table.note(key, values, odd, "whole numbers")
    return np.array([0 if number is None else number for number in read], np.int64), known


def flags(table: Table, key: str, values: Sequence[Any]) -> Mask:
    """(N,) booleans; false if there is no value.

    Raises:
        DataError: a value is neither true nor false.
    """
    if set(map(type, values)) <= {int, bool} and set(values) <= {0, 1}:
        return np.array(values, bool)
    read = [False if value is None else flag(value) for value in values]
    bad = [row for row, value in enumerate(read) if value is None]
    if bad:
        what, came = f"have an '{key}' that is neither 0 nor 1", f"{key} {shown(values[bad[0]])}"
        table.refuse(bad, key, what, came, "write 0 or 1, or leave it out")
    texts = [row for row, value in enumerate(values) if isinstance(value, str) and read[row] is not None]
    table.note(key, values, texts, "no and yes")
    return np.array([bool(value) for value in read], bool)


def numbers(table: Table, key: str, values: Sequence[Any], most: float, what: str, fix: str) -> NDArray[np.float64]:
    """(N,) numbers from 0 to ``most``, NaN where there is none.

    Args:
        table: of the objects.
        key: of the values.
        values: of each object.
        most: largest valid number.
        what: message for an invalid value.
        fix: what to do about it.

    Raises:
        DataError: a value is not such a number.
    """
    if set(map(type, values)) == {float}:
        array, given = np.array(values, np.float64), np.ones(len(values), bool)
    else:
        read = [None if value is None else decimal(value) for value in values]
        texts = [row for row, value in enumerate(values) if isinstance(value, str) and read[row] is not None]
        table.note(key, values, texts, "numbers")
        array = np.array([np.nan if number is None else number for number in read], np.float64)
        given = np.array([value is not None for value in values], bool)
    bad = np.flatnonzero(given & ~((array >= 0) & (array <= most)))
    if len(bad):
        table.refuse(bad.tolist(), key, what, f"{key} {shown(values[bad[0]])}", fix)
        array[bad] = np.nan
    return array


@dataclass(frozen=True, eq=False)
class Rows:
    """Lists of numbers, one for each object.

    Args:
        values: (N, width) float64; zeros where there is no list, or none of the right kind.
        given: (N,) whether there is a list.
        shapes: position to what came, where it is no list of ``width`` values.
        others: position to what came, where a value in it is no number.
        nested: positions where the list holds lists.
    """

    values: NDArray[np.float64]
    given: Mask
    shapes: dict[int, str]
    others: dict[int, str]
    nested: list[int]


def number_rows(key: str, values: Sequence[Any], width: int, group: int = 0) -> Rows:
    """Lists of numbers as one array; empty lists and null count as none.

    Args:
        key: of the lists, for what came.
        values: of each object, JSON text or already a list.
        width: numbers that a list should have.
        group: lists of so many numbers each, together ``width``, are understood as well; 0: they are not.
    """
    rows = Rows(np.zeros((len(values), width)), np.zeros(len(values), bool), {}, {}, [])
    for start in range(0, len(values), CHUNK):
        chunk = values[start : start + CHUNK]
        if not _all_alike(rows, start, chunk, width):
            for row, value in enumerate(chunk, start):
                numbers_ = _careful(rows, row, key, value, width, group)
                if numbers_ is not None:
                    rows.values[row] = numbers_
    return rows


def _all_alike(rows: Rows, start: int, chunk: Sequence[Any], width: int) -> bool:
    """Read lists of which each has so many numbers or is missing; whether they are."""
    if set(map(type, chunk)) != {msgspec.Raw}:
        return False
    try:
        found = list(map(_NUMBERS.decode, chunk))
        given = np.fromiter(map(bool, found), bool, len(found))
        full = found if given.all() else list(filter(None, found))
        if set(map(len, full)) <= {width}:
            flat = np.fromiter(chain.from_iterable(full), np.float64, width * len(full))
            rows.values[start + np.flatnonzero(given)] = flat.reshape(-1, width)
            rows.given[start : start + len(found)] = given
            return True
    except (msgspec.DecodeError, ValueError, OverflowError):
        pass
    return False


def plain_value(value: Any) -> Any:
    """A value that may still be JSON text; ``UNSET`` where Python cannot read it."""
    if not isinstance(value, msgspec.Raw):
        return value
    try:
        return json.loads(bytes(value))
    except (ValueError, RecursionError):
        return msgspec.UNSET


def _careful(rows: Rows, row: int, key: str, value: Any, width: int, group: int) -> list[float] | None:
    """One list, with what is wrong in it noted in ``rows``."""
    value = plain_value(value)
    if value is None or value == []:
        return None
    rows.given[row] = True
    if not isinstance(value, list):
        rows.shapes[row] = f"{key} of type {type(value).__name__}"
        return None
    if group and len(value) * group == width and all(isinstance(v, list) and len(v) == group for v in value):
        rows.nested.append(row)
        value = [inner for part in value for inner in part]
    odd = next((i for i, v in enumerate(value) if not is_number(v)), None)
    if odd is not None:
        if len(value) == width:
            rows.others[row] = f"{key}[{odd}] = {shown(value[odd])}"
        else:
            rows.shapes[row] = f"{len(value)} values, {key}[{odd}] = {shown(value[odd])}"
        return None
    if len(value) != width:
        rows.shapes[row] = f"{len(value)} numbers"
        return None
    return [np.inf if number is None else number for number in map(decimal, value)]
