"""Small tracks for the tests of filters over time."""

import numpy as np

from posekit.geometry.keypoints import Poses
from posekit.geometry.tracks import Track

OFF = {"outlier": None, "jump": None, "gap": 1e9}
"""Settings that leave a filter with its formula alone."""


def of_values(values, fps=1.0, size=1.0, score=None):
    """The track of one point whose x and y are the given values, in a box of the given size."""
    values = np.asarray(values, np.float64)
    t = len(values)
    xy = np.stack([values, values], -1)[:, None]
    score = np.ones((t, 1)) if score is None else np.asarray(score, np.float64)[:, None]
    boxes = np.tile((0.0, 0.0, size, size), (t, 1))
    return Track(3, np.arange(t), np.arange(t) / fps, Poses(xy, score, np.ones(t), boxes=boxes))


def x_of(track):
    """(T,) x of the first point."""
    return track.poses.xy[:, 0, 0]


def walk(frames=40, points=5, fps=25.0, size=100.0, noise=1.0, seed=0, id=3, speed=40.0):
    """A track of several points that swing about a moving centre, with noise; boxes are given."""
    rng = np.random.default_rng(seed)
    times = np.arange(frames) / fps
    rest = rng.uniform(-0.4, 0.4, (points, 2)) * size
    swing = 0.1 * size * np.sin(2 * np.pi * times[:, None, None] + rng.uniform(0, 6, (points, 2)))
    centre = np.stack([300 + speed * times, 200 + 0 * times], -1)
    xy = centre[:, None] + rest + swing + rng.normal(0, noise, (frames, points, 2))
    score = rng.uniform(0.4, 1.0, (frames, points))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], -1)
    return Track(id, np.arange(frames), times, Poses(xy, score, score.mean(-1), boxes=boxes))
