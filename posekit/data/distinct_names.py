"""A name of its own for each of many images that are copied into one folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

WORDS = ("images", "labels")
"""Folders whose names mean something to readers: no copy lies in one of its own."""


def distinct_names(paths: Sequence[str]) -> list[PurePath]:
    """Relative names of copies: no two have the same stem in the same folder, in whatever case.

    They are the files' own names where these do, without their endings, all differ; else they lie as the files lie
    below the folder that all have in common. What still agrees is numbered.

    Args:
        paths: of the images; the same path may stand there twice.

    Returns:
        One name for each path, never absolute and never upwards.
    """
    names = [PurePath(Path(path).name) for path in paths]
    if len({_key(name) for name in names}) < len(names):
        names = _below_common(paths)
    taken: set[str] = set()
    own = {_key(name) for name in names}
    apart = []
    for name in names:
        chosen, number = name, 1
        while _key(chosen) in taken or (number > 1 and _key(chosen) in own):
            number += 1
            chosen = name.with_name(f"{name.stem}_{number}{name.suffix}")
        taken.add(_key(chosen))
        apart.append(chosen)
    return apart


def _key(name: PurePath) -> str:
    """What two copies must not share: labels go by the stem, and some file systems do not tell cases apart."""
    return str(name.with_suffix("")).lower()


def _below_common(paths: Sequence[str]) -> list[PurePath]:
    full = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 (links stay, .. goes)
    common = os.path.commonpath([path.parent for path in full])
    inner = [path.relative_to(common) for path in full]
    return [
        PurePath(*(_plain(part) for part in path.parts[:-1] if part.lower() not in WORDS), path.name) for path in inner
    ]


def _plain(part: str) -> str:
    """A folder's name that any file system takes: that of a pack has a colon."""
    return part.replace(":", "_")
