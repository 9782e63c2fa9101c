"""Coordinates straight from the network: two numbers a point."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.single import inside_image, one_labelled, one_pose
from posekit.geometry.keypoints import Instances, Poses

Size = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Regression:
    """Places as fractions of the image, ``p / size - 0.5``: a layer that gives zero points at the middle.

    Source: DeepPose, arXiv:1312.4659.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Size, Size]]
    outside: Literal["strict", "ignore"] = "strict"
    "points outside the image: strict leaves them out, ignore trains on them like on any other"
    compat: Literal["none", "ratio"] = "none"
    "ratio counts pixel centres from 0 before dividing, as published weights do; mirrors it with their 1/width"
    kind: Suppress[Literal["regression"]] = "regression"

    gives = frozenset({"coords", "xy"})

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Two numbers a point."""
        return {"coords": (self.points, 2)}

    def encode(self, instances: Instances) -> Target:
        """Divide by the size.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``coords`` (B, K, 2), -0.5 to 0.5 within the image, with weight (B, K, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        return fractions_target(xy, known, self.size, strict=self.outside == "strict", ratio=self.compat == "ratio")

    def read(self, maps: Maps) -> Maps:
        """The raw ``coords`` and ``xy`` (B, 1, K, 2) in image pixels."""
        return {**maps, "xy": to_pixels(maps["coords"], self.size, self.compat == "ratio")[:, None]}

    def decode(self, maps: Maps) -> Poses:
        """Image pixels, with score 1: this representation says nothing about its certainty.

        A coordinate that is not finite becomes the middle of the image with score 0.
        """
        coords, finite = finite_coords(maps["coords"])
        return one_pose(to_pixels(coords, self.size, self.compat == "ratio"), finite)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Negate x; exact."""
        return {"coords": mirrored_fractions(maps["coords"], order, self.size, self.compat == "ratio")}


def fractions_target(xy: Tensor, known: Tensor, size: tuple[int, int], *, strict: bool, ratio: bool) -> Target:
    """The target of codecs that regress fractions.

    Args:
        xy: (B, K, 2) image pixels, finite.
        known: (B, K) bool.
        size: (height, width) of the image.
        strict: leave out points outside the image.
        ratio: see `to_fractions`.

    Returns:
        ``coords`` (B, K, 2) with weight (B, K, 1), and ``xy``.
    """
    if strict:
        known = known & inside_image(xy, size)
    weight = known.to(xy.dtype)[..., None]
    coords = to_fractions(xy, size, ratio)
    return Target(maps={"coords": coords, "xy": xy[:, None]}, weight={"coords": weight, "xy": weight[:, None]})


def to_fractions(xy: Tensor, size: tuple[int, int], ratio: bool = False) -> Tensor:
    """(B, K, 2) image pixels to ``p / size - 0.5``; with ``ratio`` to ``(p - 0.5) / size - 0.5``."""
    height, width = size
    return (xy - (0.5 if ratio else 0.0)) / xy.new_tensor((width, height)) - 0.5


def to_pixels(coords: Tensor, size: tuple[int, int], ratio: bool = False) -> Tensor:
    """The inverse of `to_fractions`."""
    height, width = size
    return (coords + 0.5) * coords.new_tensor((width, height)) + (0.5 if ratio else 0.0)


def mirrored_fractions(coords: Tensor, order: tuple[int, ...], size: tuple[int, int], ratio: bool = False) -> Tensor:
    """Fractions of the mirrored image as fractions of the image: x becomes -x, with ``ratio`` -x - 1/width."""
    swapped = coords[:, list(order)]
    return swapped * coords.new_tensor((-1.0, 1.0)) - coords.new_tensor((1.0 / size[1] if ratio else 0.0, 0.0))


def finite_coords(coords: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (B, K, 2), at least float32, 0 where not finite, and (B, K) 1 where they were finite, else 0."""
    wide = coords if coords.dtype.itemsize >= 4 else coords.float()
    finite = wide.isfinite().all(-1)
    return wide.where(finite[..., None], wide.new_zeros(())), finite.to(wide.dtype)
