"""A causal filter run forward and then backward over a finished track, so that the lags cancel."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.base import Stream
from posekit.postprocess.smooth.ema import Ema
from posekit.postprocess.smooth.kalman import Kalman
from posekit.postprocess.smooth.median import Median
from posekit.postprocess.smooth.one_euro import OneEuro


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class TwoPass:
    """A causal filter forward in time, and once more backward over its output: no lag, offline only.

    The second pass takes what the first gave, so outliers and gaps are the first pass's; it only smooths.
    """

    filter: Annotated[Ema | OneEuro | Kalman | Median, Field(discriminator="kind")] = Ema(tau=60.0)
    "the filter of both passes"
    kind: Suppress[Literal["two-pass"]] = "two-pass"

    @property
    def causal(self) -> bool:
        """It needs later frames."""
        return False

    def stream(self, points: int) -> Stream:
        """There is none.

        Raises:
            ValueError: always.
        """
        raise ValueError("two-pass needs the whole track and cannot run on a stream; take its filter alone")

    def track(self, track: Track) -> Track:
        """The smoothed track."""
        if not len(track):
            return track
        forward = self.filter.track(track)
        again = replace(self.filter, outlier=None)
        poses = again.track(_reversed(forward)).poses[::-1]
        known = forward.poses.score > 0
        xy = np.where(known[..., None], poses.xy, forward.poses.xy)
        depth = None if poses.depth is None else np.where(known, poses.depth, forward.poses.depth)
        return replace(forward, poses=replace(forward.poses, xy=xy, depth=depth))


def _reversed(track: Track) -> Track:
    """The track with time running backward."""
    poses: Poses = track.poses[::-1]
    frames: NDArray[Any] = -track.frames[::-1]
    return Track(track.id, frames, -track.times[::-1], poses)
