"""Which known skeleton a data set's points are named after."""

from __future__ import annotations

from collections.abc import Sequence

from posekit.geometry.skeleton import Skeleton
from posekit.skeletons import SKELETONS


def namesake(points: Sequence[str]) -> Skeleton | None:
    """The known skeleton with just these names, in this order before any other; ``None`` where there is none.

    >>> namesake(["right_mouth", "left_mouth", "nose", "right_eye", "left_eye"]).name
    'face5'
    """
    alike = [skeleton for skeleton in SKELETONS.values() if sorted(skeleton.points) == sorted(points)]
    return next((skeleton for skeleton in alike if skeleton.points == tuple(points)), alike[0] if alike else None)
