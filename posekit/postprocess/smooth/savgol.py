"""Savitzky-Golay: a polynomial fitted to the frames around each frame, also to uneven times and gaps."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.postprocess.smooth.offline import Float, Offline, Whole


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class SavGol(Offline):
    """The value at each frame of the polynomial that fits the window around it best; exact for such polynomials.

    The fit uses the frames' own times and leaves missing points out. At the ends the first and last full windows are
    used, as with SciPy's ``mode="interp"``.

    Source: Savitzky and Golay 1964. Differs: a track shorter than the window is one window (MMPose pads it); where
    fewer points than coefficients are there, the fit is the smallest one about their mean.
    """

    frames: int = Field(default=11, ge=1)
    "length of the window, frames, odd"
    order: int = Field(default=2, ge=0, le=5)
    "degree of the polynomial"
    kind: Suppress[Literal["savgol"]] = "savgol"

    def __post_init__(self) -> None:
        if self.frames % 2 == 0 or self.frames <= self.order:
            raise ValueError(f"frames must be odd and exceed order {self.order}; got {self.frames}")

    def estimate(self, found: Whole) -> Float:
        """Fit every window at once."""
        t = len(found.times)
        width = min(self.frames, t)
        start = np.clip(np.arange(t) - self.frames // 2, 0, t - width)
        window = start[:, None] + np.arange(width)
        apart = found.times[window] - found.times[:, None]
        basis = (apart / np.maximum(np.abs(apart).max(1, keepdims=True), 1e-12))[..., None] ** np.arange(self.order + 1)
        on = (found.used[window] & (found.part[window] == found.part[:, None])).astype(np.float64)
        values = found.z[window]
        mean = (on[..., None] * values).sum(1) / np.maximum(on.sum(1), 1)[..., None]
        values = (values - mean[:, None]) * on[..., None]
        square = np.einsum("twi,twk,twj->tkij", basis, on, basis)
        product = np.einsum("twi,twkc->tkic", basis, values)
        fit = np.linalg.pinv(square, rcond=1e-9, hermitian=True)[..., 0, :]
        return np.asarray(mean + np.einsum("tki,tkic->tkc", fit, product))
