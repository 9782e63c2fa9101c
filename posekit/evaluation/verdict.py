"""The recommendation of a comparison in words, computed from its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posekit.evaluation.contrast import Contrast
from posekit.metrics.resampling import LEVEL

FASTER = 0.9
"""A method that is as accurate as the best is preferred if it takes at most this share of its time."""
NEGLIGIBLE = 0.05
"""A method is as accurate as the best if the whole interval of its gap is below this share of the best value."""


@dataclass(frozen=True)
class Gap:
    """How much worse a method is than the most accurate one.

    Args:
        name: of the method.
        value: difference of the main metric, positive: worse.
        low: lower end of its interval; NaN if there is none.
        high: upper end.
    """

    name: str
    value: float
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether the difference is certain at the level of the intervals."""
        return self.low > 0


@dataclass(frozen=True)
class Verdict:
    """What a comparison recommends.

    Args:
        take: the recommended method.
        best: the most accurate one; ``take`` unless that is as accurate and faster.
        gaps: of all others, from the most accurate on.
        sentences: the recommendation, its reasons and its uncertainty.
    """

    take: str
    best: str
    gaps: tuple[Gap, ...]
    sentences: tuple[str, ...]

    @property
    def tied(self) -> tuple[str, ...]:
        """Methods that cannot be told apart from the most accurate one."""
        return tuple(gap.name for gap in self.gaps if not gap.worse)


def gaps_of(result: Contrast, names: Sequence[str]) -> tuple[str, tuple[Gap, ...]]:
    """The most accurate of some methods, and the gap of every other one.

    The intervals hold for all of them together: each has the level 1 - 0.05 / count (Bonferroni).
    """
    order = [name for name in result.ranked() if name in names]
    best, others = order[0], order[1:]
    level = 1 - (1 - LEVEL) / max(len(others), 1)
    gaps = []
    for name in others:
        value, low, high = result.apart(name, best, result.main, level)
        worse = (-value, -high, -low) if result.higher else (value, low, high)
        gaps.append(Gap(name, *(number + 0.0 for number in worse)))  # no -0
    return best, tuple(gaps)


def verdict(
    best: str,
    gaps: Sequence[Gap],
    metric: str,
    images: int,
    *,
    values: Mapping[str, float],
    ms: Mapping[str, float] | None = None,
    about: str = "your",
) -> Verdict:
    """The recommendation.

    Args:
        best: the most accurate method.
        gaps: of the others.
        metric: that was compared.
        images: number of images.
        values: of the metric by method.
        ms: milliseconds of an image by method, where measured.
        about: whose images, in words.
    """
    times = {name: value for name, value in (ms or {}).items() if math.isfinite(value)}
    tied = [gap.name for gap in gaps if not gap.worse]
    worse = [gap for gap in gaps if gap.worse]
    least = NEGLIGIBLE * abs(values[best])
    equal = [gap.name for gap in gaps if not gap.worse and gap.high <= least]
    take = _preferred(best, equal, times)
    sentences = [_first(take, best, metric, values, times)]
    on = f"on {about} {images:,} image{'s' if images != 1 else ''}"
    if tied:
        names = listed([best, *tied])
        sentences.append(f"{names} cannot be told apart {on}: {_ranges([g for g in gaps if not g.worse], metric)}.")
    elif gaps:
        sentences.append(f"Every other method is worse {on}, beyond what the choice of images explains.")
    if worse:
        sentences.append(f"Worse than {best}: {_ranges(worse, metric)}.")
    maybe = [name for name in tied if times.get(name, math.inf) <= FASTER * times.get(take, 0.0)]
    if maybe:
        faster = listed([f"{name} ({times[name]:.3g} ms)" for name in maybe])
        sentences.append(f"Faster, and perhaps as accurate: {faster}; more validation images would tell.")
    if any(math.isnan(gap.low) for gap in gaps):
        sentences.append("Where no interval is given, there are too few images for one; label more to tell them apart.")
    return Verdict(take, best, tuple(gaps), tuple(sentences))


def _preferred(best: str, equal: Sequence[str], ms: Mapping[str, float]) -> str:
    """The fastest of those that are as accurate, if it is clearly faster than the most accurate one."""
    if best not in ms:
        return best
    fastest = min((name for name in (best, *equal) if name in ms), key=lambda name: ms[name])
    return fastest if ms[fastest] <= FASTER * ms[best] else best


def _first(take: str, best: str, metric: str, values: Mapping[str, float], ms: Mapping[str, float]) -> str:
    own = f"{metric} {values[take]:.4g}"
    speed = f", {ms[take]:.3g} ms an image" if take in ms else ""
    if take == best:
        return f"Take {take}: it is the most accurate ({own}{speed})."
    return (
        f"Take {take}: it is as accurate as the best, {best} ({metric} {values[best]:.4g}; {take} "
        f"{values[take]:.4g}), and takes {ms[take]:.3g} ms an image instead of {ms[best]:.3g}."
    )


def _ranges(gaps: Sequence[Gap], metric: str) -> str:
    """Each gap with its interval."""

    def told(gap: Gap) -> str:
        if gap.value == gap.low == gap.high == 0:
            return f"{gap.name} has the same {metric}"
        interval = "" if math.isnan(gap.low) else f" ({gap.low:.3g} to {gap.high:.3g})"
        return f"{gap.name} by {gap.value:.3g} {metric}{interval}"

    return ", ".join(map(told, gaps))


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["rle", "simcc", "dark"])
    'rle, simcc and dark'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
