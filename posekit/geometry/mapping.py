"""From the points of one skeleton to those of another: by name, and by stated rules for other points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton

SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}
HIPS = {"left_hip": 0.5, "right_hip": 0.5}
RULES: Mapping[str, Mapping[str, float]] = {
    "neck": SHOULDERS,
    "thorax": SHOULDERS,
    "upper_neck": SHOULDERS,
    "pelvis": HIPS,
    "hip_centre": HIPS,
    "mid_hip": HIPS,
    # Fitted to 3,256 people of LSP extended: 1.73 times the way from the shoulders to the ears. The median error is
    # 0.23 of the distance from neck to head top.
    "head_top": {"left_ear": 0.865, "right_ear": 0.865, "left_shoulder": -0.365, "right_shoulder": -0.365},
}
"""Points that some skeletons have and others do not, as weighted sums of points; the weights sum to 1."""


@dataclass(frozen=True, eq=False)
class PointMap:
    """How the points of ``target`` follow from those of ``source``.

    Args:
        source: of the poses that come in.
        target: of the poses that go out.
        weights: (K of the target, K of the source); rows sum to 1.
    """

    source: Skeleton
    target: Skeleton
    weights: NDArray[np.float64]

    @property
    def estimated(self) -> dict[str, tuple[str, ...]]:
        """Points that the source does not have, and the points that they are computed from."""
        return {
            name: tuple(self.source.points[i] for i in np.flatnonzero(row))
            for name, row in zip(self.target.points, self.weights, strict=True)
            if np.count_nonzero(row) > 1
        }

    def __call__(self, poses: Poses) -> Poses:
        """Poses of the target.

        Args:
            poses: (..., K of the source), NumPy arrays.

        Returns:
            The same instances: a score is the lowest of the points that a point is computed from. Spread, depth and
            visibility are kept where the source has every point, else dropped.
        """
        if poses.xy.shape[-2] != self.weights.shape[1]:
            raise ValueError(
                f"poses have {poses.xy.shape[-2]} points, {self.source.name!r} has {self.weights.shape[1]}: give poses "
                "of that skeleton"
            )
        # Weighted sums of the points that count alone: 0 times a position that is not finite is not 0.
        xy = np.stack([self._placed(row, poses.xy.astype(np.float64)) for row in self.weights], -2)
        xy = xy.astype(poses.xy.dtype)
        score = np.where(self.weights != 0, poses.score[..., None, :], np.inf).min(-1).astype(poses.score.dtype)
        if self.estimated:
            return replace(poses, xy=xy, score=score, spread=None, depth=None, visible=None)
        order = self.weights.argmax(-1)

        def kept(values: NDArray[np.floating] | None) -> NDArray[np.floating] | None:
            return (
                None
                if values is None
                else values[..., order, :]
                if values.ndim == poses.xy.ndim
                else values[..., order]
            )

        return replace(
            poses, xy=xy, score=score, spread=kept(poses.spread), depth=kept(poses.depth), visible=kept(poses.visible)
        )

    def _placed(self, row: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 2) one point of the target from the points (..., K of the source, 2)."""
        used = np.flatnonzero(row)
        placed: NDArray[np.float64] = np.einsum("s,...sc->...c", row[used], xy[..., used, :])
        return placed


def map_points(source: Skeleton, target: Skeleton) -> PointMap:
    """The map from one skeleton to another.

    Args:
        source: of a model.
        target: with the points that are wanted.

    Raises:
        ValueError: a point of the target is neither in the source nor follows from its points by `RULES`; all such
            points are named.
    """
    weights = np.zeros((len(target.points), len(source.points)))
    missing = []
    for number, name in enumerate(target.points):
        rule = {name: 1.0} if name in source.points else RULES.get(name, {})
        if not rule or not set(rule) <= set(source.points):
            missing.append(name)
            continue
        for part, weight in rule.items():
            weights[number, source.points.index(part)] = weight
    if missing:
        raise ValueError(
            f"skeleton {source.name!r} has no {', '.join(missing)} for {target.name!r}, and no rule makes "
            f"{'it' if len(missing) == 1 else 'them'} from its points; rules exist for {', '.join(RULES)}"
        )
    return PointMap(source, target, weights)
