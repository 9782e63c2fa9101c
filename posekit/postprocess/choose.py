"""Which of the poses found in an image stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.boxes import around
from posekit.geometry.keypoints import Poses
from posekit.postprocess.nms import box_nms, oks_nms, soft_oks_nms
from posekit.postprocess.pose_nms import pose_nms


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Choose:
    """Of several poses of one instance, and of weak ones, only the best."""

    by: Literal["none", "box", "oks", "soft_oks", "near"] = "none"
    "how two poses of one instance are told: boxes, points, points and scores lowered, points that coincide (DEKR)"
    threshold: float = Field(default=0.7, gt=0, le=1)
    "likeness above which the lesser of two goes; not for near"
    least: float = Field(default=0.01, ge=0, lt=1)
    "poses with a lower score are left out"
    most: int = Field(default=100, ge=1)
    "poses in an image, at most"

    def __call__(self, poses: Poses, sigmas: Sequence[float]) -> Poses:
        """The poses that stay, the best first.

        Args:
            poses: (N, K) of one image, NumPy arrays.
            sigmas: (K,) as in OKS.
        """
        poses = poses.each(np.asarray)
        order = np.argsort(-poses.instance_score, kind="stable")
        order = order[poses.instance_score[order] >= self.least]
        poses = poses.each(lambda array: array[order])
        if len(poses) > 1:
            poses = self._apart(poses, sigmas)
        return poses.each(lambda array: array[: self.most])

    def _apart(self, poses: Poses, sigmas: Sequence[float]) -> Poses:
        if self.by == "oks":
            return oks_nms(poses, sigmas, threshold=self.threshold)
        if self.by == "soft_oks":
            return soft_oks_nms(poses, sigmas, spread=self.threshold, most=None, least=self.least)
        if self.by == "near":
            return pose_nms(poses, clear=poses.instance_score, most=None)
        if self.by == "box":
            boxes = around(poses.xy, np.isfinite(poses.xy).all(-1)) if poses.boxes is None else poses.boxes
            keep = box_nms(boxes, poses.instance_score, threshold=self.threshold, category=poses.category)
            return poses.each(lambda array: array[keep])
        return poses


def merging(choose: Choose) -> Choose:
    """The same for poses of several views of one image, where everyone may be found more than once."""
    return replace(choose, by="oks") if choose.by == "none" else choose
