"""The filter for a clip from one number: the lag that is accepted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from posekit.geometry.tracks import Track
from posekit.postprocess.smooth.base import Smoother
from posekit.postprocess.smooth.ema import Ema
from posekit.postprocess.smooth.lag import lag as phase_lag
from posekit.postprocess.smooth.median import Median
from posekit.postprocess.smooth.one_euro import OneEuro
from posekit.postprocess.smooth.rts import Rts
from posekit.postprocess.smooth.savgol import SavGol
from posekit.postprocess.smooth.trial import TAILS, Clip, Trial
from posekit.postprocess.smooth.two_pass import TwoPass

LEAST_LAG = 0.1
"""Frames: a smaller accepted lag counts as this, since no filter but none at all has less."""
MARGIN, SLACK = 0.15, 0.02
"""Frames by which the lag that is aimed at lies below the accepted one, since it is measured on noisy tracks; and by
which the measured lag may exceed what is aimed at."""
FACTORS = tuple(2.0**n for n in range(-2, 5))
"""Factors on the clip's motion that are tried for the Kalman filter."""
CUTOFFS = (0.3, 1.0, 2.0)
"""Cutoffs at rest that are tried for One-Euro, Hz."""
GATES = (None, 0.25)
"""Limits for outliers that are tried; rejecting them delays the beginning of fast movements."""
ROUNDS = 5
"""Halvings of an interval of settings."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A filter and how it did."""

    smoother: Any
    trial: Trial

    @property
    def cost(self) -> float:
        """Jitter times error; lower is better."""
        return self.trial.jitter * self.trial.error


class _Search:
    """Filters tried on a clip with an accepted lag."""

    def __init__(self, clip: Clip, lag: float) -> None:
        self.clip, self.lag = clip, lag
        self.frame = 1000 / clip.noise.fps
        self.limit = max(lag - (MARGIN - SLACK) * self.frame, LEAST_LAG * self.frame)
        self.target = max(lag - MARGIN * self.frame, 0.0)

    def run(self, smoother: Smoother) -> Tried:
        """Try a filter; where the clip shows no lag, it is that of a swing once a second."""
        found = self.clip.trial(smoother)
        if not math.isfinite(found.lag):
            late = phase_lag(smoother, self.clip.noise.fps, min(1.0, self.clip.noise.fps / 4))
            found = Trial(late, found.jitter, found.error)
        return Tried(smoother, found)

    def strongest(self, made: Callable[[float], Smoother], low: float, high: float) -> Tried:
        """The filter with the largest strength whose lag is accepted; the weakest where none is.

        Args:
            made: the filter of a strength; lag grows with it.
            low: positive, the weakest.
            high: the strongest.
        """
        best, top = self.run(made(low)), self.run(made(high))
        if top.trial.lag <= self.limit:
            return top
        for _ in range(ROUNDS):
            middle = math.sqrt(low * high)
            tried = self.run(made(middle))
            if tried.trial.lag <= self.limit:
                best, low = tried, middle
            else:
                high = middle
        return best


def tuned(name: str, tracks: Sequence[Track] | Clip, lag_ms: float) -> Smoother:
    """The filter of this kind that is best for a clip, with at most the accepted lag.

    Noise, motion and how much scores matter are estimated from the tracks; the lag is measured on the clip itself
    against a smoother that looks ahead. Among settings whose lag is accepted that with the least jitter times error is
    taken. Where no setting has so little lag, the weakest is.

    Args:
        name: of `posekit.postprocess.smooth.SMOOTHERS`. Offline filters have no lag.
        tracks: of a clip, one skeleton; or a `Clip` of them, which remembers what was tried. A clip of less than about
            a second says little; defaults are then used.
        lag_ms: accepted lag, ms.

    Raises:
        ValueError: the name is unknown, the lag negative, or there is no track.
    """
    if name not in _TUNERS:
        raise ValueError(f"there is no filter {name!r}; expected one of {', '.join(_TUNERS)}")
    if not lag_ms >= 0:
        raise ValueError(f"the accepted lag cannot be negative; got {lag_ms} ms")
    clip = tracks if isinstance(tracks, Clip) else Clip([track for track in tracks if len(track)])
    found: Smoother = _TUNERS[name](_Search(clip, lag_ms)).smoother
    return found


def _ema(search: _Search) -> Tried:
    def made(gate: float | None) -> Callable[[float], Ema]:
        return lambda tau: Ema(tau=round(tau, 3), outlier=gate)

    high = 5 * max(search.lag, search.frame)
    return _best(search, [search.strongest(made(gate), 0.02 * search.frame, high) for gate in GATES])


def _one_euro(search: _Search) -> Tried:
    def made(cutoff: float, gate: float | None) -> Callable[[float], OneEuro]:
        return lambda strength: OneEuro(min_cutoff=cutoff, beta=round(1 / strength, 6), outlier=gate)

    pairs = [(cutoff, gate) for cutoff in CUTOFFS for gate in GATES]
    return _best(search, [search.strongest(made(*pair), 1e-3, 1e2) for pair in pairs])


def _median(search: _Search) -> Tried:
    widest = max(int(2 * search.lag / 1000 * search.clip.noise.fps) + 3, 1)
    sizes = range(1, min(widest, 31) + 1)
    return _best(search, [search.run(Median(frames=frames, outlier=gate)) for frames in sizes for gate in GATES])


def _kalman(search: _Search) -> Tried:
    return _best(search, [found for factor in FACTORS for found in _with_delay(search, factor)])


def _with_delay(search: _Search, factor: float) -> list[Tried]:
    """The filter with so much motion, and the same with a delay that uses up the accepted lag."""
    plain = search.run(search.clip.kalman(factor))
    left = search.target - plain.trial.lag
    if left <= 0.05 * search.frame:
        return [plain]
    first = search.run(search.clip.kalman(factor, left))
    gained = first.trial.lag - plain.trial.lag
    if not gained > 0:
        return [plain, first]
    return [plain, first, search.run(search.clip.kalman(factor, left * float(np.clip(left / gained, 0.3, 3.0))))]


def _best(search: _Search, tried: Sequence[Tried]) -> Tried:
    """The one with the least cost whose lag is accepted, or the one with the least lag."""
    accepted = [t for t in tried if t.trial.lag <= search.limit]
    return min(accepted, key=lambda t: t.cost) if accepted else min(tried, key=lambda t: t.trial.lag)


def _reach(search: _Search) -> float:
    """Decay rate of the best smoother's kernel, 1/s: `(q / (4 r dt))^(1/4)` for noise r and motion q, over points."""
    found = search.clip.noise
    ratio = np.asarray(found.motion) / np.asarray(found.noise)
    return float(np.median((ratio**2 * found.fps / 4) ** 0.25))


def _rts(search: _Search) -> Tried:
    found = search.clip.noise
    return Tried(
        Rts(noise=found.noise, motion=found.motion, trust=found.trust, tails=TAILS, outlier=None), Trial(0, 0, 0)
    )


def _savgol(search: _Search) -> Tried:
    frames = 6 / _reach(search) * search.clip.noise.fps
    return Tried(SavGol(frames=max(2 * round((frames - 1) / 2) + 1, 3)), Trial(0, 0, 0))


def _two_pass(search: _Search) -> Tried:
    return Tried(TwoPass(filter=Ema(tau=round(2000 / (3 * _reach(search)), 3))), Trial(0, 0, 0))


_TUNERS: dict[str, Callable[[_Search], Tried]] = {
    "ema": _ema,
    "one-euro": _one_euro,
    "kalman": _kalman,
    "median": _median,
    "savgol": _savgol,
    "rts": _rts,
    "two-pass": _two_pass,
}
