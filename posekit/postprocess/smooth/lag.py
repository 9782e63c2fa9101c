"""By how much a filter delays a given motion, without noise."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.base import Smoother
from posekit.postprocess.smooth.two_pass import TwoPass

Float = NDArray[np.floating]


def lag(smoother: Smoother, fps: float, frequency: float = 1.0, amplitude: float = 0.1) -> float:
    """Delay of a point that swings to and fro, ms: the phase of what the filter makes of a sinusoid.

    For slow motion an `Ema` delays by ``(1 - gain) / gain`` frames; `Ema.lag` gives that.

    Args:
        smoother: any filter; its rejection of outliers and jumps is left out.
        fps: frame rate.
        frequency: Hz, below half the frame rate.
        amplitude: of the swing, object sizes; filters that adapt to speed delay small motion more.

    Raises:
        ValueError: the frequency is not between 0 and half the frame rate.
    """
    if not 0 < frequency < fps / 2:
        raise ValueError(f"expected a frequency between 0 and {fps / 2} Hz at {fps} fps; got {frequency}")
    swings = 12
    times = np.arange(round(swings / frequency * fps)) / fps
    x = _run(smoother, amplitude * np.sin(2 * np.pi * frequency * times), times)
    inner = slice(len(times) // 3, -len(times) // 6)
    angle = 2 * np.pi * frequency * times[inner]
    basis = np.stack([np.sin(angle), np.cos(angle), np.ones_like(angle)], -1)
    sine, cosine, _ = np.linalg.lstsq(basis, x[inner], rcond=None)[0]
    return float(np.arctan2(-cosine, sine) / (2 * np.pi * frequency) * 1000)


def ramp_lag(smoother: Smoother, fps: float, speed: float = 1.0) -> float:
    """Delay of a point that moves steadily, ms: how far it is behind, divided by its speed.

    Args:
        smoother: as in `lag`.
        fps: frame rate.
        speed: object sizes per second.
    """
    times = np.arange(round(8 * fps)) / fps
    x = _run(smoother, speed * times, times)
    at = len(times) * 3 // 4
    return float((times[at] - x[at] / speed) * 1000)


def ungated(smoother: Any) -> Any:
    """The same filter without rejection of outliers and jumps."""
    if isinstance(smoother, TwoPass):
        return replace(smoother, filter=ungated(smoother.filter))
    names = {field.name for field in fields(smoother)}
    return replace(smoother, **{name: None for name in ("outlier", "jump") if name in names})


def _run(smoother: Smoother, x: Float, times: NDArray[np.float64]) -> Float:
    """(T,) what the filter makes of a coordinate of an object of size 1, mean over its points."""
    t = len(x)
    inner = smoother.filter if isinstance(smoother, TwoPass) else smoother
    given = [getattr(inner, name, None) for name in ("noise", "motion")]
    points = max(len(value) if isinstance(value, tuple) else 1 for value in given)
    xy = np.stack([x, np.zeros(t)], -1)[:, None].repeat(points, 1)
    poses = Poses(xy, np.ones((t, points)), np.ones(t), boxes=np.tile((0.0, 0.0, 1.0, 1.0), (t, 1)))
    done: Track = ungated(smoother).track(Track(0, np.arange(t), times, poses))
    return np.asarray(done.poses.xy[..., 0].mean(1))
