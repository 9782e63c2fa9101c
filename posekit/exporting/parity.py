"""The check of an exported file: the same images through both engines, and what may differ. NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from posekit.engines.spec import Engine
from posekit.geometry.keypoints import Poses

BATCHES = (1, 7)
"""Sizes of the batches that are compared."""

SAME = 0.05
"""Largest difference of the scores of instances that are compared as the same."""

PIXELS, SCORES, DEPTHS = ("boxes", "spread"), ("visible",), ("depth",)
"""Other fields of `Poses` that are compared, by what they are bounded by."""


PLATEAU = 0.05
"""Share of what is found in images without content that may differ, since rounding decides between equal cells."""


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
        others: largest difference of boxes, spread, visibility and depth, where the model gives them.
        faults: in words; empty if the check is passed.
    """

    images: int
    instances: int
    points_px: float
    points_px_99: float
    points_within: float
    score: float
    score_within: float
    others: dict[str, float] = field(default_factory=dict)
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
    others: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    deepest: float = 0.0
    faults: list[str] = field(default_factory=list)
    instances: int = 0
    misplaced: int = 0


def compare(
    reference: Engine,
    exported: Engine,
    images: NDArray[np.uint8],
    bound: Bound,
    plateaus: NDArray[np.uint8],
    depth: float = 0.0,
) -> Parity:
    """Compare an exported model with the original, at the batch sizes of `BATCHES`.

    First the number and order of the instances, then points, then scores and what else the model gives. Instances are
    matched by their points; of equal scores the order must be the same. A NaN is as far from a number as can be.

    Args:
        reference: the original model.
        exported: of the same spec.
        images: (N, H, W, 3) uint8, RGB, of the model's size.
        bound: what may differ.
        plateaus: (M, H, W, 3) images without content, in which many cells have equal values: all instances of these are
            compared, whatever their score.
        depth: range of the depths that the model can give, of which their bound is a part; that of the depths found
            if it is larger.
    """
    threshold = 0.0 if reference.spec.needs_boxes else reference.spec.nms.score_threshold
    side = max(reference.spec.size)
    of_images = _differences(reference, exported, images, threshold, bound, "image")
    loose = replace(bound, share=min(bound.share, 1 - PLATEAU))
    of_plateaus = _differences(reference, exported, plateaus, 0.0, loose, "plateau")
    of_images.deepest, of_plateaus.deepest = max(of_images.deepest, depth), max(of_plateaus.deepest, depth)
    found = _summary(len(images), of_images, bound, side, len(BATCHES))
    flat = _summary(len(plateaus), of_plateaus, loose, side, len(BATCHES))
    # Where in an image without content something is found says little of the model: only faults of these are told.
    more = [text if text.startswith("plateau") else f"plateaus: {text}" for text in flat.faults]
    return replace(
        found,
        images=found.images + flat.images,
        instances=found.instances + flat.instances,
        faults=found.faults or tuple(more),
    )


def compare_found(expected: Sequence[Poses], found: Sequence[Poses], bound: Bound, side: int) -> Parity:
    """As `compare`, for poses that two whole predictors found in the same images, such as cascades.

    Args:
        expected: (N, K) of each image, by the original.
        found: by the exported model.
        bound: what may differ.
        side: the longer side of the images, pixels.
    """
    seen = _Differences()
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        _compare_one(one, other, 0.0, bound, f"image {number}", seen)
    return _summary(len(expected), seen, bound, side, 1)


def _differences(
    reference: Engine, exported: Engine, images: NDArray[np.uint8], threshold: float, bound: Bound, name: str
) -> _Differences:
    """What differs in some images at every size of batch."""
    seen = _Differences()
    if not len(images):
        return seen
    expected = _run(reference, images, 1)
    for size in BATCHES:
        try:
            found = _run(exported, images, size)
        except Exception as error:  # The runtimes' own kinds of error have no common base.
            seen.faults.append(f"{name}s, batch of {size}: it does not run ({' '.join(str(error).split())[:300]})")
            continue
        if sentence := _other_fields(expected, found):
            seen.faults.append(f"{name}s, batch of {size}: {sentence}")
            continue
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            _compare_one(one, other, threshold, bound, f"{name} {number}, batch of {size}", seen)
    return seen


def _run(engine: Engine, images: NDArray[np.uint8], size: int) -> Poses:
    """Poses (N, ...) of all images, in batches of a size."""
    return Poses.concatenate([engine(images[start : start + size]) for start in range(0, len(images), size)])


def _other_fields(one: Poses, other: Poses) -> str:
    """Which fields only one of two models gives; empty if none."""
    names = [
        name for name in (*PIXELS, *SCORES, *DEPTHS) if (getattr(one, name) is None) != (getattr(other, name) is None)
    ]
    return "; ".join(f"{name} {'is new' if getattr(one, name) is None else 'is missing'}" for name in names)


def _compare_one(one: Poses, other: Poses, threshold: float, bound: Bound, where: str, seen: _Differences) -> None:
    """The poses of one image."""
    if one.xy.shape[1:] != other.xy.shape[1:]:
        seen.faults.append(f"{where}: points {other.xy.shape[1:]}, expected {one.xy.shape[1:]}")
        return
    single = len(one.xy) == len(other.xy) == 1
    pairs = np.zeros((1, 2), dtype=np.int64) if single else matched(one, other, threshold)
    if not single and (sentence := _unmatched(one, other, pairs, threshold, bound)):
        seen.faults.append(f"{where}: {sentence}")
    mine, theirs = one[pairs[:, 0]], other[pairs[:, 1]]
    seen.instances += len(pairs)
    seen.misplaced += out_of_order(pairs, mine.instance_score, theirs.instance_score, bound.score)
    apart = np.hypot(*np.moveaxis(difference(mine.xy, theirs.xy), -1, 0)).ravel()
    if np.isinf(apart).any():
        seen.faults.append(f"{where}: {int(np.isinf(apart).sum())} points are no numbers in one of the models")
    seen.points.append(apart)
    seen.scores += [
        difference(getattr(mine, name), getattr(theirs, name)).ravel() for name in ("score", "instance_score")
    ]
    for name in (*PIXELS, *SCORES, *DEPTHS):
        if (value := getattr(mine, name)) is not None:
            seen.others.setdefault(name, []).append(difference(value, getattr(theirs, name)).ravel())
    if mine.depth is not None:
        seen.deepest = max(seen.deepest, float(np.abs(mine.depth).max(initial=0.0)))


def difference(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Absolute differences: 0 where both have the same NaN or infinity, infinite where only one of them is a number."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.asarray(one, np.float64) - other)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return np.where(same, 0.0, np.where(np.isfinite(apart), apart, np.inf))


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


def _unmatched(one: Poses, other: Poses, pairs: NDArray[np.int64], threshold: float, bound: Bound) -> str:
    """What is wrong with the number of instances; empty if nothing is, or with no more of them than the bound allows.

    Those near the threshold may be missing. In a full list others with as good a score may be in place of those with
    nearly the lowest.
    """
    tolerance = bound.score
    lowest = float(one.instance_score.min(initial=np.inf))
    full = len(one.xy) > 1 and lowest > threshold + tolerance
    floor = (lowest if full else threshold) + tolerance
    lost = int((np.delete(one.instance_score, pairs[:, 0]) > floor).sum())
    added = int((np.delete(other.instance_score, pairs[:, 1]) > floor).sum())
    if full:
        lost = max(lost, len(one.xy) - int((other.instance_score >= lowest - tolerance).sum()))
    count = int((one.instance_score >= threshold).sum())
    if max(lost, added) <= (1 - bound.share) * count:
        return ""
    return f"{count} instances in the original, of which {lost} are missing; {added} are new"


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


def _summary(images: int, seen: _Differences, bound: Bound, side: int, times: int) -> Parity:
    """The differences over all images.

    Args:
        images: how many there are.
        seen: what differs in them.
        bound: what may differ.
        side: the longer side of the network input.
        times: how often each was compared.
    """
    apart, scores = _joined(seen.points), _joined(seen.scores)
    others = {name: _joined(parts) for name, parts in seen.others.items()}
    faults = list(seen.faults)
    if seen.misplaced > (1 - bound.share) * seen.instances:
        faults.append(f"{seen.misplaced} of {seen.instances} instances are not in the order of the original")
    # Depth has the unit of the labels: its bound is as large a part of the depths as that of points is of the image.
    limits = dict.fromkeys(PIXELS, bound.points) | dict.fromkeys(SCORES, bound.score)
    limits |= dict.fromkeys(DEPTHS, bound.points * seen.deepest / side)
    faults += _too_far("points", apart, bound.points, bound.share, " px")
    faults += _too_far("scores", scores, bound.score, bound.share)
    for name, values in others.items():
        faults += _too_far(name, values, limits[name], bound.share, " px" if name in PIXELS else "")
    return Parity(
        images=images,
        instances=seen.instances // times,
        points_px=float(apart.max(initial=0.0)),
        points_px_99=float(np.quantile(apart, 0.99, method="higher")) if apart.size else 0.0,
        points_within=_within(apart, bound.points),
        score=float(scores.max(initial=0.0)),
        score_within=_within(scores, bound.score),
        others={name: float(values.max(initial=0.0)) for name, values in others.items()},
        faults=tuple(faults),
    )


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(0), *parts])


def _within(values: NDArray[np.float64], limit: float) -> float:
    return float((values <= limit).mean()) if values.size else 1.0


def _too_far(name: str, values: NDArray[np.float64], limit: float, share: float, unit: str = "") -> list[str]:
    """The fault of values of which too many are beyond the limit; none if they are not."""
    within = _within(values, limit)
    if within >= share:
        return []
    return [f"{name} differ by up to {values.max():.4g}{unit}, {1 - within:.2%} by more than {limit:g}{unit}"]
