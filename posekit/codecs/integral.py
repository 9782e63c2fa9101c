"""Soft arg-max: the mean of a map instead of its highest cell. It is differentiable, so that locations are trained."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.expectation import certainty, inside_cells, moments, peaked_cells, softmax_summary, spread_pixels
from posekit.codecs.heatmap import gaussian_maps
from posekit.codecs.inverse import soft_argmax_maps, target_map
from posekit.codecs.on_grid import OneMap
from posekit.codecs.single import one_labelled, one_pose
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Integral(OneMap):
    """Soft arg-max: the mean of ``exp(beta * map)``.

    The target also holds Gaussian maps, for a loss on the map beside or before the one on the location; decoding maps
    trained this way needs ``beta`` of 10 or more and ``bias="corrected"``.

    Source: Sun et al. 2018, arXiv:1711.08229; Gu et al., ICCV 2021.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    beta: float = Field(default=1.0, gt=0)
    "sharpness: 1 leaves it to the network, 10 and more approach the arg-max"
    bias: Literal["none", "corrected"] = "none"
    "corrected subtracts the background, which pulls every mean towards the middle of the map"
    window: Annotated[float, Field(gt=0)] | None = None
    "half width of the window around the highest cell over which the mean is taken, image pixels; unset: the full map"
    sigma: float = Field(default=8.0, gt=0)
    "sigma of the Gaussian target for losses on the map, image pixels"
    outside: Literal["strict", "ignore"] = "strict"
    "points beyond the outermost cell centres: strict leaves them out, ignore trains on them like on any other"
    kind: Suppress[Literal["integral"]] = "integral"

    gives = frozenset({"heatmap", "xy", "spread"})

    @property
    def radius(self) -> tuple[int, int] | None:
        """(x, y) half width in cells of the window of the mean, at least one cell."""
        if self.window is None:
            return None
        sx, sy = self.grid.scale
        return max(1, round(self.window / sx)), max(1, round(self.window / sy))

    def encode(self, instances: Instances) -> Target:
        """The locations, and a Gaussian map for each.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``xy``, and ``heatmap`` (B, K, H, W) with weight (B, K, 1, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        if self.outside == "strict":
            known = known & inside_cells(xy, self.grid)
        weight = known.to(xy.dtype)
        heatmap = gaussian_maps(xy, self.grid, self.sigma, weight)
        return Target(
            maps={"heatmap": heatmap, "xy": xy[:, None]},
            weight={"heatmap": weight[..., None, None], "xy": weight[:, None, :, None]},
        )

    def probability(self, heatmap: Tensor) -> Tensor:
        """(B, K, H, W) raw maps to distributions."""
        return peaked_cells(heatmap, self.beta, self.bias == "corrected", self.radius)

    def activate(self, maps: Maps) -> Maps:
        """The raw ``heatmap``, ``xy`` (B, 1, K, 2) and ``spread`` (B, 1, K, 2) in image pixels."""
        mean, variance = moments(self.probability(maps["heatmap"]))
        spread = spread_pixels(variance, self.grid)
        return {**maps, "xy": self.grid.pixels(mean)[:, None], "spread": spread[:, None]}

    def perfect(self, target: Target) -> Maps:
        """The target's map where the background is subtracted, else logits whose softmax is a Gaussian of one cell."""
        if self.bias == "corrected":
            return {"heatmap": target_map(target, "heatmap", self.kind)}
        return {"heatmap": soft_argmax_maps(target_map(target, "xy", self.kind)[:, 0], self.grid, self.beta)}

    def decode(self, maps: Maps) -> Poses:
        """Means; the score is 1 - entropy / log(cells) of the distribution, so it grows with ``beta``.

        Args:
            maps: ``heatmap`` (B, K, H, W); NaN cells are left out.
        """
        if self.bias == "none" and self.radius is None:
            mean, variance, sure = softmax_summary(maps["heatmap"], self.beta)
        else:
            probability = self.probability(maps["heatmap"])
            (mean, variance), sure = moments(probability), certainty(probability)
        return one_pose(self.grid.pixels(mean), sure, spread_pixels(variance, self.grid))
