"""Coordinates with a spread: the network says where, and how far off it may be."""

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
    """Regression for the residual log-likelihood: ``coords`` as in `Regression` and raw ``sigma`` beside them.

    Source: Li et al. 2021, arXiv:2107.11291.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Size, Size]]
    outside: Literal["strict", "ignore"] = "strict"
    "points outside the image: strict leaves them out, ignore trains on them like on any other"
    compat: Literal["none", "ratio"] = "none"
    "ratio counts pixel centres from 0 before dividing, as published weights do; mirrors it with their 1/width"
    depth: Annotated[float, Field(gt=0)] | None = None
    "how deep the space about the root is, in the unit of the data's depths; unset: no depth is predicted"
    kind: Suppress[Literal["rle"]] = "rle"

    @property
    def gives(self) -> frozenset[str]:
        """``depth`` and ``depth_sigma`` too where a depth is asked for."""
        names = {"coords", "sigma", "xy", "spread"}
        return frozenset(names | {"depth", "depth_sigma"} if self.depth else names)

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Two numbers and their two spreads a point, and a third of both for the depth."""
        place: dict[str, tuple[int, ...]] = {"coords": (self.points, 2), "sigma": (self.points, 2)}
        return {**place, "depth": (self.points, 1), "depth_sigma": (self.points, 1)} if self.depth else place

    def encode(self, instances: Instances) -> Target:
        """Divide by the size; the spread has no target.

        Args:
            instances: one slot an image, K points, with depths where they are known.

        Returns:
            ``coords`` (B, K, 2), -0.5 to 0.5 within the image, with weight (B, K, 1), and ``depth`` (B, K, 1), -0.5 to
            0.5 within the space, with weight (B, K, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        strict, ratio = self.outside == "strict", self.compat == "ratio"
        target = fractions_target(xy, known, self.size, strict=strict, ratio=ratio)
        if not self.depth:
            return target
        depth, told = depth_fractions(instances, target.weight["coords"][..., 0] > 0, self.depth, xy)
        return Target(maps={**target.maps, "depth": depth}, weight={**target.weight, "depth": told})

    def _spread(self, sigma: Tensor) -> Tensor:
        """(B, K, 2) fractions to image pixels."""
        height, width = self.size
        return sigma * sigma.new_tensor((width, height))

    def activate(self, maps: Maps) -> Maps:
        """The raw maps, ``xy`` (B, 1, K, 2) and ``spread`` (B, 1, K, 2) in image pixels."""
        xy = to_pixels(maps["coords"], self.size, self.compat == "ratio")
        return {**maps, "xy": xy[:, None], "spread": self._spread(maps["sigma"].sigmoid())[:, None]}

    def perfect(self, target: Target) -> Maps:
        """The locations of the target, and the spread of a network that is sure, since a target has none."""
        maps = {name: target_map(target, name, self.kind) for name in self.shapes if "sigma" not in name}
        pairs = (("coords", "sigma"), ("depth", "depth_sigma"))
        return maps | {sigma: torch.full_like(maps[place], SURE) for place, sigma in pairs if place in maps}

    def decode(self, maps: Maps) -> Poses:
        """Image pixels with their spread; the score is ``1 - sigmoid(sigma)``, the mean of both axes.

        What is not finite becomes the middle of the image, or an infinite ``sigma``, with score 0.
        """
        coords, finite = finite_coords(maps["coords"])
        raw, said = finite_coords(maps["sigma"])
        sigma = raw.sigmoid().where(said[..., None] > 0, raw.new_ones(()))
        score = (1 - sigma).mean(-1) * finite
        depth = finite_coords(maps["depth"])[0][..., 0] * self.depth if self.depth else None
        return one_pose(to_pixels(coords, self.size, self.compat == "ratio"), score, self._spread(sigma), depth)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Negate x and swap the spreads; exact."""
        coords = mirrored_fractions(maps["coords"], order, self.size, self.compat == "ratio")
        swapped = {name: value[:, list(order)] for name, value in maps.items() if name in self.shapes}
        return {**swapped, "coords": coords}
