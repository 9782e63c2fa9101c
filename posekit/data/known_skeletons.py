"""Recognise known skeletons by the names or the number of a data set's points."""

from __future__ import annotations

import re
from collections.abc import Sequence

from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS


def known_skeleton(points: Sequence[str]) -> Skeleton | None:
    """The known skeleton with exactly these names, in the same order if possible; ``None`` if there is none.

    >>> known_skeleton(["right_mouth", "left_mouth", "nose", "right_eye", "left_eye"]).name
    'face5'
    """
    alike = [skeleton for skeleton in SKELETONS.values() if sorted(skeleton.points) == sorted(points)]
    return next((skeleton for skeleton in alike if skeleton.points == tuple(points)), alike[0] if alike else None)


def known_name(skeleton: Skeleton) -> str | None:
    """Name of the known skeleton that it is: the same name, and the same points in the same order; ``None`` if none."""
    known = SKELETONS.get(skeleton.name)
    return skeleton.name if known is not None and known.points == skeleton.points else None


def proposal(points: Sequence[str], option: str = "--data.skeleton") -> str:
    """A message that proposes known skeletons with the same number of points, if the points have no real names.

    Args:
        points: names of the points.
        option: command-line option that chooses a skeleton.

    Returns:
        The message; empty if the points have names, or no known skeleton has this number of points.

    >>> proposal([f"point_{i}" for i in range(5)])[:62]
    '5 points without names: if they are those of face5 (left_eye, '
    """
    alike = [skeleton for skeleton in SKELETONS.values() if len(skeleton.points) == len(points)]
    if not alike or not _numbered(points):
        return ""
    known = " or ".join(f"{s.name} ({', '.join(s.points[:3])}, ...)" for s in alike)
    return (
        f"{len(points)} points without names: if they are those of {known}, in that order, say "
        f"{' or '.join(f'{option} {s.name}' for s in alike)}: this sets names, mirror pairs, bones and sigmas"
    )


def _numbered(points: Sequence[str]) -> bool:
    """Whether names are numbers, or one word with numbers."""
    stems = {re.sub("[0-9]+", "#", name).lower() for name in points}
    return len(stems) == 1 and "#" in stems.pop()
