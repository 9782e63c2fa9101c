"""Synthetic people who move, at any frame rate: the truth against which filters over time are measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posekit.data.articulation import Articulation
from posekit.geometry.root import root_of
from posekit.geometry.skeleton import Skeleton

Float = NDArray[np.floating]

HEIGHT = 220.0
"""Of a person, pixels."""
FORWARD, BACKWARD = ("wrist", "hand", "toe", "foot"), ("ankle", "heel")
"""Words in the names of points whose bone, seen from the front, bends to one side only: elbows, knees, feet."""
IN_FRONT = {"nose": 0.12, "eye": 0.08, "mouth": 0.1}
"""Words in the names of points that lie before the plane of the body, and by how much, person units."""
PACES = (0.0, 0.6, 1.0, 2.5)
"""How fast a person moves in a phase: rest, slow, usual, fast."""
FINE = 500
"""Steps a second in which the pace is integrated."""


def moving_person(skeleton: Skeleton, seconds: float, fps: float, seed: int) -> tuple[NDArray[np.float64], Float]:
    """A person who turns every bone by sums of sinusoids, walks, stops, and at times moves fast.

    The same seed gives the same movement at any frame rate.

    Args:
        skeleton: of K points.
        seconds: duration.
        fps: frame rate.
        seed: of the movement.

    Returns:
        (T,) times in seconds and (T, K, 2) points in pixels.
    """
    rng = np.random.default_rng(seed)
    times: NDArray[np.float64] = np.arange(round(seconds * fps)) / fps
    inner = _inner_time(rng, seconds, times)
    k = len(skeleton.points)
    draws = np.empty((len(times), 3, k))
    draws[:, 0] = 0.5 + 0.45 * _waves(rng, inner, k, 0.3, 1.3)
    draws[:, 1] = 0.5 + 0.45 * _waves(rng, inner, k, 0.1, 0.4)
    draws[:, 2] = rng.random(k)
    body, _ = Articulation.of(skeleton).pose(draws)
    scale, centre = _walk(rng, inner)
    return times, body * scale[..., None] + centre[:, None]


def turning_person(
    skeleton: Skeleton, seconds: float, fps: float, seed: int
) -> tuple[NDArray[np.float64], Float, Float]:
    """A person as in `moving_person` who also turns about the vertical, with the depth of each point.

    Seen without perspective, a bone that leans towards the camera looks like one that leans away. What tells them apart
    is what tells them apart in people: elbows and knees bend to one side, and the face lies before the ears.

    Args:
        skeleton: of K points.
        seconds: duration.
        fps: frame rate.
        seed: of the movement.

    Returns:
        (T,) times in seconds, (T, K, 2) points in pixels, and (T, K) depths about the root in pixels, away from the
        camera.
    """
    rng = np.random.default_rng(seed)
    times: NDArray[np.float64] = np.arange(round(seconds * fps)) / fps
    inner = _inner_time(rng, seconds, times)
    k = len(skeleton.points)
    tilt = _waves(rng, inner, k, 0.1, 0.5)
    bends = np.array([_bends(name) for name in skeleton.points])
    tilt = np.where(bends == 0, tilt, bends * np.abs(tilt))
    draws = np.empty((len(times), 3, k))
    draws[:, 0] = 0.5 + 0.45 * _waves(rng, inner, k, 0.3, 1.3)
    draws[:, 1] = 0.5 + 0.45 * tilt
    draws[:, 2] = rng.random(k)
    body, deep = Articulation.of(skeleton).pose(draws)
    deep = deep - np.array(
        [max((d for word, d in IN_FRONT.items() if word in n), default=0.0) for n in skeleton.points]
    )
    angle = rng.uniform(-np.pi, np.pi) + 1.5 * _waves(rng, inner, 1, 0.05, 0.3)
    x = body[..., 0] * np.cos(angle) + deep * np.sin(angle)
    z = deep * np.cos(angle) - body[..., 0] * np.sin(angle)
    scale, centre = _walk(rng, inner)
    xy = np.stack([x, body[..., 1]], -1) * scale[..., None] + centre[:, None]
    root = list(root_of(skeleton.points))
    return times, xy, (z - z[:, root].mean(1, keepdims=True)) * scale


def _walk(rng: np.random.Generator, inner: Float) -> tuple[Float, Float]:
    """(T, 1) pixels of a person unit, and (T, 2) where the person is, pixels."""
    scale = HEIGHT / 2 * (1 + 0.15 * _waves(rng, inner, 1, 0.05, 0.15))
    along = 0.3 * HEIGHT * inner * rng.uniform(-1, 1) + 0.15 * HEIGHT * _waves(rng, inner, 1, 0.1, 0.3)[:, 0]
    bob = 0.02 * HEIGHT * np.sin(2 * np.pi * 1.8 * inner)
    return scale, np.stack([600 + along, 400 + bob], -1)


def _bends(name: str) -> int:
    """-1 of a point whose bone bends towards the camera, 1 away from it, 0 either way."""
    if any(word in name for word in FORWARD):
        return -1
    return int(any(word in name for word in BACKWARD))


def _inner_time(rng: np.random.Generator, seconds: float, times: Float) -> Float:
    """(T,) the time of the movement: it stands still in rests and runs faster in fast phases."""
    count = int(seconds / 0.8) + 2
    pace = rng.choice(PACES, count, p=(0.2, 0.25, 0.4, 0.15))
    fine = np.arange(int(seconds * FINE) + 2) / FINE
    steps = pace[np.minimum((fine / 0.8).astype(int), count - 1)]
    # Changes of pace take a fifth of a second.
    window = np.hanning(FINE // 5 + 2)
    smooth = np.convolve(np.pad(steps, len(window) // 2, mode="edge"), window / window.sum(), mode="same")
    smooth = smooth[len(window) // 2 :][: len(fine)]
    passed = np.concatenate([[0.0], np.cumsum(smooth)[:-1] / FINE])
    return np.asarray(np.interp(times, fine, passed))


def _waves(rng: np.random.Generator, time: Float, count: int, low: float, high: float) -> Float:
    """(T, count) sums of three sinusoids within [-1, 1]; frequencies in Hz."""
    weight = rng.dirichlet(np.ones(3), count)
    rate, phase = rng.uniform(low, high, (count, 3)), rng.uniform(0, 2 * np.pi, (count, 3))
    return np.asarray((weight * np.sin(2 * np.pi * rate * time[:, None, None] + phase)).sum(-1))
