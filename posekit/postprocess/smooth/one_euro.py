"""The One-Euro filter: a low-pass filter whose cutoff rises with speed."""

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
class OneEuro(Causal):
    """Smooths much at rest and little in motion, for each coordinate by itself.

    Speeds are in object sizes per second, as in MediaPipe, so that settings do not depend on how large somebody is in
    the image. MediaPipe's own settings: ``min_cutoff=0.1, beta=40`` (older), ``min_cutoff=0.05, beta=80`` (Tasks),
    both with ``derivative="raw"``.

    Source: Casiez et al. 2012, doi:10.1145/2207676.2208639.
    """

    min_cutoff: float = Field(default=0.05, gt=0)
    "cutoff at rest, Hz"
    beta: float = Field(default=80.0, ge=0)
    "by how much the cutoff rises with speed, Hz for one object size per second"
    d_cutoff: float = Field(default=1.0, gt=0)
    "cutoff for the speed itself, Hz"
    derivative: Literal["filtered", "raw"] = "raw"
    "speed measured from the last estimate (filtered, as published) or from the last measurement (raw, as in MediaPipe)"
    kind: Suppress[Literal["one-euro"]] = "one-euro"

    def fresh(self, count: int, points: int, channels: int) -> State:
        """Estimates, speeds in sizes per second, and the last measurements."""
        zeros = np.zeros((count, points, channels))
        return {"x": zeros, "dx": zeros, "z": zeros}

    def step(self, state: State, reading: Reading) -> tuple[State, Float]:
        """Estimate the speed, from it the cutoff, and with it the location."""
        used, restart = reading.used[..., None], reading.restart[..., None]
        moving = used & ~restart
        since = np.where(moving, reading.since[..., None], 1.0)
        last = state["x"] if self.derivative == "filtered" else state["z"]
        speed = np.where(moving, (reading.z - last) / since / reading.size[:, None, None], 0.0)
        dx = state["dx"] + np.where(moving, _gain(self.d_cutoff, since), 0.0) * (speed - state["dx"])
        dx = np.where(restart, 0.0, dx)
        gain = _gain(self.min_cutoff + self.beta * np.abs(dx), since)
        gain = np.where(restart, 1.0, np.where(used, gain, 0.0))
        x = state["x"] + gain * (reading.z - state["x"])
        return {**state, "x": x, "dx": dx, "z": np.where(used, reading.z, state["z"])}, x


def _gain(cutoff: float | Float, dt: Float) -> Float:
    r = 2 * np.pi * cutoff * dt
    return np.asarray(r / (1 + r))
