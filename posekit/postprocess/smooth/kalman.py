"""Kalman filter with constant velocity, and its fixed-lag smoother: the best use of a delay that one accepts."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from tyro.conf import Suppress

from posekit.postprocess.smooth.causal import Causal, CausalStream, Float
from posekit.postprocess.smooth.gate import Reading
from posekit.postprocess.smooth.handling import Handling
from posekit.postprocess.smooth.motion_model import Belief, predict, step_back, update
from posekit.postprocess.smooth.rows import State

MOST_FPS = 120
"""Frame rate up to which the whole delay is used."""
LEAST_SCORE = 0.05
"""Scores below this count as this."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Noise(Handling):
    """What the Kalman filter and the Rauch-Tung-Striebel smoother assume of measurements and motion.

    The variance of a measurement is ``(noise x size)^2``, divided by the score to the power ``2 x trust``, plus the
    square of the model's own ``spread`` times ``spread``.
    """

    noise: float | tuple[float, ...] = 0.02
    "standard deviation of a measured location with score 1, fraction of the object's size; one for all, or one a point"
    motion: float | tuple[float, ...] = 3.0
    """standard deviation of the change of speed within a second, object sizes per second; one for all, or one a point;
    in the model position: of the location"""
    trust: float = Field(default=1.0, ge=0)
    "how much a low score adds to the noise; 0: scores do not matter"
    spread: float = Field(default=0.0, ge=0)
    "weight of the standard deviation that the model gives for each point; 0: not used"
    tails: float | None = Field(default=4.0, gt=0)
    "degrees of freedom of Student's t, for measurements with outliers; unset: Gaussian, the textbook's filter"
    model: Literal["velocity", "position"] = "velocity"
    "velocity: a point keeps its speed; position: a point stays where it is (random walk)"

    def __post_init__(self) -> None:
        for name in ("noise", "motion"):
            values = getattr(self, name)
            values = values if isinstance(values, tuple) else (values,)
            if not values or not all(math.isfinite(v) and v > 0 for v in values):
                raise ValueError(f"{name} must be positive; got {getattr(self, name)}")

    def check_points(self, points: int) -> None:
        """Compare the number of values with the number of points.

        Raises:
            ValueError: noise or motion is given for another number of points.
        """
        for name in ("noise", "motion"):
            values = getattr(self, name)
            if isinstance(values, tuple) and len(values) not in (1, points):
                raise ValueError(
                    f"{name} has {len(values)} values for {points} points; give one, or one for each point"
                )

    def start(self, reading: Reading) -> Belief:
        """Beliefs (N, K, C) after a first measurement: at it, at rest, with a speed as uncertain as after a second."""
        r, q = self.variances(reading)
        vv = q * 1.0 if self.model == "velocity" else np.zeros_like(q)
        p = np.stack([r, np.zeros_like(r), np.broadcast_to(vv, r.shape)], -1)
        return Belief(reading.z, np.zeros_like(reading.z), p)

    def variances(self, reading: Reading) -> tuple[Float, Float]:
        """(N, K, C) of the measurements, square pixels, and (N, K, 1) of the motion in one second."""
        size = reading.size[:, None]
        r = (np.asarray(self.noise) * size) ** 2 / np.maximum(reading.score, LEAST_SCORE) ** (2 * self.trust)
        own = (self.spread * reading.spread) ** 2
        if reading.z.shape[-1] > 2:
            own = np.concatenate([own, np.zeros_like(own[..., :1])], -1)
        motion = (np.asarray(self.motion) * size) ** 2
        return r[..., None] + own, np.broadcast_to(motion, r.shape)[..., None]

    def heavier(self, off: Float) -> Float:
        """By how much a measurement's variance grows with its distance from where it should be (Student's t).

        Args:
            off: (..., C) squared distances of each coordinate in units of the variance.

        Returns:
            (..., 1) factors of at least 1, from x and y.
        """
        if self.tails is None:
            return np.ones_like(off[..., :1])
        return np.asarray(np.maximum((self.tails + off[..., :2].sum(-1, keepdims=True)) / (self.tails + 2), 1.0))

    def advance(self, now: Belief, reading: Reading, factor: Float | None = None) -> Belief:
        """Beliefs after the next frame.

        Args:
            now: (N, K, C) beliefs.
            reading: of the frame.
            factor: (N, K, 1) on the variances of the measurements; ``None``: from their distance to the prediction.
        """
        r, q = self.variances(reading)
        moving = self.model == "velocity"
        ahead = predict(now, reading.dt[:, None, None], q, moving=moving)
        r = r * (self.heavier((reading.z - ahead.x) ** 2 / (ahead.p[..., 0] + r)) if factor is None else factor)
        done = update(ahead, reading.z, r)
        used, restart, first = reading.used[..., None], reading.restart[..., None], self.start(reading)

        def pick(a: Float, b: Float, c: Float) -> Float:
            extra = (...,) + (None,) * (a.ndim - used.ndim)
            return np.where(restart[extra], a, np.where(used[extra], b, c))

        return Belief(pick(first.x, done.x, ahead.x), pick(first.v, done.v, ahead.v), pick(first.p, done.p, ahead.p))


@dataclass(frozen=True, config=ConfigDict(extra="forbid"), kw_only=True)
class Kalman(Noise, Causal):
    """Location and speed of each point, weighted by how certain the measurement and the prediction are.

    With a ``delay`` each frame shows where the points were so long ago, computed from all measurements up to now
    (fixed-lag smoothing). At the same lag this is steadier and more accurate than a filter that lags by smoothing.

    Source: Kalman 1960; Rauch, Tung and Striebel 1965. Differs: measurements far from the prediction count less, as
    under Student's t (``tails``).
    """

    delay: float = Field(default=0.0, ge=0)
    "how far the shown points lie in the past, ms"
    kind: Suppress[Literal["kalman"]] = "kalman"

    @property
    def _held(self) -> int:
        return math.ceil(self.delay / 1000 * MOST_FPS) + 1 if self.delay else 0

    def stream(self, points: int) -> CausalStream:
        """A fresh stream for poses of so many points.

        Raises:
            ValueError: noise or motion is given for another number of points.
        """
        self.check_points(points)
        return super().stream(points)

    def fresh(self, count: int, points: int, channels: int) -> State:
        """Beliefs, and with a delay those of the last frames, the newest first."""
        zeros = np.zeros((count, points, channels))
        p = np.ones((count, points, channels, 3)) * (1.0, 0.0, 1.0)
        state = {"x": zeros, "v": zeros, "p": p}
        if self._held:
            for name, array in list(state.items()):
                state[f"past_{name}"] = np.repeat(array[:, None], self._held, 1)
            state["past_dt"] = np.zeros((count, self._held))
            state["past_on"] = np.zeros((count, self._held, points), bool)
        return state

    def step(self, state: State, reading: Reading) -> tuple[State, Float]:
        """Predict, correct, and go back by the delay."""
        now = self.advance(Belief(state["x"], state["v"], state["p"]), reading)
        new = {**state, "x": now.x, "v": now.v, "p": now.p}
        if not self._held:
            return new, now.x
        for name in ("x", "v", "p"):
            new[f"past_{name}"] = np.concatenate([new[name][:, None], state[f"past_{name}"][:, :-1]], 1)
        # past_dt[:, j] lies between frame j and the older frame j + 1; past_on: whether the older one is linked to it.
        new["past_dt"] = np.concatenate([reading.dt[:, None], state["past_dt"][:, :-1]], 1)
        goes_on = ~reading.restart & ~reading.reset[:, None]
        new["past_on"] = np.concatenate([goes_on[:, None], state["past_on"][:, :-1] & goes_on[:, None]], 1)
        return new, self._delayed(new, reading)

    def _delayed(self, state: State, reading: Reading) -> Float:
        """(N, K, C) smoothed locations at the time of the last frame less the delay."""
        _, q = self.variances(reading)
        wanted, moving = self.delay / 1000, self.model == "velocity"
        later = Belief(state["x"], state["v"], state["p"])
        shown = later.x
        age = np.zeros(len(shown))
        for j in range(self._held - 1):
            dt = state["past_dt"][:, j]
            if not (dt > 0).any() or (age >= wanted).all():
                break
            older = Belief(*(state[f"past_{name}"][:, j + 1] for name in ("x", "v", "p")))
            back = step_back(older, later, dt[:, None, None], q, moving=moving)
            on = (state["past_on"][:, j] & (dt > 0)[:, None])[..., None]
            back = Belief(np.where(on, back.x, later.x), np.where(on, back.v, later.v), older.p)
            share = np.clip((wanted - age) / np.where(dt > 0, dt, 1.0), 0.0, 1.0)[:, None, None]
            shown = np.where(share > 0, later.x + share * (back.x - later.x), shown)
            later, age = back, age + dt
        return shown
