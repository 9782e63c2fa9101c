"""How well the instances of a frame fit to tracks: OKS of points, IoU of boxes, and whether the motion is possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.boxes import iou
from posekit.postprocess.motion import NOISE, Float, Index, Motion, Seen, centres

Bool = NDArray[np.bool_]

LARGEST_CHANGE = 2.5
"""Factor by which the size of an instance may differ from that of its track."""


def similarity(
    tracks: Motion, found: Seen, pairs: tuple[Index, Index], sigmas: Sequence[float], points: float
) -> Float:
    """Similarity of pairs of a track and an instance, (P,) in [0, 1].

    The weighted mean of OKS and IoU. In OKS the variance of the prediction is added to that of each point, so that a
    track that was not seen for a while still fits; points count by their scores. Without common points it is the IoU.

    Args:
        tracks: predicted for the time of the frame.
        found: instances of the frame.
        pairs: (P,) and (P,) indices of tracks and instances.
        sigmas: (K,) as in OKS.
        points: weight of OKS in [0, 1]; the rest is that of IoU.
    """
    one, other = tracks[pairs[0]], found[pairs[1]]
    squared = ((one.xy - other.xy) ** 2).sum(-1)
    size = (one.size**2 + other.size**2) / 2
    spread = size[:, None] * ((2 * np.asarray(sigmas)) ** 2 + one.variance[:, :1])
    weight = np.sqrt(one.weight * other.weight)
    total = weight.sum(-1)
    common = total > 0
    oks = (weight * np.exp(-squared / (2 * spread))).sum(-1) / np.where(common, total, 1.0)
    overlap = iou(tracks.boxes, found.boxes)[pairs]
    return np.where(common, points * oks + (1 - points) * overlap, overlap)


def possible(tracks: Motion, found: Seen, gate: float, reach: float) -> Bool:
    """Whether each instance can be that of each track, (M, N): near the prediction, of like size, of its category.

    Args:
        tracks: predicted for the time of the frame.
        found: instances of the frame.
        gate: largest distance in standard deviations of the prediction.
        reach: largest distance in sizes, however uncertain the prediction is.
    """
    # Sum over common points of weighted differences, as products of matrices.
    total = tracks.weight @ found.weight.T
    step = (
        np.stack(
            [
                tracks.weight @ (found.weight * found.xy[..., axis]).T
                - (tracks.weight * tracks.xy[..., axis]) @ found.weight.T
                for axis in (0, 1)
            ],
            -1,
        )
        / np.where(total > 0, total, 1.0)[..., None]
    )
    between = centres(found.boxes)[None] - centres(tracks.boxes)[:, None]
    step = np.where((total > 0)[..., None], step, between)
    size = (tracks.size[:, None] + found.size[None]) / 2
    away = np.linalg.norm(step, axis=-1) / size
    near = away <= np.minimum(gate * np.sqrt(tracks.variance[:, 0] + 2 * NOISE**2), reach)[:, None]
    change = np.abs(np.log(tracks.size[:, None] / found.size[None]))
    same = tracks.category[:, None] == found.category[None]
    return np.asarray(near & same & (change <= np.log(LARGEST_CHANGE)))
