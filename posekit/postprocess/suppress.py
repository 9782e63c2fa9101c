"""Non-maximum suppression: which of the poses found in an image are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.boxes import around
from posekit.geometry.keypoints import Poses
from posekit.postprocess.nms import box_nms, oks_nms, soft_oks_nms
from posekit.postprocess.pose_nms import pose_nms


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class NMS:
    """Settings of non-maximum suppression: duplicates and poses with low scores are dropped."""

    method: Literal["none", "box", "oks", "soft_oks", "pose_distance"] = "none"
    """how duplicates are found: by IoU of boxes, by OKS of the points, by OKS with lowered scores (soft NMS), or by
    points that nearly coincide (DEKR); or not at all"""
    threshold: float = Field(default=0.7, gt=0, le=1)
    "IoU or OKS above which the instance with the lower score is dropped; not used by pose_distance"
    score_threshold: float = Field(default=0.01, ge=0, lt=1)
    "instances with a lower score are dropped"
    max_instances: int = Field(default=100, ge=1)
    "largest number of instances kept in an image"

    def __call__(self, poses: Poses, sigmas: Sequence[float]) -> Poses:
        """The poses kept, the best first.

        Args:
            poses: (N, K) of one image, NumPy arrays.
            sigmas: (K,) as in OKS.
        """
        poses = poses.each(np.asarray)
        order = np.argsort(-poses.instance_score, kind="stable")
        poses = poses[order[poses.instance_score[order] >= self.score_threshold]]
        if len(poses) > 1:
            poses = self._without_duplicates(poses, sigmas)
        return poses[: self.max_instances]

    def _without_duplicates(self, poses: Poses, sigmas: Sequence[float]) -> Poses:
        if self.method == "oks":
            return oks_nms(poses, sigmas, threshold=self.threshold)
        if self.method == "soft_oks":
            return soft_oks_nms(
                poses, sigmas, spread=self.threshold, max_instances=None, score_threshold=self.score_threshold
            )
        if self.method == "pose_distance":
            return pose_nms(poses, clear=poses.instance_score, max_instances=None)
        return poses[self.kept_by_boxes(poses)] if self.method == "box" else poses

    def kept_by_boxes(self, poses: Poses) -> NDArray[np.intp]:
        """Indices of the poses (N, K) that box NMS keeps, the best first; without boxes by those around the points."""
        boxes = around(poses.xy, np.isfinite(poses.xy).all(-1)) if poses.boxes is None else poses.boxes
        return box_nms(boxes, poses.instance_score, threshold=self.threshold, category=poses.category)


def across_views(nms: NMS) -> NMS:
    """The settings for several views of one image, where every instance may be found more than once."""
    return replace(nms, method="oks") if nms.method == "none" else nms
