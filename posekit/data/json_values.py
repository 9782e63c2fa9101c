"""Interpret values of JSON or YAML that people, spreadsheets and tools wrote in unusual ways."""

from __future__ import annotations

import math
import re
from numbers import Real
from typing import Any

from posekit.data.errors import shown

EXACT = 2**53
"""Above this, floats do not represent every whole number."""

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,19}\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*", re.ASCII)
_FLAGS = {"0": False, "1": True, "false": False, "true": True}


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def whole(value: Any) -> int | None:
    """The 64-bit whole number that a value means; ``None`` if it means none.

    >>> whole(7), whole(7.0), whole("007"), whole(7.5), whole("seven"), whole(True), whole(2**63)
    (7, 7, 7, None, None, None, None)
    """
    if isinstance(value, str):
        value = int(value) if _WHOLE.fullmatch(value) else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) <= EXACT else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(2**63) <= value < 2**63 else None


def decimal(value: Any) -> float | None:
    """The number that a value means, possibly infinite or NaN; ``None`` if it means none.

    >>> decimal(3), decimal("2.5"), decimal("large"), decimal(False), decimal(10**400)
    (3.0, 2.5, None, None, inf)
    """
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value) else None
    if not is_number(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def flag(value: Any) -> bool | None:
    """The boolean that a value means; ``None`` if it means none.

    >>> flag(1), flag(0.0), flag("0"), flag("true"), flag(2), flag("maybe")
    (True, False, False, True, None, None)
    """
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    return None


def is_text(value: Any) -> bool:
    """Whether a value is text that can be encoded: JSON may have unpaired surrogates.

    >>> is_text("é"), is_text(chr(0xD800)), is_text(7)
    (True, False, False)
    """
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value))


def kind(value: Any) -> str:
    """A value with its type, for a message.

    >>> kind("7"), kind(7.5), kind(None), kind([1]), kind({}), kind(True)
    ("text '7'", 'the number 7.5', 'nothing', 'the list [1]', 'the object {}', 'true')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    names = ((str, "text"), (Real, "the number"), (list, "the list"), (dict, "the object"))
    return f"{next((n for t, n in names if isinstance(value, t)), type(value).__name__)} {shown(value)}"
