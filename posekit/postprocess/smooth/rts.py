"""The Rauch-Tung-Striebel smoother: the Kalman filter's best estimate of each frame from the whole track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.postprocess.smooth.gate import Reading
from posekit.postprocess.smooth.kalman import Noise
from posekit.postprocess.smooth.motion_model import Belief, step_back
from posekit.postprocess.smooth.offline import Float, Offline, Whole

ROUNDS = 3
"""Passes in which measurements are weighted by their distance from the smoothed track."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Rts(Noise, Offline):
    """The Kalman filter forward in time and a correction backward: no lag, offline only.

    Source: Rauch, Tung and Striebel 1965. Differs: with ``tails`` the passes are repeated with measurements weighted by
    their distance from the smoothed track (iteratively reweighted least squares). Weights by the distance from the
    prediction, as in the filter, would take the beginning of each movement for an outlier and so delay it.
    """

    kind: Suppress[Literal["rts"]] = "rts"

    def estimate(self, found: Whole) -> Float:
        """Filter forward, then smooth backward within each part; repeat with new weights."""
        self.check_points(found.z.shape[1])
        first = np.concatenate([np.ones_like(found.part[:1], bool), found.part[1:] != found.part[:-1]])
        readings = [
            replace(reading, z=found.z[n][None], used=found.used[n][None], restart=(first[n] & found.used[n])[None])
            for n, reading in enumerate(found.readings)
        ]
        x = self._passes(readings, found.times, first, [None] * len(readings))
        for _ in range(ROUNDS if self.tails is not None else 0):
            factors = [
                self.heavier((reading.z - x[n]) ** 2 / self.variances(reading)[0]) for n, reading in enumerate(readings)
            ]
            x = self._passes(readings, found.times, first, factors)
        return x

    def _passes(
        self, readings: list[Reading], times: Float, first: NDArray[np.bool_], factors: Sequence[Float | None]
    ) -> Float:
        """(T, K, C) one pass forward and one backward."""
        zeros = np.zeros_like(readings[0].z)
        now = Belief(zeros, zeros, np.ones((*zeros.shape, 3)) * (1.0, 0.0, 1.0))
        history = []
        for reading, factor in zip(readings, factors, strict=True):
            now = self.advance(now, reading, factor)
            history.append(now)
        later, moving = history[-1], self.model == "velocity"
        out = [later.x]
        for n in range(len(history) - 2, -1, -1):
            _, q = self.variances(readings[n + 1])
            dt = np.full((1, 1, 1), times[n + 1] - times[n])
            back = step_back(history[n], later, dt, q, moving=moving)
            linked = ~first[n + 1][None, :, None]
            x, v = (np.where(linked, a, b) for a, b in ((back.x, history[n].x), (back.v, history[n].v)))
            later = Belief(x, v, back.p)
            out.append(x)
        return np.concatenate(out[::-1])
