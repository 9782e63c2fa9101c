"""What a tracker knows of its tracks: where they were, how fast they move, and how sure that is.

The motion of an instance is that of a body that keeps its velocity, with random accelerations: a Kalman filter of its
location and velocity, alike in x and y, in units of the instance's size. All points and the box move with it; the
shape is that seen last.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.boxes import area, or_around_points, usable
from posekit.geometry.keypoints import Poses

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Index = NDArray[np.intp]
Rows = Any
"""A mask or indices of tracks or instances."""

NOISE = 0.08
"""Standard deviation of the location of an instance that a model finds, in its sizes."""

FIRST_SPEED = 2.0
"""Standard deviation of the velocity of an instance seen once, in its sizes a second."""

MISSING = 0.5
"""Factor of the weight of a point in each frame in which it is not found."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Instances of a frame, as a tracker compares them.

    Args:
        xy: (N, K, 2) pixels, finite.
        weight: (N, K) in [0, 1]: score of each point, 0 where it is not finite.
        boxes: (N, 4) finite.
        size: (N,) square root of the area of the box, at least a pixel.
        score: (N,) of the instance, 0 where it is not finite.
        category: (N,), zeros where there is none.
        known: (N,) bool, whether there is a box with an extent or a point.
    """

    xy: Float
    weight: Float
    boxes: Float
    size: Float
    score: Float
    category: Int
    known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.xy)

    def __getitem__(self, rows: Rows) -> Seen:
        return Seen(*(getattr(self, field.name)[rows] for field in fields(self)))


def seen(poses: Poses) -> Seen:
    """Instances of one image; without usable boxes those around the points that are finite."""
    xy = np.asarray(poses.xy, np.float64)
    finite = np.asarray(np.isfinite(xy).all(-1))
    score = np.asarray(poses.score, np.float64)
    weight = np.where(finite & np.isfinite(score), np.clip(score, 0.0, 1.0), 0.0)
    xy = np.where(finite[..., None], xy, 0.0)
    given = np.zeros((len(xy), 4)) if poses.boxes is None else np.asarray(poses.boxes, np.float64)
    given = np.where(usable(given)[:, None], given, 0.0)
    boxes = or_around_points(given, xy, weight > 0, margin=0.0).astype(np.float64)
    category = np.zeros(len(xy), np.int64) if poses.category is None else np.asarray(poses.category, np.int64)
    total = np.asarray(poses.instance_score, np.float64)
    return Seen(
        xy=xy,
        weight=weight,
        boxes=boxes,
        size=np.sqrt(np.maximum(area(boxes), 1.0)),
        score=np.where(np.isfinite(total), total, 0.0),
        category=category,
        known=usable(boxes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The tracks at one time.

    Args:
        ids: (M,) from 1; 0 for one that is not confirmed yet.
        hits: (M,) frames in which it was found.
        time: (M,) seconds when it was found last.
        category: (M,).
        xy: (M, K, 2) pixels.
        weight: (M, K) in [0, 1], as in `Seen`.
        boxes: (M, 4) pixels.
        size: (M,) square root of the area, pixels.
        velocity: (M, 2) pixels a second.
        variance: (M, 3) of the location, of location with velocity, of the velocity; in squared sizes (and seconds).
    """

    ids: Int
    hits: Int
    time: Float
    category: Int
    xy: Float
    weight: Float
    boxes: Float
    size: Float
    velocity: Float
    variance: Float

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Rows) -> Motion:
        return Motion(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def none(cls, points: int) -> Motion:
        """No track, of instances with so many points."""
        return born(seen(Poses.empty(points)), 0.0)

    def joined(self, other: Motion) -> Motion:
        """These tracks, then those of ``other``."""
        return Motion(*(np.concatenate([getattr(m, f.name) for m in (self, other)]) for f in fields(self)))

    def moved(self, step: Float) -> Motion:
        """Points and boxes moved by ``step`` (M, 2) pixels."""
        return replace(self, xy=self.xy + step[:, None], boxes=self.boxes + np.tile(step, 2))

    def predicted(self, seconds: float, agility: float) -> Motion:
        """The tracks so many seconds later.

        Args:
            seconds: since the time of this state.
            agility: standard deviation of the change of velocity within a second, in sizes a second.
        """
        t, q = seconds, agility**2
        place, both, speed = self.variance.T
        later = (place + 2 * t * both + t**2 * speed + q * t**3 / 3, both + t * speed + q * t**2 / 2, speed + q * t)
        return replace(self.moved(self.velocity * t), variance=np.stack(later, -1))

    def corrected(self, rows: Index, found: Seen, time: float) -> Motion:
        """The tracks ``rows`` (P,) after the instances ``found`` (P) were assigned to them at ``time``."""
        old = self[rows]
        step = displacement(old, found)
        new = old.shifted(step, NOISE)
        # The shape is the one seen, at the location of the filter.
        back = centres(new.boxes) - centres(old.boxes) - step
        there = found.weight > 0
        new = replace(
            new,
            hits=old.hits + 1,
            time=np.full(len(old), time),
            category=found.category,
            xy=np.where(there[..., None], found.xy + back[:, None], new.xy),
            weight=np.where(there, found.weight, MISSING * old.weight),
            boxes=found.boxes + np.tile(back, 2),
            size=np.sqrt(old.size * found.size),
        )
        return self.replaced(rows, new)

    def shifted(self, step: Float, noise: float) -> Motion:
        """The tracks after they were measured ``step`` (M, 2) pixels away, with this standard deviation in sizes."""
        place, both, speed = self.variance.T
        gain, push = place / (place + noise**2), both / (place + noise**2)
        variance = np.stack(((1 - gain) * place, (1 - gain) * both, speed - push * both), -1)
        moved = self.moved(gain[:, None] * step)
        return replace(moved, velocity=self.velocity + push[:, None] * step, variance=variance)

    def replaced(self, rows: Index, new: Motion) -> Motion:
        """The tracks, those of ``rows`` (P,) replaced."""
        changed = {}
        for field in fields(self):
            values = getattr(self, field.name).copy()
            values[rows] = getattr(new, field.name)
            changed[field.name] = values
        return Motion(**changed)


def born(found: Seen, time: float) -> Motion:
    """A track for each instance, not confirmed and at rest."""
    N = len(found)
    return Motion(
        ids=np.zeros(N, np.int64),
        hits=np.ones(N, np.int64),
        time=np.full(N, time),
        category=found.category,
        xy=found.xy,
        weight=found.weight,
        boxes=found.boxes,
        size=found.size,
        velocity=np.zeros((N, 2)),
        variance=np.tile([NOISE**2, 0.0, FIRST_SPEED**2], (N, 1)),
    )


def centres(boxes: Float) -> Float:
    """(..., 2) centres of boxes (..., 4)."""
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2)


def displacement(old: Motion, found: Seen) -> Float:
    """(P, 2) pixels from each track to its instance: weighted mean over the points, or of the boxes without any."""
    weight = old.weight * found.weight
    total = weight.sum(-1)[:, None]
    mean = ((found.xy - old.xy) * weight[..., None]).sum(1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mean, centres(found.boxes) - centres(old.boxes))
