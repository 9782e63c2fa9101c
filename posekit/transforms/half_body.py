"""The box around the upper or the lower half of an instance, for crops that show only that.

Source: MSPN, arXiv:1901.00148; HRNet, arXiv:1902.09212.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Keypoints
from posekit.geometry.skeleton import Skeleton

ENOUGH = 3
"""Labelled points that a half must have to be shown alone."""

GROWTH = 1.5
"""Context around the half's box, as a factor; takes the place of the crop's padding."""

_LOWER = ("hip", "pelvis", "thigh", "knee", "shin", "leg", "ankle", "foot", "heel", "toe", "hoof", "tail", "paw")


def lower_points(skeleton: Skeleton) -> NDArray[np.bool_] | None:
    """(K,) bool: the points whose names say that they belong to the lower half; ``None`` where no or all names do.

    >>> lower_points(Skeleton(name="tiny", points=("head", "left_knee")))
    array([False,  True])
    """
    lower = np.array([any(word in name.lower() for word in _LOWER) for name in skeleton.points])
    return None if lower.all() or not lower.any() else lower


def half_body_box(
    keypoints: Keypoints, skeleton: Skeleton, size: tuple[int, int], *, upper: bool
) -> NDArray[np.floating] | None:
    """The box around one half of instance 0, centred on the mean of that half's labelled points.

    The mean can lie far from the middle of the range, so points of the half itself may leave the crop.

    Args:
        keypoints: (N, K) of the sample.
        skeleton: its names tell the halves apart; where they do not, the median height of the labelled points does.
        size: (height, width) of the crop; the box gets its aspect.
        upper: the half to try first; the other one is taken where this has fewer than `ENOUGH` labelled points.

    Returns:
        (4,) x0 y0 x1 y1, image pixels, as large as the range of the points. ``None`` where half of all points or
        fewer are labelled (the references want more than 8 of 17), neither half has enough, or its points coincide.
    """
    labelled, xy = np.asarray(keypoints.labelled[0]), keypoints.xy[0]
    if int(labelled.sum()) <= len(labelled) // 2:
        return None
    lower = lower_points(skeleton)
    if lower is None:
        lower = xy[:, 1] > np.median(xy[labelled, 1])
    first = labelled & (lower != upper)
    half = first if int(first.sum()) >= ENOUGH else labelled & ~first
    if int(half.sum()) < ENOUGH:
        return None
    points = xy[half].astype(np.float64)
    height, width = size
    span = np.ptp(points, axis=0)
    extent = max(span[0] / width, span[1] / height)
    if extent <= 0:
        return None
    reach = np.array([width, height]) * extent / 2
    return np.concatenate([points.mean(0) - reach, points.mean(0) + reach])
