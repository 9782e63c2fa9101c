"""What every filter is: a frozen config that smooths a finished `Track`, and, if it is causal, a stream of frames."""

from __future__ import annotations

from typing import Protocol

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track


class Stream(Protocol):
    """A causal filter at work; it keeps the state of every instance."""

    def __call__(self, poses: Poses, time: float) -> Poses:
        """Smooth the next frame.

        Args:
            poses: (N, K) NumPy arrays with ``ids``; any number of instances, in any order.
            time: of the frame in seconds, larger than the last one.

        Returns:
            The same instances in the same order, smoothed; points that were missing and are filled in have ``filled``.
        """
        ...


class Smoother(Protocol):
    """A filter over time: its settings, nothing else."""

    @property
    def causal(self) -> bool:
        """Whether it needs no later frames, so that it can run on a live stream."""
        ...

    def stream(self, points: int) -> Stream:
        """A fresh stream for poses of so many points.

        Raises:
            ValueError: the filter is not causal.
        """
        ...

    def track(self, track: Track) -> Track:
        """The smoothed track; a causal filter gives what its stream gives."""
        ...
