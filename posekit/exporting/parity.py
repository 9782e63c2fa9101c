"""The check of an exported file: the same images through both engines, and what may differ. NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posekit.engines.spec import Engine
from posekit.geometry.keypoints import Poses

BATCHES = (1, 7)
"""Sizes of the batches that are compared."""


SAME = 0.05
"""Largest difference of the scores of instances that are compared as the same."""


PLATEAU = 0.05
"""Share of the instances of an image without content that may be others, since rounding decides between its cells."""


@dataclass(frozen=True)
class Bound:
    """What an export may change.

    Args:
        points: pixels of the network input.
        score: of points and instances.
        share: of points, scores and ranks that must be within the bounds. The rest may differ by more,
            since rounding decides which of two nearly equal cells is the higher.
    """

    points: float
    score: float
    share: float


BOUNDS = {"fp32": Bound(0.01, 1e-3, 0.998), "fp16": Bound(0.1, 0.02, 0.99)}
"""By precision of the file. INT8 is measured by its accuracy instead."""


@dataclass(frozen=True)
class Parity:
    """Differences between an exported model and the original.

    Args:
        images: compared.
        instances: found by both.
        points_px: largest difference of a point, in pixels of the network input.
        points_px_99: the 99th percentile of these differences.
        points_within: share of the points within the bound.
        score: largest difference of a point's score.
        score_within: share of the scores within the bound.
        faults: in words; empty if the check is passed.
    """

    images: int
    instances: int
    points_px: float
    points_px_99: float
    points_within: float
    score: float
    score_within: float
    faults: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> bool:
        """Whether nothing differs by more than the bound."""
        return not self.faults


@dataclass
class _Differences:
    """What was found in the images so far."""

    points: list[NDArray[np.float64]] = field(default_factory=list)
    scores: list[NDArray[np.float64]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    instances: int = 0
    misplaced: int = 0


def compare(
    reference: Engine, exported: Engine, images: NDArray[np.uint8], bound: Bound, plateaus: NDArray[np.uint8]
) -> Parity:
    """Compare an exported model with the original, at the batch sizes of `BATCHES`.

    First the number and order of the instances, then points, then scores. Instances are matched by their points; of
    equal scores the order must be the same.

    Args:
        reference: the original model.
        exported: of the same spec.
        images: (N, H, W, 3) uint8, RGB, of the model's size.
        bound: what may differ.
        plateaus: (M, H, W, 3) images without content, in which many cells have equal values: all instances of these are
            compared, whatever their score.
    """
    threshold = 0.0 if reference.spec.needs_boxes else reference.spec.nms.score_threshold
    seen = _Differences()
    for some, lowest, name, spare in ((images, threshold, "image", 0.0), (plateaus, 0.0, "plateau", PLATEAU)):
        if not len(some):
            continue
        expected = _run(reference, some, 1)
        for size in BATCHES:
            found = _run(exported, some, size)
            for number, (one, other) in enumerate(zip(expected, found, strict=True)):
                _compare_one(one, other, lowest, bound, f"{name} {number}, batch of {size}", seen, spare)
    return _summary(len(images) + len(plateaus), seen, bound, len(BATCHES))


def compare_found(expected: Sequence[Poses], found: Sequence[Poses], bound: Bound) -> Parity:
    """As `compare`, for poses that two whole predictors found in the same images, such as cascades.

    Args:
        expected: (N, K) of each image, by the original.
        found: by the exported model.
        bound: what may differ.
    """
    seen = _Differences()
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        _compare_one(one, other, 0.0, bound, f"image {number}", seen)
    return _summary(len(expected), seen, bound, 1)


def _run(engine: Engine, images: NDArray[np.uint8], size: int) -> Poses:
    """Poses (N, ...) of all images, in batches of a size."""
    return Poses.concatenate([engine(images[start : start + size]) for start in range(0, len(images), size)])


def _compare_one(
    one: Poses,
    other: Poses,
    threshold: float,
    bound: Bound,
    where: str,
    seen: _Differences,
    spare: float = 0.0,
) -> None:
    """The poses of one image, of whose instances a share may be others."""
    if one.xy.shape[1:] != other.xy.shape[1:]:
        seen.faults.append(f"{where}: points {other.xy.shape[1:]}, expected {one.xy.shape[1:]}")
        return
    single = len(one.xy) == len(other.xy) == 1
    pairs = np.zeros((1, 2), dtype=np.int64) if single else matched(one, other, threshold)
    if not single and (sentence := _unmatched(one, other, pairs, threshold, bound.score, spare)):
        seen.faults.append(f"{where}: {sentence}")
    mine, theirs = one[pairs[:, 0]], other[pairs[:, 1]]
    seen.instances += len(pairs)
    seen.misplaced += out_of_order(pairs, mine.instance_score, theirs.instance_score, bound.score)
    seen.points.append(np.linalg.norm(mine.xy - theirs.xy, axis=-1).ravel())
    seen.scores += [
        np.abs(mine.score - theirs.score).ravel(),
        np.abs(mine.instance_score - theirs.instance_score).ravel(),
    ]


def matched(one: Poses, other: Poses, threshold: float) -> NDArray[np.int64]:
    """Instances of two models that are the same: the nearest by the median distance of their points.

    Args:
        one: (N, K) of the original, of one image.
        other: (M, K) of the exported model.
        threshold: instances of the original with lower scores are not matched.

    Returns:
        (P, 2) pairs of indices, in the order of the first.
    """
    near = np.abs(one.instance_score[:, None] - other.instance_score[None]) <= SAME
    apart = np.linalg.norm(one.xy[:, None].astype(np.float64) - other.xy[None], axis=-1)
    cost = np.where(near, np.median(np.nan_to_num(apart, nan=1e9), axis=-1), np.inf)
    pairs = []
    for i in np.flatnonzero(one.instance_score >= threshold).tolist():
        j = int(cost[i].argmin()) if len(other.xy) else 0
        if len(other.xy) and np.isfinite(cost[i, j]):
            pairs.append((i, j))
            cost[:, j] = np.inf
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _unmatched(
    one: Poses, other: Poses, pairs: NDArray[np.int64], threshold: float, tolerance: float, spare: float
) -> str:
    """What is wrong with the number of instances; empty if nothing is.

    Those near the threshold may be missing, of a full list those with nearly the lowest score, and a share of all.
    """
    full = len(one.xy) > 1 and float(one.instance_score.min()) >= threshold
    floor = (float(one.instance_score.min()) if full else threshold) + tolerance
    lost = np.delete(one.instance_score, pairs[:, 0]) > floor
    added = np.delete(other.instance_score, pairs[:, 1]) > floor
    count = int((one.instance_score >= threshold).sum())
    if max(lost.sum(), added.sum()) <= spare * count:
        return ""
    return f"{count} instances in the original, of which {lost.sum()} are missing; {added.sum()} are new"


def out_of_order(
    pairs: NDArray[np.int64], mine: NDArray[np.floating], theirs: NDArray[np.floating], tolerance: float
) -> int:
    """How many matched instances come too late in the exported model.

    Args:
        pairs: (P, 2) of `matched`.
        mine: (P,) scores in the original.
        theirs: (P,) scores in the exported model.
        tolerance: scores that differ by no more may change places, unless they are equal in both models.
    """
    order = np.argsort(pairs[:, 1], kind="stable")
    place, score, other = pairs[order, 0], mine[order], theirs[order]
    if not len(order):
        return 0
    late = score > np.minimum.accumulate(score) + tolerance
    equal = (score[1:] == score[:-1]) & (other[1:] == other[:-1])
    return int(late.sum() + (equal & (place[1:] < place[:-1])).sum())


def _summary(images: int, seen: _Differences, bound: Bound, times: int) -> Parity:
    """The differences over all images, each of which was compared a number of times."""
    apart = np.concatenate([np.zeros(0), *seen.points])
    scores = np.concatenate([np.zeros(0), *seen.scores])
    # A comparison with NaN is false, so NaN counts as too far.
    points_within = float((apart <= bound.points).mean()) if apart.size else 1.0
    score_within = float((scores <= bound.score).mean()) if scores.size else 1.0
    largest, score = float(apart.max(initial=0.0)), float(scores.max(initial=0.0))
    faults = list(seen.faults)
    if seen.misplaced > (1 - bound.share) * seen.instances:
        faults.append(f"{seen.misplaced} of {seen.instances} instances are not in the order of the original")
    if points_within < bound.share:
        part = f"{1 - points_within:.2%} by more than {bound.points:g} px"
        faults.append(f"points differ by up to {largest:.4g} px, {part}")
    if score_within < bound.share:
        part = f"{1 - score_within:.2%} by more than {bound.score:g}"
        faults.append(f"scores differ by up to {score:.4g}, {part}")
    return Parity(
        images=images,
        instances=seen.instances // times,
        points_px=largest,
        points_px_99=float(np.quantile(apart, 0.99)) if apart.size else 0.0,
        points_within=points_within,
        score=score,
        score_within=score_within,
        faults=tuple(faults),
    )
