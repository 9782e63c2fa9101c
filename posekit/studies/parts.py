"""The parts of a long study: each is told when it is finished and kept, so that an interrupted study can go on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np

from posekit.words import plural

P = ParamSpec("P")
LONG = 5.0
"""Seconds from which a part is told."""
_CURRENT: ContextVar[Parts | None] = ContextVar("parts", default=None)


class Parts:
    """Finished parts in a file of JSON lines, whose first line says of which run they are.

    Args:
        file: read if it is of the same run, else written anew, and what it held is moved to ``FILE.old``. A damaged
            line and all behind it are dropped: the part that was being written when the process ended.
        of: what the parts depend on, such as study, form, seed and commit.
        say: prints a line.
    """

    def __init__(self, file: Path, of: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.file, self.say = file, say
        self.found: dict[str, Any] = {}
        first = json.dumps(of, sort_keys=True)
        lines = file.read_text(encoding="utf-8", errors="replace").split("\n") if file.is_file() else []
        if lines and lines[0] == first:
            self.found = _whole(lines[1:])
            say(f"{file}: {plural(len(self.found), 'part')} finished before")
        elif len(lines) > 2:
            other = file.with_name(f"{file.name}.old")
            file.replace(other)
            say(f"{file} holds parts of another run and is now {other.name}: {lines[0]:.200}; this run: {first}")
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = "".join(json.dumps([name, value]) + "\n" for name, value in self.found.items())
        beside = file.with_name(f"{file.name}.tmp")
        beside.write_text(f"{first}\n{kept}", encoding="utf-8")
        beside.replace(file)

    def get(self, name: str, compute: Callable[[], Any]) -> Any:
        """A part as JSON holds it: from the file, or computed and added to the file."""
        if name not in self.found:
            start = time.monotonic()
            value = as_json(compute())
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([name, value]) + "\n")
            self.found[name] = value
            if (seconds := time.monotonic() - start) >= LONG:
                self.say(f"{name}, {seconds:.0f} s")
        return self.found[name]


@contextmanager
def parts_in(file: Path, of: Mapping[str, Any], say: Callable[[str], None]) -> Iterator[None]:
    """Keep what functions marked with `part` return; the file is removed at the end, and stays after an error."""
    parts = Parts(file, of, say)
    token = _CURRENT.set(parts)
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted; {plural(len(parts.found), 'part')} in {file}: the same command goes on from there")
        raise
    finally:
        _CURRENT.reset(token)
    # Another process with the same command may have finished first.
    file.unlink(missing_ok=True)


def part(function: Callable[P, Any]) -> Callable[P, Any]:
    """Mark a function whose results are kept while a study runs; they come as JSON holds them, arrays as lists.

    Arguments that are text, numbers, or tuples of these name the part; others must follow from these and the seed.
    """

    @wraps(function)
    def call(*args: P.args, **named: P.kwargs) -> Any:
        parts = _CURRENT.get()
        if parts is None:
            return as_json(function(*args, **named))
        given = signature(function).bind(*args, **named).arguments
        words = [f"{name} {_word(value)}" for name, value in given.items() if _is_simple(value)]
        return parts.get(f"{function.__name__}: {', '.join(words)}", lambda: function(*args, **named))

    return call


def _whole(lines: Sequence[str]) -> dict[str, Any]:
    """The parts of the lines before the first that is damaged or cut off."""
    found: dict[str, Any] = {}
    # What follows the last line break was cut off.
    for line in lines[:-1]:
        try:
            name, value = json.loads(line)
        except (ValueError, TypeError):
            break
        if not isinstance(name, str):
            break
        found[name] = value
    return found


def as_json(value: Any) -> Any:
    """The value after a round trip through JSON; arrays become lists."""
    return json.loads(json.dumps(value, default=_listed))


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"a part of a study holds a {type(value).__name__}, which JSON cannot hold")


def _is_simple(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_is_simple(one) for one in value)
    return value is None or isinstance(value, str | int | float)


def _word(value: Any) -> str:
    return "x".join(map(_word, value)) if isinstance(value, tuple) else str(value)
