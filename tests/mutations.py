"""Documents and bytes, changed at random in the ways that files go wrong; the same seed makes the same file."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

DIGITS = "@@5000 digits@@"
"""Stands for a number that Python's own writer refuses; put in when a document becomes text."""

ENDLESS = "@@1e400@@"

ODD: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 1.0, 1.5, -0.0, 255, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**30, 10**400),
    *(1e-300, 1e7, 1e16, 1e308, -1e308, math.nan, math.inf, -math.inf, DIGITS, ENDLESS),
    *("", " ", "0", "1", "7", "7.0", "007", " 7 ", "-1", "1e5", "1e999", "nan", "inf", "true", "None", "left", "7.jpg"),
    *(
        "\0",
        "a\nb",
        "\ud800",
        "é",
        "日本",
        "🙂",
        "../../x",
        "/etc/hosts",
        "C:\\x\\7.jpg",
        "a" * 300,
        "b" * 5000,
        "x/" * 200,
    ),
    *(
        None,
        True,
        False,
        [],
        {},
        [[]],
        [None],
        [1],
        [1, 2, 3],
        [1, 2, 3, 4],
        ["a"],
        [[1, 2], [2, 3]],
        {"a": 1},
        {"id": 1},
    ),
    *([0] * 9, [0.5] * 9, [1, 2, 2] * 3, [[1, 2, 2]] * 3, list(range(100))),
)
"""What people, spreadsheets and other tools put where something else belongs."""

KEYS = ("id", "image_id", "keypoints", "bbox", "names", "", "\0", "kind", "x" * 300, "é", "0", "train", "path")


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def locations(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything inside a document, itself included."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in inner for place in locations(value, (*path, key)))]


def at(document: Any, path: Sequence[Any]) -> Any:
    for key in path:
        document = document[key]
    return document


def changed(document: Any, draw: random.Random, times: int = 0) -> Any:
    """A copy with one to three things changed, dropped, doubled, renamed or moved."""
    document = copy.deepcopy(document)
    for _ in range(times or draw.choice((1, 1, 1, 2, 3))):
        path = draw.choice(locations(document))
        if not path:
            if draw.random() < 0.05:
                document = copy.deepcopy(draw.choice(ODD))
            continue
        _change(at(document, path[:-1]), path[-1], draw, document)
    return document


def _change(parent: Any, key: Any, draw: random.Random, document: Any) -> None:
    kind = draw.randrange(12)
    value = parent[key]
    if kind < 5:
        parent[key] = copy.deepcopy(draw.choice(ODD))
    elif kind == 5:
        del parent[key]
    elif kind == 6 and isinstance(parent, list):
        parent.insert(draw.randrange(len(parent) + 1), copy.deepcopy(value))
    elif kind == 6:
        parent[draw.choice(KEYS)] = parent.pop(key)
    elif kind == 7:
        parent[key] = draw.choice((str(value)[:200], [value], {"value": value}, [value, value], deep(40)))
    elif kind == 8 and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        parent[key] = draw.choice((-value, float(value), value + 0.5, value * 10 ** draw.randrange(20), str(value)))
    elif kind == 9:
        parent[key] = copy.deepcopy(at(document, draw.choice(locations(document))))
    elif kind == 10 and isinstance(value, list) and value:
        parent[key] = value[: draw.randrange(len(value))]
    else:
        parent[key] = copy.deepcopy(draw.choice(ODD))


def as_json(document: Any) -> bytes:
    """A document as JSON, with what Python's writer refuses."""
    text = json.dumps(document, ensure_ascii=True)
    return text.replace(f'"{DIGITS}"', "9" * 5000).replace(f'"{ENDLESS}"', "1e400").encode()


def damaged(content: bytes, draw: random.Random, also: Sequence[bytes] = ()) -> bytes:
    """Bytes with one to three cuts, flips, insertions or repetitions, or in another encoding."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        content = _damage(content, draw, also)
    return content


def _damage(content: bytes, draw: random.Random, also: Sequence[bytes]) -> bytes:
    spot = draw.randrange(len(content) + 1)
    end = min(len(content), spot + draw.choice((1, 1, 2, 8, 64)))
    noise = bytes(draw.randrange(256) for _ in range(draw.choice((1, 2, 5))))
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: content[:spot],
        lambda: content[:spot] + noise + content[end:],
        lambda: content[:spot] + noise + content[spot:],
        lambda: content[:spot] + content[end:],
        lambda: content[:end] + content[spot:],
        lambda: content[:spot] + draw.choice((*also, *TOKENS)) + content[spot:],
        lambda: content[:spot] + draw.choice((*also, *TOKENS)) + content[end:],
        lambda: content.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-8-sig", "utf-32-be")), "replace"),
    )
    return draw.choices(ways, weights=(2, 3, 2, 3, 2, 4, 4, 0.3))[0]()


TOKENS = (
    *(
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"null",
        b"true",
        b'""',
        b"[]",
        b"{}",
        b"[[",
        b"]",
        b",",
        b'"',
        b"-",
        b"e",
        b"\\",
    ),
    *(
        b"9" * 400,
        b"[" * 3000,
        b"0",
        b"1.",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r\n",
        b"\t",
        b'"id": 7, ',
        b"\\ud800",
    ),
)
"""Pieces that end up in files."""
