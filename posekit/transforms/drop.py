"""Information dropping: parts of a crop turn black, so that a network must learn from the rest.

Labels and weights of hidden points are kept. It helps late in training: train normally first, then with dropping
(``start``).

Source: Huang et al. 2020, arXiv:2008.07139 (AID)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.geometry.skeleton import Skeleton

if TYPE_CHECKING:
    from posekit.data.sample import Sample

Mask = NDArray[np.bool_]
Kind = Literal["cutout", "hide_and_seek", "grid_mask", "coarse", "keypoint"]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Drop:
    """Which part of a training crop turns black. Applied to the finished crop; its points stay as they are."""

    probability: float = Field(default=0.0, ge=0, le=1)
    "share of crops with a hidden part, 0 to 1; 0 turns it off; published: 1"
    kind: Kind = "cutout"
    "shape of the hidden part: an ellipse, cells of a random grid, a lattice of squares, rectangles, a disc at a point"
    radius: float = Field(default=0.2, gt=0, le=1)
    "cutout: smallest radius (the largest is twice this); keypoint: largest radius; fraction of the shorter side"
    patches: int = Field(default=1, ge=1)
    "cutout, keypoint: number of hidden parts"
    grids: tuple[int, ...] = Field(default=(0, 16, 32, 44, 56), min_length=1)
    "hide_and_seek: sizes of the cells to choose from, pixels; 0 hides nothing"
    unit: tuple[int, int] = (10, 40)
    "grid_mask: smallest and largest period; coarse: smallest and largest side of a rectangle; pixels"
    share: float = Field(default=0.5, gt=0, lt=1)
    "hide_and_seek: probability that a cell is hidden; grid_mask: side of a hole as a fraction of the period"
    holes: int = Field(default=8, ge=1)
    "coarse: largest number of rectangles"
    start: float = Field(default=0.0, ge=0, lt=1)
    "share of the run before anything is hidden; published: 0.5, the second half of the run"

    def __post_init__(self) -> None:
        if any(size < 0 for size in self.grids):
            raise ValueError(f"drop.grids wants sizes of 0 (nothing hidden) or more pixels; got {self.grids}")
        if not 2 <= self.unit[0] <= self.unit[1]:
            raise ValueError(f"drop.unit wants a smallest and a largest size, at least 2 pixels; got {self.unit}")

    def __call__(self, sample: Sample, rng: np.random.Generator, skeleton: Skeleton) -> Sample:
        """The sample with part of its image black; the sample itself where nothing is hidden."""
        if not self.probability or rng.random() >= self.probability:
            return sample
        hidden = self.mask(sample, rng)
        image = sample.image * ~hidden[..., None]
        return dataclasses.replace(sample, image=image)

    def mask(self, sample: Sample, rng: np.random.Generator) -> Mask:
        """(H, W) bool: a new random mask of what turns black."""
        return _MASKS[self.kind](self, sample, rng)


def ellipse(size: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]) -> Mask:
    """(H, W) bool: the pixels whose centres lie in an upright ellipse.

    Args:
        size: (height, width).
        centre: x, y in pixels; may lie outside.
        radii: along x and y, pixels.
    """
    height, width = size
    x = (np.arange(width, dtype=np.float32) + 0.5 - centre[0]) / radii[0]
    y = (np.arange(height, dtype=np.float32) + 0.5 - centre[1]) / radii[1]
    return np.asarray((x * x)[None] + (y * y)[:, None] <= 1)


def _cutout(config: Drop, sample: Sample, rng: np.random.Generator) -> Mask:
    """Ellipses of radii 0.2 to 0.4 of the shorter side, anywhere.

    The reference takes both radii from the width, which is the shorter side of its portrait crops; on a landscape
    crop that would hide most of the height.
    """
    size = sample.image.shape[:2]
    mask = np.zeros(size, bool)
    for _ in range(config.patches):
        x, y, a, b = rng.random(4).tolist()
        reach = config.radius * min(size)
        mask |= ellipse(size, (x * size[1], y * size[0]), (reach * (1 + a), reach * (1 + b)))
    return mask


def _keypoint(config: Drop, sample: Sample, rng: np.random.Generator) -> Mask:
    """Discs near labelled points (AID v1): offset normal with deviation 0.2, radius 0.1 to 0.2 of the shorter side.

    Where no labelled point lies in the crop, plain cutout.
    """
    size = sample.image.shape[:2]
    points = sample.instances.keypoints
    inside = ((points.xy >= 0) & (points.xy <= (size[1], size[0]))).all(-1)
    at = points.xy[points.labelled & inside]
    if not len(at):
        return _cutout(config, sample, rng)
    mask = np.zeros(size, bool)
    for _ in range(config.patches):
        centre = at[rng.integers(len(at))] + rng.standard_normal(2) * 0.2 * min(size)
        radius = config.radius * float(rng.uniform(0.5, 1.0)) * min(size)
        mask |= ellipse(size, (float(centre[0]), float(centre[1])), (radius, radius))
    return mask


def _hide_and_seek(config: Drop, sample: Sample, rng: np.random.Generator) -> Mask:
    """Each cell of a grid of random size is hidden with probability ``share``.

    Differs from the reference, which never uses the last size and swaps rows with columns.
    """
    height, width = sample.image.shape[:2]
    cell = config.grids[int(rng.integers(len(config.grids)))]
    if cell == 0:
        return np.zeros((height, width), bool)
    cells = rng.random((-(-height // cell), -(-width // cell))) < config.share
    return cells.repeat(cell, 0)[:height].repeat(cell, 1)[:, :width]


def _grid_mask(config: Drop, sample: Sample, rng: np.random.Generator) -> Mask:
    """A lattice of square holes with random period and offset."""
    height, width = sample.image.shape[:2]
    period = int(rng.integers(config.unit[0], config.unit[1] + 1))
    hole = max(1, round(period * config.share))
    top, left = rng.integers(period, size=2).tolist()
    rows = (np.arange(height) + top) % period < hole
    columns = (np.arange(width) + left) % period < hole
    mask: Mask = rows[:, None] & columns
    return mask


def _coarse(config: Drop, sample: Sample, rng: np.random.Generator) -> Mask:
    """One to ``holes`` rectangles, each completely inside the crop."""
    height, width = sample.image.shape[:2]
    mask = np.zeros((height, width), bool)
    for _ in range(int(rng.integers(1, config.holes + 1))):
        tall, wide = np.minimum(rng.integers(config.unit[0], config.unit[1] + 1, 2), (height, width)).tolist()
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
        mask[top : top + tall, left : left + wide] = True
    return mask


_MASKS: dict[Kind, Callable[[Drop, Sample, np.random.Generator], Mask]] = {
    "cutout": _cutout,
    "hide_and_seek": _hide_and_seek,
    "grid_mask": _grid_mask,
    "coarse": _coarse,
    "keypoint": _keypoint,
}
