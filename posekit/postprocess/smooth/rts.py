"""The Rauch-Tung-Striebel smoother: the Kalman filter's best estimate of each frame from the whole track."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.postprocess.smooth.kalman import Noise
from posekit.postprocess.smooth.motion_model import Belief, step_back
from posekit.postprocess.smooth.offline import Float, Offline, Whole


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Rts(Noise, Offline):
    """The Kalman filter forward in time and a correction backward: no lag, offline only.

    Source: Rauch, Tung and Striebel 1965.
    """

    kind: Suppress[Literal["rts"]] = "rts"

    def estimate(self, found: Whole) -> Float:
        """Filter forward, then smooth backward within each part."""
        first = found.readings[0]
        zeros = np.zeros_like(first.z)
        now = Belief(zeros, zeros, np.ones((*zeros.shape, 3)) * (1.0, 0.0, 1.0))
        starts = np.concatenate([np.ones_like(found.part[:1], bool), found.part[1:] != found.part[:-1]])
        history = []
        for number, reading in enumerate(found.readings):
            used, restart = found.used[number][None], (starts[number] & found.used[number])[None]
            reading = replace(reading, z=found.z[number][None], used=used, restart=restart)
            now = self.advance(now, reading)
            history.append(now)
        out = [history[-1].x]
        later, moving = history[-1], self.model == "velocity"
        for number in range(len(history) - 2, -1, -1):
            reading = found.readings[number + 1]
            _, q = self.variances(reading)
            dt = np.full((1, 1, 1), found.times[number + 1] - found.times[number])
            back = step_back(history[number], later, dt, q, moving=moving)
            linked = ~starts[number + 1][None, :, None]
            x, v = (np.where(linked, a, b) for a, b in ((back.x, history[number].x), (back.v, history[number].v)))
            later = Belief(x, v, back.p)
            out.append(x)
        return np.concatenate(out[::-1])
