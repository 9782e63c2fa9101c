"""Metrics of identities over time: CLEAR MOT (MOTA, identity switches), IDF1 and HOTA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posekit.geometry.boxes import iou
from posekit.metrics.assignment import assign
from posekit.metrics.similarity import oks

Float = NDArray[np.float64]
Index = NDArray[np.intp]

ALPHAS = np.arange(1, 20) / 20
"""Similarities over which HOTA is averaged, 0.05 to 0.95."""

KEEP = 1000.0
"""Gain of a pair that was matched in the frame before, larger than any similarities."""

ROUNDING = 1e-9
"""By how much a similarity may lie below the threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What is true and what was found in one frame.

    Args:
        truth: (G,) ids of the true instances.
        found: (P,) ids of the found instances.
        similarity: (G, P) in [0, 1], IoU of boxes or OKS.

    Raises:
        ValueError: an id occurs twice, or the similarities have another shape or range.
    """

    truth: NDArray[np.int64]
    found: NDArray[np.int64]
    similarity: Float

    def __post_init__(self) -> None:
        for name, ids in (("truth", self.truth), ("found", self.found)):
            if ids.ndim != 1 or len(np.unique(ids)) < len(ids):
                raise ValueError(f"expected distinct ids of one frame in {name}; got {ids.tolist()}")
        shape = (len(self.truth), len(self.found))
        if self.similarity.shape != shape:
            raise ValueError(
                f"expected a similarity of each true and found instance, {shape}; got {self.similarity.shape}"
            )
        if not ((self.similarity >= 0) & (self.similarity <= 1)).all():
            raise ValueError(
                f"expected similarities in [0, 1]; got {self.similarity.min():g} to {self.similarity.max():g}"
            )

    @classmethod
    def of(cls, truth: ArrayLike, found: ArrayLike, similarity: ArrayLike) -> Frame:
        """A frame from lists or arrays; similarities of no instance may have any shape without elements."""
        ids = np.asarray(truth, np.int64), np.asarray(found, np.int64)
        alike = np.asarray(similarity, np.float64)
        return cls(*ids, alike if alike.size else alike.reshape(len(ids[0]), len(ids[1])))

    @classmethod
    def of_boxes(cls, truth: ArrayLike, truth_boxes: ArrayLike, found: ArrayLike, boxes: ArrayLike) -> Frame:
        """A frame whose similarity is the IoU of boxes (G, 4) and (P, 4), x0 y0 x1 y1."""
        one, other = (np.asarray(b, np.float64).reshape(-1, 4) for b in (truth_boxes, boxes))
        return cls.of(truth, found, iou(one, other))

    @classmethod
    def of_points(
        cls,
        truth: ArrayLike,
        truth_xy: Float,
        labelled: NDArray[np.bool_],
        area: Float,
        found: ArrayLike,
        xy: Float,
        sigmas: Sequence[float],
    ) -> Frame:
        """A frame whose similarity is the OKS; 0 where no point is labelled.

        Args:
            truth: (G,) ids.
            truth_xy: (G, K, 2) pixels.
            labelled: (G, K).
            area: (G,) square pixels.
            found: (P,) ids.
            xy: (P, K, 2) pixels.
            sigmas: (K,) as in OKS.
        """
        G, P = len(truth_xy), len(xy)
        one, other = np.repeat(np.arange(G), P), np.tile(np.arange(P), G)
        alike = oks(xy[other], truth_xy[one], labelled[one], area[one], sigmas)
        return cls.of(truth, found, np.nan_to_num(alike, nan=0.0).reshape(G, P))


def identity_metrics(frames: Sequence[Frame], threshold: float = 0.5) -> dict[str, float]:
    """All metrics of this module.

    Args:
        frames: of one clip in order; also those without instances.
        threshold: similarity from which on an instance counts as found, for CLEAR MOT and IDF1.
    """
    return {**clear_mot(frames, threshold), **id_f1(frames, threshold), **hota(frames)}


def clear_mot(frames: Sequence[Frame], threshold: float = 0.5) -> dict[str, float]:
    """CLEAR MOT: errors of detection and changes of identity.

    Args:
        frames: of one clip in order.
        threshold: similarity from which on an instance counts as found.

    Returns:
        ``mota``: 1 - (missed + false + identity switches) / true instances; ``motp``: mean similarity of those found;
        ``id_switches``: how often a true instance is found by another id than the last one; ``fragmentations``: how
        often it is found again after frames in which it was missed; ``found``, ``missed``, ``false``: instances.
        Without true instances ``mota`` is NaN, without found ones ``motp``.

    Source: Bernardin and Stiefelhagen 2008, doi:10.1155/2008/246309, its assignment as in TrackEval. Differs: a frame
    in which nothing is true, or nothing is found, interrupts a track like any other.
    """
    truth_ids, _, numbered = _numbered(frames)
    last, before = np.full(len(truth_ids), -1), np.full(len(truth_ids), -1)
    runs = np.zeros(len(truth_ids), int)
    hits = missed = false = changes = 0
    alike = 0.0
    for frame, (truth, found) in zip(frames, numbered, strict=True):
        kept = before[truth][:, None] == found[None]
        near = frame.similarity >= threshold - ROUNDING
        rows, columns = assign(np.where(near, KEEP * kept + frame.similarity, 0.0))
        here, ids = truth[rows], found[columns]
        changes += int(((last[here] >= 0) & (last[here] != ids)).sum())
        runs[here] += before[here] < 0
        last[here] = ids
        before[:] = -1
        before[here] = ids
        alike += float(frame.similarity[rows, columns].sum())
        hits, missed, false = hits + len(rows), missed + len(truth) - len(rows), false + len(found) - len(rows)
    total = hits + missed
    return {
        "mota": 1 - (missed + false + changes) / total if total else np.nan,
        "motp": alike / hits if hits else np.nan,
        "id_switches": changes,
        "fragmentations": int(np.maximum(runs - 1, 0).sum()),
        "found": hits,
        "missed": missed,
        "false": false,
    }


def id_f1(frames: Sequence[Frame], threshold: float = 0.5) -> dict[str, float]:
    """IDF1: how well one id for the clip covers each true instance.

    Args:
        frames: of one clip, in any order.
        threshold: similarity from which on an instance counts as found.

    Returns:
        ``idf1``, ``id_precision`` and ``id_recall``; NaN where there is nothing to divide by.

    Source: Ristani et al. 2016, arXiv:1609.01775.
    """
    truth_ids, found_ids, numbered = _numbered(frames)
    common = np.zeros((len(truth_ids), len(found_ids)))
    for frame, (truth, found) in zip(frames, numbered, strict=True):
        common[np.ix_(truth, found)] += frame.similarity >= threshold - ROUNDING
    hits = float(common[assign(common)].sum())
    true, made = (sum(len(ids[which]) for ids in numbered) for which in (0, 1))
    return {
        "idf1": 2 * hits / (true + made) if true + made else np.nan,
        "id_precision": hits / made if made else np.nan,
        "id_recall": hits / true if true else np.nan,
    }


def hota(frames: Sequence[Frame]) -> dict[str, float]:
    """HOTA: geometric mean of the accuracies of detection and association, averaged over similarities.

    Args:
        frames: of one clip, in any order.

    Returns:
        ``hota``, ``det_accuracy`` and ``ass_accuracy``, and ``loc_accuracy`` (the mean similarity of what was found);
        means over `ALPHAS`. NaN if there is neither a true nor a found instance.

    Source: Luiten et al. 2020, arXiv:2009.07736.
    """
    truth_ids, found_ids, numbered = _numbered(frames)
    common, true, made = _overlaps(frames, numbered, (len(truth_ids), len(found_ids)))
    if not true.sum() + made.sum():
        return dict.fromkeys(("hota", "det_accuracy", "ass_accuracy", "loc_accuracy"), np.nan)
    either = true[:, None] + made[None]
    alignment = common / (either - common)
    matches = np.zeros((len(ALPHAS), *common.shape))
    alike = np.zeros(len(ALPHAS))
    for frame, (truth, found) in zip(frames, numbered, strict=True):
        rows, columns = assign(alignment[np.ix_(truth, found)] * frame.similarity)
        value = frame.similarity[rows, columns]
        counts = value >= ALPHAS[:, None] - ROUNDING
        matches[:, truth[rows], found[columns]] += counts
        alike += (counts * value).sum(1)
    hits = matches.sum((1, 2))
    detection = hits / (true.sum() + made.sum() - hits)
    association = (matches * (matches / (either - matches))).sum((1, 2)) / np.maximum(hits, 1)
    return {
        "hota": float(np.sqrt(detection * association).mean()),
        "det_accuracy": float(detection.mean()),
        "ass_accuracy": float(association.mean()),
        "loc_accuracy": float(np.where(hits > 0, alike / np.maximum(hits, 1), 1.0).mean()),
    }


def _overlaps(
    frames: Sequence[Frame], numbered: Sequence[tuple[Index, Index]], shape: tuple[int, int]
) -> tuple[Float, Float, Float]:
    """How much each true and each found id have in common over the clip (T, F), and their numbers of frames (T,), (F,).

    In a frame two ids have in common their similarity over that of either of them with anything.
    """
    common, true, made = np.zeros(shape), np.zeros(shape[0]), np.zeros(shape[1])
    for frame, (truth, found) in zip(frames, numbered, strict=True):
        alike = frame.similarity
        either = alike.sum(1)[:, None] + alike.sum(0)[None] - alike
        common[np.ix_(truth, found)] += np.where(either > 0, alike / np.where(either > 0, either, 1.0), 0.0)
        true[truth] += 1
        made[found] += 1
    return common, true, made


def _numbered(
    frames: Sequence[Frame],
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[tuple[Index, Index]]]:
    """All true ids, all found ids, and for each frame the positions of its ids in them."""
    every = []
    for name in ("truth", "found"):
        parts = [getattr(frame, name) for frame in frames]
        every.append(np.unique(np.concatenate([np.zeros(0, np.int64), *parts])))
    positions = [(np.searchsorted(every[0], frame.truth), np.searchsorted(every[1], frame.found)) for frame in frames]
    return every[0], every[1], positions
