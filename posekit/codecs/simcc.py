"""SimCC: each coordinate as a classification over bins finer than a pixel."""

import math
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import bell, sane
from posekit.codecs.dark import refine_line
from posekit.codecs.inverse import log_of, target_map
from posekit.codecs.ranking import first_highest
from posekit.codecs.regression import Size
from posekit.codecs.single import inside_image, levels, one_depth, one_labelled, one_pose
from posekit.geometry.grid import Grid, RatioGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SimCC:
    """Two classifications for each point, one over columns and one over rows.

    Bins are the cells of a grid finer than the image, so their centres lie at ``(bin + 0.5) / split`` pixels.

    Source: Li et al. 2022, arXiv:2107.03332. Differs: the centre of a Gaussian is never rounded, and the score is the
    probability of the chosen bin over that of a perfect prediction, where the references report raw outputs.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Size, Size]]
    split: float = Field(default=2.0, gt=0)
    "bins per pixel"
    target: Literal["gaussian", "smoothed"] = "gaussian"
    "gaussian: a Gaussian over bins; smoothed: one bin, with label smoothing"
    sigma: float = Field(default=3.0, gt=0)
    "sigma of the Gaussian, image pixels"
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    "label smoothing: fraction of the target that is spread over the other bins"
    refine: Literal["none", "expectation", "dark"] = "none"
    "none: highest bin; expectation: mean of all bins; dark: a Newton step from the highest bin"
    outside: Literal["window", "strict", "ignore"] = "window"
    """points outside the image: window trains on the part of the Gaussian inside it, strict leaves them out, ignore
    trains on the resulting target; a smoothed target always needs a bin inside"""
    compat: Literal["none", "ratio"] = "none"
    "ratio: the first bin lies on the centre of the first pixel, as for published weights"
    depth: Annotated[float, Field(gt=0)] | None = None
    "depth range around the root, in the unit of the data's depths; unset: no depth is predicted"
    depth_bins: int = Field(default=128, ge=2)
    "bins along the depth; its Gaussian is as many bins wide as that of x"
    kind: Suppress[Literal["simcc"]] = "simcc"

    @property
    def gives(self) -> frozenset[str]:
        """Also ``z`` where ``depth`` is set."""
        return frozenset({"x", "y", "z"} if self.depth else {"x", "y"})

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    @property
    def grid(self) -> Grid:
        """The bins as cells of a map over the image."""
        (height, width), kind = self.size, RatioGrid if self.compat == "ratio" else Grid
        rows, columns = max(1, round(height * self.split)), max(1, round(width * self.split))
        return kind(height=rows, width=columns, image_height=height, image_width=width)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Two or three rows of bins for each point."""
        rows, columns = self.grid.shape
        axes: dict[str, tuple[int, ...]] = {"x": (self.points, columns), "y": (self.points, rows)}
        return {**axes, "z": (self.points, self.depth_bins)} if self.depth else axes

    def encode(self, instances: Instances) -> Target:
        """A distribution over the bins of each axis.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``x`` (B, K, columns) and ``y`` (B, K, rows), zero where nothing is known, with weight (B, K, 1). A Gaussian
            is normalised by ``1 / (sigma sqrt(2 pi))``; its sum is below 1 where a part lies beyond the border. ``z``
            (B, K, depth_bins) likewise where the depth is known.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        grid, cells = self.grid, self.grid.cells(xy)
        lines, drawn = [], torch.ones_like(known)
        for axis, bins in enumerate((grid.width, grid.height)):
            line, seen = self._line(cells[..., axis], bins, self.sigma / grid.scale[axis])
            lines.append(line)
            drawn = drawn & seen
        if self.outside == "window" or self.target == "smoothed":
            known = known & drawn
        if self.outside == "strict":
            known = known & inside_image(xy, self.size)
        weight = known.to(xy.dtype)[..., None]
        maps = {"x": lines[0] * weight, "y": lines[1] * weight, "xy": xy[:, None]}
        weights = {"x": weight, "y": weight, "xy": weight[:, None]}
        if self.depth:
            depth, depth_known = one_depth(instances, known)
            level = levels(depth.to(xy.dtype), self.depth, self.depth_bins)
            line, seen = self._line(level, self.depth_bins, self.sigma / grid.scale[0])
            weights["z"] = (depth_known & seen).to(xy.dtype)[..., None]
            maps["z"] = line * weights["z"]
        return Target(maps=maps, weight=weights)

    def _line(self, center: Tensor, bins: int, sigma: float) -> tuple[Tensor, Tensor]:
        """(B, K, bins) distribution around each centre (B, K), and (B, K) bool: whether it reaches a bin."""
        if self.target == "gaussian":
            seen = (center + 3 * sigma >= 0) & (center - 3 * sigma <= bins - 1)
            return bell(center, bins, sigma) / (sigma * math.sqrt(2 * math.pi)), seen
        chosen = center.round()[..., None]
        hit = torch.arange(bins, dtype=center.dtype, device=center.device) == chosen
        rest = self.smoothing / max(bins - 1, 1)
        return torch.where(hit, 1 - self.smoothing, rest).to(center.dtype), hit.any(-1)

    def activate(self, maps: Maps) -> Maps:
        """The raw maps; an arg-max has no gradient, so there is no ``xy``."""
        return dict(maps)

    def perfect(self, target: Target) -> Maps:
        """Logarithms of the distributions; the softmax normalises a Gaussian that is cut off at the border."""
        return {name: log_of(target_map(target, name, self.kind)) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """The bins of each axis, refined.

        Args:
            maps: ``x`` (B, K, columns) and ``y`` (B, K, rows) logits; NaN bins are never chosen.

        Returns:
            Poses (B, 1, K): image pixels; the score is that of the less certain axis.
        """
        grid = self.grid
        read = [self._peak(maps[name], self.sigma / grid.scale[axis]) for axis, name in enumerate("xy")]
        depth = None
        if self.depth:
            level, _ = self._peak(maps["z"], self.sigma / grid.scale[0])
            depth = ((level + 0.5) / self.depth_bins - 0.5) * self.depth
        locations, scores = zip(*read, strict=True)
        return one_pose(grid.pixels(torch.stack(locations, -1)), torch.minimum(*scores), depth=depth)

    def _peak(self, logits: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """(B, K) position in bins, and (B, K) its probability over that of a perfect prediction."""
        clean = sane(logits)
        # The highest logit, not the highest probability: probabilities are rounded and may become equal.
        probability, chosen = clean.softmax(-1), first_highest(clean)[1]
        top = probability.gather(-1, chosen[..., None])[..., 0]
        best = 1 - self.smoothing if self.target == "smoothed" else min(1.0, 1 / (sigma * math.sqrt(2 * math.pi)))
        finite = (logits == logits).any(-1)
        return self._place(probability, chosen, sigma), (top / best).clamp(max=1.0) * finite

    def _place(self, probability: Tensor, chosen: Tensor, sigma: float) -> Tensor:
        """(B, K) position in bins."""
        if self.refine == "dark":
            width = max(1, int((20 * sigma - 7) // 3))
            return refine_line(probability, chosen, width - 1 + width % 2)
        if self.refine == "expectation":
            bins = torch.arange(probability.shape[-1], dtype=probability.dtype, device=probability.device)
            return (probability * bins).sum(-1)
        return chosen.to(probability.dtype)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Reverse the bins of x; exact, but off by ``split - 1`` bins with ``compat="ratio"``."""
        swapped = {name: value[:, list(order)] for name, value in maps.items() if name in self.shapes}
        return {**swapped, "x": swapped["x"].flip(-1)}
