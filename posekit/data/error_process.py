"""How a model errs from frame to frame: residuals measured on labelled images, drawn again along time.

`error_process.json` holds what `python -m benchmarks.error_process` measured. Residuals are lengths in object sizes
(mean of width and height of the box). For each kind of point (mirror points share one) it has quantiles of the length,
and of the score for each range of lengths: long residuals have lower scores. Left and right exchanged is a state of its
own.

Labelled images say nothing about how errors follow one another in a video. Here they are a Gauss-Markov process with
a correlation time that is an assumption, and is varied.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.geometry.skeleton import Skeleton

Float = NDArray[np.floating]

FILE = Path(__file__).with_suffix(".json")
RANKS = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 99.5, 100)
"""Percentiles of the length."""
BANDS = (0, 25, 50, 75, 90, 97, 100)
"""Percentiles of the length between which scores are described."""
SCORE_RANKS = (0, 5, 25, 50, 75, 95, 100)
"""Percentiles of the score."""
SWAP_SECONDS = 0.08
"""Mean duration of an exchange of left and right: an assumption."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorProcess:
    """The errors of a model.

    Args:
        model: its name.
        length: kind of point to (19,) quantiles of the residual's length at `RANKS`, object sizes.
        score: kind of point to (6, 7) quantiles of the score at `SCORE_RANKS`, for each band of lengths.
        swapped: kind of point to the share of pairs that are exchanged.
    """

    model: str
    length: dict[str, Float]
    score: dict[str, Float]
    swapped: dict[str, float]

    @classmethod
    def load(cls, file: Path = FILE) -> ErrorProcess:
        """Read the measured process."""
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        kinds = found["kinds"]
        return cls(
            model=found["model"],
            length={kind: np.array(row["length"]) for kind, row in kinds.items()},
            score={kind: np.array(row["score"]) for kind, row in kinds.items()},
            swapped={kind: row["swapped"] for kind, row in kinds.items()},
        )

    def draw(
        self, xy: Float, size: Float, times: Float, skeleton: Skeleton, correlation: float, rng: np.random.Generator
    ) -> tuple[Float, Float]:
        """What the model would have seen of a true track.

        A kind of point that was not measured errs as the mean of those that were.

        Args:
            xy: (T, K, 2) true points.
            size: (T,) of the object, in the same unit.
            times: (T,) seconds.
            skeleton: of K points.
            correlation: time after which two errors correlate by 1/e, seconds; 0: frames err independently.
            rng: source of randomness.

        Returns:
            (T, K, 2) measured points and (T, K) scores.
        """
        kinds = [kind_of(skeleton, k) for k in range(len(skeleton.points))]
        t, k = xy.shape[:2]
        latent = _markov(rng, times, (k, 3), correlation)
        rank = 100 * -np.expm1(-(latent[..., :2] ** 2).sum(-1) / 2)
        mark = 100 * _normal_cdf(latent[..., 2])
        long, score = np.zeros((t, k)), np.zeros((t, k))
        for point, kind in enumerate(kinds):
            length, scores = _of(self.length, kind), _of(self.score, kind)
            long[:, point] = np.interp(rank[:, point], RANKS, length)
            band = np.clip(np.searchsorted(BANDS, rank[:, point], side="right") - 1, 0, len(BANDS) - 2)
            rows = np.stack([np.interp(mark[:, point], SCORE_RANKS, row) for row in scores])
            score[:, point] = rows[band, np.arange(t)]
        away = latent[..., :2] / np.maximum(np.linalg.norm(latent[..., :2], axis=-1, keepdims=True), 1e-12)
        measured = xy + away * (long * size[:, None])[..., None]
        return self._swapped(measured, times, skeleton, kinds, rng), score

    def _swapped(
        self, xy: Float, times: Float, skeleton: Skeleton, kinds: list[str], rng: np.random.Generator
    ) -> Float:
        flip = np.array(skeleton.flip)
        share = np.array([float(_of(self.swapped, kind)) for kind in kinds])
        dt = float(np.median(np.diff(times)))
        leave = min(dt / SWAP_SECONDS, 1.0)
        enter = share * leave / np.maximum(1 - share, 1e-9)
        draws = rng.random(xy.shape[:2])
        draws = draws[:, np.minimum(np.arange(len(flip)), flip)]
        on = np.zeros(xy.shape[:2], bool)
        now = draws[0] < share
        for frame in range(len(xy)):
            now = np.where(now, draws[frame] >= leave, draws[frame] < enter)
            on[frame] = now
        return np.where(on[..., None], xy[:, flip], xy)


def kind_of(skeleton: Skeleton, point: int) -> str:
    """Name of a point without left and right."""
    return skeleton.points[point].removeprefix("left_").removeprefix("right_")


def _of(known: Mapping[str, Any], kind: str) -> Float:
    """What is known of a kind of point, else the mean of all."""
    return np.asarray(known[kind] if kind in known else np.mean(list(known.values()), 0))


def described(
    model: str, lengths: dict[str, Float], scores: dict[str, Float], swapped: dict[str, float]
) -> dict[str, Any]:
    """Quantiles of measured residuals, to be written to `FILE`.

    Args:
        model: its name.
        lengths: kind to (M,) lengths, object sizes.
        scores: kind to (M,) scores.
        swapped: kind to share.
    """
    kinds = {}
    for kind, length in lengths.items():
        edges = np.percentile(length, BANDS)
        bands = []
        for low, high in itertools.pairwise(edges):
            inside = scores[kind][(length >= low) & (length <= high)]
            bands.append(np.percentile(inside, SCORE_RANKS).round(3).tolist())
        kinds[kind] = {
            "measured": len(length),
            "length": np.percentile(length, RANKS).round(5).tolist(),
            "score": bands,
            "swapped": round(swapped[kind], 4),
        }
    return {"model": model, "kinds": kinds}


def _markov(rng: np.random.Generator, times: Float, shape: tuple[int, ...], correlation: float) -> Float:
    """(T, *shape) standard normal, correlated by exp(-dt / correlation)."""
    draws = rng.standard_normal((len(times), *shape))
    if correlation <= 0:
        return draws
    keep = np.exp(-np.diff(times) / correlation)
    for frame, share in enumerate(keep, 1):
        draws[frame] = share * draws[frame - 1] + np.sqrt(1 - share**2) * draws[frame]
    return draws


def _normal_cdf(x: Float) -> Float:
    """The normal distribution function (Abramowitz and Stegun 26.2.17, error below 1e-7)."""
    t = 1 / (1 + 0.2316419 * np.abs(x))
    tail = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    upper = tail * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.where(x >= 0, 1 - upper, upper))
