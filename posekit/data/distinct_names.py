"""Unique names for images that are copied into one folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

WORDS = ("images", "labels")
"""Names of folders that readers look for; no copy gets a folder of such a name."""


def distinct_names(paths: Sequence[str]) -> list[PurePath]:
    """Relative names of copies: no two have the same stem in the same folder, ignoring case.

    The names of the files are kept if their stems all differ; else the copies keep the folders below the common parent
    of the files. Names that are still equal are numbered.

    Args:
        paths: of the images; a path may occur twice.

    Returns:
        One relative name for each path, without "..".
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
    """Key that two copies must not share: labels use the stem, and some file systems ignore case."""
    return str(name.with_suffix("")).lower()


def _below_common(paths: Sequence[str]) -> list[PurePath]:
    full = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 (links stay, .. goes)
    common = os.path.commonpath([path.parent for path in full])
    inner = [path.relative_to(common) for path in full]
    return [
        PurePath(*(_plain(part) for part in path.parts[:-1] if part.lower() not in WORDS), path.name) for path in inner
    ]


def _plain(part: str) -> str:
    """A name of a folder that is valid on any file system; that of a pack has a colon."""
    return part.replace(":", "_")
