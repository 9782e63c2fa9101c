"""Coordinates with a predicted spread: the representation of residual log-likelihood estimation (RLE)."""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.inverse import SURE, target_map
from posekit.codecs.regression import (
    Size,
    depth_fractions,
    finite_coords,
    fractions_target,
    mirrored_fractions,
    to_pixels,
)
from posekit.codecs.single import one_labelled, one_pose
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Rle:
    """Regression for the residual log-likelihood loss: ``coords`` as in `Regression`, and a raw ``sigma`` for each.

    Source: Li et al. 2021, arXiv:2107.11291.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Size, Size]]
    outside: Literal["strict", "ignore"] = "strict"
    "points outside the image: strict leaves them out, ignore trains on them like on any other"
    compat: Literal["none", "ratio"] = "none"
    "ratio: pixel centres count from 0 before dividing, as for published weights; a flip then shifts by 1/width"
    depth: Annotated[float, Field(gt=0)] | None = None
    "depth range around the root, in the unit of the data's depths; unset: no depth is predicted"
    kind: Suppress[Literal["rle"]] = "rle"

    @property
    def gives(self) -> frozenset[str]:
        """Also ``depth`` and ``depth_sigma`` where ``depth`` is set."""
        names = {"coords", "sigma", "xy", "spread"}
        return frozenset(names | {"depth", "depth_sigma"} if self.depth else names)

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Two coordinates and two spreads for each point, and a third of both for the depth."""
        place: dict[str, tuple[int, ...]] = {"coords": (self.points, 2), "sigma": (self.points, 2)}
        return {**place, "depth": (self.points, 1), "depth_sigma": (self.points, 1)} if self.depth else place

    def encode(self, instances: Instances) -> Target:
        """Divide by the image size; the spread has no target.

        Args:
            instances: one slot an image, K points, with depths where they are known.

        Returns:
            ``coords`` (B, K, 2), -0.5 to 0.5 within the image, with weight (B, K, 1), and ``depth`` (B, K, 1), -0.5 to
            0.5 within the depth range, with weight (B, K, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        strict, ratio = self.outside == "strict", self.compat == "ratio"
        target = fractions_target(xy, known, self.size, strict=strict, ratio=ratio)
        if not self.depth:
            return target
        depth, depth_weight = depth_fractions(instances, target.weight["coords"][..., 0] > 0, self.depth, xy)
        return Target(maps={**target.maps, "depth": depth}, weight={**target.weight, "depth": depth_weight})

    def _spread(self, sigma: Tensor) -> Tensor:
        """(B, K, 2) fractions of the image to image pixels."""
        height, width = self.size
        return sigma * sigma.new_tensor((width, height))

    def activate(self, maps: Maps) -> Maps:
        """The raw maps, ``xy`` (B, 1, K, 2) and ``spread`` (B, 1, K, 2) in image pixels."""
        xy = to_pixels(maps["coords"], self.size, self.compat == "ratio")
        return {**maps, "xy": xy[:, None], "spread": self._spread(maps["sigma"].sigmoid())[:, None]}

    def perfect(self, target: Target) -> Maps:
        """The target's coordinates, with the spread of a perfectly certain network, since the target has none."""
        maps = {name: target_map(target, name, self.kind) for name in self.shapes if "sigma" not in name}
        pairs = (("coords", "sigma"), ("depth", "depth_sigma"))
        return maps | {sigma: torch.full_like(maps[place], SURE) for place, sigma in pairs if place in maps}

    def decode(self, maps: Maps) -> Poses:
        """Image pixels with their spread; the score is ``1 - sigmoid(sigma)``, the mean of both axes.

        A coordinate that is not finite becomes the image centre, a ``sigma`` that is not finite the largest spread;
        both have score 0.
        """
        coords, finite = finite_coords(maps["coords"])
        raw, sigma_finite = finite_coords(maps["sigma"])
        sigma = raw.sigmoid().where(sigma_finite[..., None] > 0, raw.new_ones(()))
        score = (1 - sigma).mean(-1) * finite
        depth = finite_coords(maps["depth"])[0][..., 0] * self.depth if self.depth else None
        return one_pose(to_pixels(coords, self.size, self.compat == "ratio"), score, self._spread(sigma), depth)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Negate x and swap the spreads; exact."""
        coords = mirrored_fractions(maps["coords"], order, self.size, self.compat == "ratio")
        swapped = {name: value[:, list(order)] for name, value in maps.items() if name in self.shapes}
        return {**swapped, "coords": coords}
