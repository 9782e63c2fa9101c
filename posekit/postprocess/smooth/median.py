"""The median of the last measurements."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.postprocess.smooth.causal import Causal, Float
from posekit.postprocess.smooth.gate import Reading
from posekit.postprocess.smooth.rows import State


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Median(Causal):
    """The median of each coordinate over the last frames; removes single outliers and delays by half the window.

    Missing points are left out of the window; before it is full, the median is over what there is.
    """

    frames: int = Field(default=5, ge=1)
    "length of the window, frames"
    kind: Suppress[Literal["median"]] = "median"

    def lag(self, fps: float) -> float:
        """Delay for steady motion, ms."""
        return (self.frames - 1) / 2 * 1000 / fps

    def fresh(self, count: int, points: int, channels: int) -> State:
        """The window, the newest measurement first, which of it is filled, and the last median."""
        return {
            "window": np.zeros((count, self.frames, points, channels)),
            "held": np.zeros((count, self.frames, points), bool),
            "x": np.zeros((count, points, channels)),
        }

    def step(self, state: State, reading: Reading) -> tuple[State, Float]:
        """Move the window on by one frame."""
        afresh = reading.restart | reading.reset[:, None]
        window = np.concatenate([reading.z[:, None], state["window"][:, :-1]], 1)
        held = np.concatenate([reading.used[:, None], state["held"][:, :-1] & ~afresh[:, None]], 1)
        count = held.sum(1)[..., None]
        ordered = np.sort(np.where(held[..., None], window, np.inf), axis=1)
        low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, self.frames - 1)
        pair = np.take_along_axis(ordered, np.stack([low, high], 1), axis=1)
        pair = np.where(count[:, None] > 0, pair, state["x"][:, None])
        x = pair.mean(1)
        return {**state, "window": window, "held": held, "x": x}, x
