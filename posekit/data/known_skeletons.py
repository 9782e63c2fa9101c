"""Which known skeleton a data set's points are named after, or may be, where they have numbers for names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS


def known_skeleton(points: Sequence[str]) -> Skeleton | None:
    """The known skeleton with just these names, in this order before any other; ``None`` where there is none.

    >>> known_skeleton(["right_mouth", "left_mouth", "nose", "right_eye", "left_eye"]).name
    'face5'
    """
    alike = [skeleton for skeleton in SKELETONS.values() if sorted(skeleton.points) == sorted(points)]
    return next((skeleton for skeleton in alike if skeleton.points == tuple(points)), alike[0] if alike else None)


def proposal(points: Sequence[str], option: str = "--data.skeleton") -> str:
    """A sentence that proposes the known skeletons with as many points, where the points have numbers for names.

    Args:
        points: names of the points.
        option: by which the user says that a skeleton is meant.

    Returns:
        The sentence; empty where names mean something, or no known skeleton has as many points.

    >>> proposal([f"point_{i}" for i in range(5)])[:62]
    '5 points without names: if they are those of face5 (left_eye, '
    """
    alike = [skeleton for skeleton in SKELETONS.values() if len(skeleton.points) == len(points)]
    if not alike or not _numbered(points):
        return ""
    known = " or ".join(f"{s.name} ({', '.join(s.points[:3])}, ...)" for s in alike)
    return (
        f"{len(points)} points without names: if they are those of {known}, in that order, say "
        f"{' or '.join(f'{option} {s.name}' for s in alike)}: names, mirror pairs, bones and sigmas then come with it"
    )


def _numbered(points: Sequence[str]) -> bool:
    """Whether names are numbers, or one word with numbers."""
    stems = {re.sub("[0-9]+", "#", name).lower() for name in points}
    return len(stems) == 1 and "#" in stems.pop()
