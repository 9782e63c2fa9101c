"""Exponential moving average: the steady state of a Kalman filter with one state, for any frame rate."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.postprocess.smooth.causal import Causal, Float
from posekit.postprocess.smooth.gate import Reading
from posekit.postprocess.smooth.rows import State


def steady_gain(ratio: float) -> float:
    """The gain to which a one-state Kalman filter (random walk) settles: the gain of the EMA that is the same filter.

    Args:
        ratio: variance of the motion between two frames over that of the measurement, q / r.

    >>> round(steady_gain(0.25), 6)
    0.390388
    """
    p = (ratio + math.sqrt(ratio * ratio + 4 * ratio)) / 2
    return p / (p + 1)


def lag_frames(gain: float) -> float:
    """Delay of an EMA for slow motion, in frames: ``(1 - gain) / gain``."""
    return (1 - gain) / gain


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Ema(Causal):
    """Each estimate moves towards the measurement by a constant share, which follows from the time since the last one.

    The gain is ``1 - exp(-dt / tau)``: two steps of half the time equal one step. A missing point stays where it is.
    """

    tau: float = Field(default=60.0, ge=0)
    "time constant, ms; the delay for slow motion is about tau less half a frame"
    kind: Suppress[Literal["ema"]] = "ema"

    @classmethod
    def of_gain(cls, gain: float, fps: float) -> Ema:
        """The filter that has this gain at this frame rate.

        Raises:
            ValueError: the gain is not in (0, 1], or the frame rate not positive.
        """
        if not 0 < gain <= 1 or not fps > 0:
            raise ValueError(f"expected a gain in (0, 1] and a positive frame rate; got {gain} at {fps} fps")
        return cls(tau=0.0 if gain == 1 else -1000 / fps / math.log1p(-gain))

    @classmethod
    def of_noise(cls, ratio: float, fps: float) -> Ema:
        """The steady state of a one-state Kalman filter.

        Args:
            ratio: q / r as in `steady_gain`.
            fps: frame rate.
        """
        return cls.of_gain(steady_gain(ratio), fps)

    @classmethod
    def of_lag(cls, lag: float, fps: float) -> Ema:
        """The filter that has this delay for slow motion.

        Args:
            lag: ms.
            fps: frame rate.
        """
        return cls.of_gain(1 / (1 + lag * fps / 1000), fps)

    def gain(self, dt: float) -> float:
        """Share by which an estimate moves after ``dt`` seconds."""
        return -math.expm1(-dt * 1000 / self.tau) if self.tau > 0 else 1.0

    def lag(self, fps: float) -> float:
        """Delay for slow motion, ms."""
        return lag_frames(self.gain(1 / fps)) * 1000 / fps

    def with_lag(self, lag: float, fps: float) -> Ema:
        """The same settings with the time constant of `of_lag`."""
        return replace(self, tau=self.of_lag(lag, fps).tau)

    def fresh(self, count: int, points: int, channels: int) -> State:
        """The estimates."""
        return {"x": np.zeros((count, points, channels))}

    def step(self, state: State, reading: Reading) -> tuple[State, Float]:
        """Move each estimate towards its measurement."""
        since = np.where(reading.restart, np.inf, reading.since)
        gain = -np.expm1(-since * 1000 / self.tau) if self.tau > 0 else np.ones_like(since)
        gain = np.where(reading.used, gain, 0.0)[..., None]
        x = state["x"] + gain * (reading.z - state["x"])
        return {**state, "x": x}, x
