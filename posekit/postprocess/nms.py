"""Non-maximum suppression (NMS) of poses by OKS and of boxes by IoU, hard or soft.

The instance with the highest score is kept, and similar ones are dropped (hard) or their scores lowered (soft); then
the best of the rest, and so on. Of equal scores the first given comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posekit.geometry.boxes import area as area_of
from posekit.geometry.boxes import around, extent, iou
from posekit.geometry.keypoints import Poses
from posekit.metrics.similarity import oks

Array = NDArray[Any]
Float = NDArray[np.floating]
Index = NDArray[np.intp]
Bool = NDArray[np.bool_]
Alike = Callable[[Index, Index], Float]
"""Similarity of instances with indices (n,) to instances with indices (m,): (n, m) in [0, 1]."""

BLOCK = 64
"""Number of instances compared with all others of their category at once; limits the memory."""


def oks_nms(
    poses: Poses,
    sigmas: Sequence[float] | Float,
    *,
    threshold: float = 0.9,
    area: ArrayLike | None = None,
    point_threshold: float | None = None,
    per_category: bool = True,
) -> Poses:
    """Drop duplicates of a pose with a higher score.

    Args:
        poses: (N, K) of one image.
        sigmas: (K,) as in OKS.
        threshold: of two poses with an OKS above it the one with the lower score is dropped; 1 keeps all.
        area: (N,) square pixels, raised to at least 1; ``None``: the area of ``poses.boxes``, or without them of the
            boxes around the points.
        point_threshold: compare two poses over the points whose score exceeds this in both; without such a point their
            OKS is 0. ``None`` compares over all points.
        per_category: poses of two categories never drop each other.

    Returns:
        The poses kept, the highest instance score first; NumPy arrays, otherwise unchanged.

    Raises:
        ValueError: the poses are not those of one image, a score is NaN, or the shapes do not belong together.

    Source: OKS NMS of SimpleBaseline and HRNet, arXiv:1804.06208, arXiv:1902.09212. Differs: with ``point_threshold`` a
    point is compared where both poses have it; HRNet's code considers one of them only. A point that is not finite is
    not compared.
    """
    poses = _of_one_image(poses)
    alike = _by_oks(poses, sigmas, area, point_threshold)
    keep = _hard(poses.instance_score, poses.category if per_category else None, alike, threshold)
    return poses.each(lambda array: array[keep])


def soft_oks_nms(
    poses: Poses,
    sigmas: Sequence[float] | Float,
    *,
    spread: float = 0.9,
    max_instances: int | None = 20,
    score_threshold: float = 0.0,
    area: ArrayLike | None = None,
    point_threshold: float | None = None,
    per_category: bool = True,
) -> Poses:
    """Lower the scores of poses that are similar to a better one, by ``exp(-oks^2 / spread)``.

    Args:
        poses: (N, K) of one image; instance scores are not negative.
        sigmas: (K,) as in OKS.
        spread: the smaller, the more a score falls.
        max_instances: poses at most, ``None`` for all.
        score_threshold: poses whose score falls below it are left out.
        area: as in `oks_nms`.
        point_threshold: as in `oks_nms`.
        per_category: poses of two categories never lower each other.

    Returns:
        Poses with the lowered instance scores, the highest first; NumPy arrays.

    Raises:
        ValueError: as `oks_nms`; also a negative score, or a spread that is not positive.

    Source: Bodla et al. 2017, arXiv:1704.04503, with OKS as in HRNet's code. Differs: the lowered scores are returned,
    not only used for the selection.
    """
    poses = _of_one_image(poses)
    alike = _by_oks(poses, sigmas, area, point_threshold)
    category = poses.category if per_category else None
    keep, score = _soft(poses.instance_score, category, alike, spread, max_instances, score_threshold)
    return replace(poses.each(lambda array: array[keep]), instance_score=score)


def box_nms(
    boxes: ArrayLike,
    score: ArrayLike,
    *,
    threshold: float = 0.5,
    over: Literal["union", "smaller"] = "union",
    category: ArrayLike | None = None,
) -> Index:
    """Select boxes, without duplicates of a box with a higher score.

    For poses without boxes, use the boxes around their points (`posekit.geometry.boxes.around`).

    Args:
        boxes: (N, 4) x0 y0 x1 y1, continuous pixels: a box from the first to the second pixel is 2 wide, without "+ 1".
        score: (N,).
        threshold: of two boxes with an overlap above it the one with the lower score is dropped; 1 keeps all.
        over: what the intersection is divided by: the union (IoU), or the area of the smaller box, which also drops a
            small box inside a large one.
        category: (N,); boxes of two categories never drop each other. ``None``: all are of one.

    Returns:
        Indices of the boxes to keep, the highest score first.

    Raises:
        ValueError: a score is NaN, or the shapes do not belong together.

    Source: MTCNN, arXiv:1604.02878, its published code (``over="smaller"``).
    """
    boxes, score, category = _checked_boxes(boxes, score, category)
    return _hard(score, category, _by_overlap(boxes, over), threshold)


def soft_box_nms(
    boxes: ArrayLike,
    score: ArrayLike,
    *,
    spread: float = 0.5,
    max_instances: int | None = None,
    score_threshold: float = 0.001,
    over: Literal["union", "smaller"] = "union",
    category: ArrayLike | None = None,
) -> tuple[Index, Float]:
    """Lower the scores of boxes that overlap a better one, by ``exp(-overlap^2 / spread)``.

    Args:
        boxes: (N, 4) as in `box_nms`.
        score: (N,) not negative.
        spread: the smaller, the more a score falls.
        max_instances: boxes at most, ``None`` for all.
        score_threshold: boxes whose score falls below it are left out.
        over: as in `box_nms`.
        category: (N,); boxes of two categories never lower each other.

    Returns:
        Indices of the boxes kept, (M,), and their lowered scores, (M,), the highest first.

    Raises:
        ValueError: as `box_nms`; also a negative score, or a spread that is not positive.

    Source: Bodla et al. 2017, arXiv:1704.04503, the Gaussian form.
    """
    boxes, score, category = _checked_boxes(boxes, score, category)
    return _soft(score, category, _by_overlap(boxes, over), spread, max_instances, score_threshold)


def _hard(score: Array, category: Array | None, alike: Alike, threshold: float) -> Index:
    """Hard NMS, category by category, the best first, a block at a time."""
    ranked = -_numbers(score)
    group = np.zeros(len(ranked), np.intp) if category is None else np.unique(category, return_inverse=True)[1]
    order = np.lexsort((ranked, group))
    group = group[order]
    stays = np.ones(len(order), bool)
    for start in range(0, len(order), BLOCK):
        stop = min(start + BLOCK, len(order))
        end = int(np.searchsorted(group, group[stop - 1], side="right"))
        hides = alike(order[start:stop], order[start:end]) > threshold
        hides &= group[start:stop, None] == group[start:end]
        stays[start:stop] = _settled(stays[start:stop], np.triu(hides[:, : stop - start], 1))
        stays[stop:end] &= ~hides[stays[start:stop], stop - start :].any(0)
    kept: Index = np.sort(order[stays])
    return kept[np.argsort(ranked[kept], kind="stable")]


def _settled(stays: Bool, hides: Bool) -> Bool:
    """Which instances of a block (n,), sorted by score, are kept: those not suppressed (n, n) by one that is kept.

    Each round decides at least the best undecided instance, and most blocks need few rounds; the result equals that of
    the sequential algorithm.
    """
    before, now = np.zeros_like(stays), stays
    while not np.array_equal(before, now):
        before, now = now, stays & ~hides[now].any(0)
    return now


def _soft(
    score: Array, category: Array | None, alike: Alike, spread: float, max_instances: int | None, score_threshold: float
) -> tuple[Index, Float]:
    lowered = _numbers(score)
    if not spread > 0:
        raise ValueError(f"spread should be positive, got {spread}")
    if (lowered < 0).any():
        raise ValueError(f"soft NMS needs scores that are not negative, got {lowered.min():g}; give scores in [0, 1]")
    kept: list[int] = []
    left: Index = np.flatnonzero(lowered >= score_threshold)
    while left.size and (max_instances is None or len(kept) < max_instances):
        # `left` keeps the order given, so the first of equal scores is taken.
        at = int(lowered[left].argmax())
        best, left = int(left[at]), np.delete(left, at)
        kept.append(best)
        fall = np.exp(-(alike(np.array([best]), left)[0] ** 2) / spread)
        same = True if category is None else category[left] == category[best]
        lowered[left] *= np.where(same, fall, 1.0)
        left = left[lowered[left] >= score_threshold]
    keep = np.asarray(kept, dtype=np.intp)
    return keep, lowered[keep].astype(np.result_type(score, np.float32))


def _by_overlap(boxes: Float, over: Literal["union", "smaller"]) -> Alike:
    def over_union(some: Index, others: Index) -> Float:
        return iou(boxes[some], boxes[others])

    def over_smaller(some: Index, others: Index) -> Float:
        one, many = boxes[some][:, None], boxes[others]
        low, high = np.maximum(one[..., :2], many[:, :2]), np.minimum(one[..., 2:], many[:, 2:])
        inner = extent(np.concatenate([low, high], axis=-1)).prod(-1)
        smaller = np.minimum(area_of(one), area_of(many))
        return np.asarray(np.where(smaller > 0, inner / np.maximum(smaller, 1e-12), 0.0))

    modes: dict[str, Alike] = {"union": over_union, "smaller": over_smaller}
    if over not in modes:
        raise ValueError(f"overlap is measured over {' or '.join(modes)}, got {over!r}")
    return modes[over]


def _by_oks(
    poses: Poses, sigmas: Sequence[float] | Float, area: ArrayLike | None, point_threshold: float | None
) -> Alike:
    finite = np.isfinite(poses.xy).all(-1)
    known = finite if point_threshold is None else finite & (poses.score > point_threshold)
    xy = np.where(finite[..., None], poses.xy, 0.0).astype(np.float64)
    if area is None:
        area = area_of(around(xy, finite) if poses.boxes is None else poses.boxes)
    size = np.maximum(np.asarray(area, dtype=np.float64), 1.0)
    if size.shape != xy.shape[:1]:
        raise ValueError(f"{len(xy)} poses need one area each, ({len(xy)},); got {size.shape}")

    def alike(some: Index, others: Index) -> Float:
        one, other = np.repeat(some, len(others)), np.tile(others, len(some))
        found = oks(xy[other], xy[one], known[other] & known[one], (size[other] + size[one]) / 2, sigmas)
        # Poses without a common point have similarity 0.
        return np.nan_to_num(found, nan=0.0).reshape(len(some), len(others))

    return alike


def _numbers(score: Array) -> Float:
    values = np.array(score, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError(f"scores should be numbers, got NaN at {np.flatnonzero(np.isnan(values)).tolist()}")
    return values


def _of_one_image(poses: Poses) -> Poses:
    poses = poses.each(np.asarray)
    N = len(poses) if poses.xy.ndim == 3 else -1
    shapes = {"xy": poses.xy.shape, "score": poses.score.shape, "instance_score": poses.instance_score.shape}
    if poses.xy.shape[-1:] != (2,) or shapes["score"] != poses.xy.shape[:-1] or shapes["instance_score"] != (N,):
        raise ValueError(
            f"poses are suppressed image by image: xy (N, K, 2), score (N, K) and instance_score (N,), got {shapes}; "
            "take one image of the batch"
        )
    return poses


def _checked_boxes(boxes: ArrayLike, score: ArrayLike, category: ArrayLike | None) -> tuple[Float, Array, Array | None]:
    boxes, score = np.asarray(boxes, dtype=np.float64), np.asarray(score)
    category = None if category is None else np.asarray(category)
    shapes = {"boxes": boxes.shape, "score": score.shape} | ({} if category is None else {"category": category.shape})
    N = len(boxes) if boxes.ndim else 0
    if shapes.pop("boxes") != (N, 4) or any(shape != (N,) for shape in shapes.values()):
        raise ValueError(
            f"boxes are suppressed image by image: boxes (N, 4), the others (N,); got {boxes.shape} and {shapes}"
        )
    return boxes, score, category
