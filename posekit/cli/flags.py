"""Names of the options of a command, from its dataclass."""

from __future__ import annotations

import dataclasses
import typing

import tyro


def flags(options: type, prefix: str = "") -> list[str]:
    """Flags of a dataclass of options and of those nested in it, such as ``--data.train``.

    Args:
        options: the dataclass that `tyro` parses; positional arguments are left out.
        prefix: name of the field that holds it, with a dot.
    """
    hints = typing.get_type_hints(options, include_extras=True)
    found: list[str] = []
    for field in dataclasses.fields(options):
        hint = hints[field.name]
        marks = getattr(hint, "__metadata__", ())
        kind = typing.get_args(hint)[0] if marks else hint
        if tyro.conf.Positional in marks or tyro.conf.Suppress in marks:
            continue
        names = [mark.name for mark in marks if getattr(mark, "name", None) is not None]
        name = f"{prefix}{names[0] if names else field.name}".replace("_", "-")
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            found += flags(kind, f"{name}." if name else "")
            continue
        found.append(f"--{name}")
        if kind is bool and tyro.conf.FlagCreatePairsOff not in marks:
            top, _, last = name.rpartition(".")
            found.append(f"--{top + '.' if top else ''}no-{last}")
    return found
