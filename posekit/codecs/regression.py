"""Direct regression: the network gives two coordinates for each point."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.inverse import target_map
from posekit.codecs.single import inside_image, one_depth, one_labelled, one_pose
from posekit.geometry.keypoints import Instances, Poses

Size = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Regression:
    """Locations as fractions of the image; by default an output of 0 is the image centre.

    Source: DeepPose, arXiv:1312.4659.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    size: Suppress[tuple[Size, Size]]
    normalise: Literal["centred", "unit", "signed"] = "centred"
    "range of the coordinates over the image: -0.5 to 0.5, 0 to 1, or -1 to 1"
    depth: Annotated[float, Field(gt=0)] | None = None
    "depth range around the root, in the unit of the data's depths; unset: no depth is predicted"
    outside: Literal["strict", "ignore"] = "strict"
    "points outside the image: strict leaves them out, ignore trains on them like on any other"
    compat: Literal["none", "ratio"] = "none"
    "ratio: pixel centres count from 0 before dividing, as for published weights; a flip then shifts by 1/width"
    kind: Suppress[Literal["regression"]] = "regression"

    @property
    def gives(self) -> frozenset[str]:
        """Also ``depth`` where it is set."""
        return frozenset({"coords", "xy", "depth"} if self.depth else {"coords", "xy"})

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Two numbers for each point, and a third for the depth."""
        coords: dict[str, tuple[int, ...]] = {"coords": (self.points, 2)}
        return {**coords, "depth": (self.points, 1)} if self.depth else coords

    @property
    def _frame(self) -> tuple[float, float]:
        """Scale and shift that map a fraction from -0.5..0.5 to the range of ``normalise``."""
        return {"centred": (1.0, 0.0), "unit": (1.0, 0.5), "signed": (2.0, 0.0)}[self.normalise]

    def encode(self, instances: Instances) -> Target:
        """Divide by the image size.

        Args:
            instances: one slot an image, K points, with depths where they are known.

        Returns:
            ``coords`` (B, K, 2), in the range of ``normalise`` within the image, with weight (B, K, 1), and ``depth``
            (B, K, 1), -0.5 to 0.5 within the depth range, with weight (B, K, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        strict, ratio = self.outside == "strict", self.compat == "ratio"
        target = fractions_target(xy, known, self.size, strict=strict, ratio=ratio)
        factor, start = self._frame
        maps = {**target.maps, "coords": target.maps["coords"] * factor + start}
        if not self.depth:
            return Target(maps=maps, weight=target.weight)
        known = target.weight["coords"][..., 0] > 0
        depth, depth_weight = depth_fractions(instances, known, self.depth, xy)
        return Target(maps={**maps, "depth": depth}, weight={**target.weight, "depth": depth_weight})

    def _pixels(self, coords: Tensor) -> Tensor:
        factor, start = self._frame
        return to_pixels((coords - start) / factor, self.size, self.compat == "ratio")

    def activate(self, maps: Maps) -> Maps:
        """The raw maps and ``xy`` (B, 1, K, 2) in image pixels."""
        return {**maps, "xy": self._pixels(maps["coords"])[:, None]}

    def perfect(self, target: Target) -> Maps:
        """The maps of the target, which have the form of raw maps."""
        return {name: target_map(target, name, self.kind) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """Image pixels with score 1, since this representation gives no certainty.

        A coordinate that is not finite is replaced by 0, with score 0.
        """
        coords, finite = finite_coords(maps["coords"])
        depth = finite_coords(maps["depth"])[0][..., 0] * self.depth if self.depth else None
        return one_pose(self._pixels(coords), finite, depth=depth)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror x about the centre; exact."""
        factor, start = self._frame
        middle = (maps["coords"] - start) / factor
        coords = mirrored_fractions(middle, order, self.size, self.compat == "ratio") * factor + start
        return {"coords": coords, **({"depth": maps["depth"][:, list(order)]} if self.depth else {})}


def fractions_target(xy: Tensor, known: Tensor, size: tuple[int, int], *, strict: bool, ratio: bool) -> Target:
    """The target of codecs that regress coordinates as fractions.

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


def depth_fractions(instances: Instances, known: Tensor, extent: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Depths over ``extent`` (B, K, 1), and their weights (B, K, 1), 1 where known; dtype of ``like``."""
    depth, depth_known = one_depth(instances, known)
    return (depth.to(like.dtype) / extent)[..., None], depth_known.to(like.dtype)[..., None]


def to_fractions(xy: Tensor, size: tuple[int, int], ratio: bool = False) -> Tensor:
    """(B, K, 2) image pixels to ``p / size - 0.5``; with ``ratio`` to ``(p - 0.5) / size - 0.5``."""
    height, width = size
    return (xy - (0.5 if ratio else 0.0)) / xy.new_tensor((width, height)) - 0.5


def to_pixels(coords: Tensor, size: tuple[int, int], ratio: bool = False) -> Tensor:
    """The inverse of `to_fractions`."""
    height, width = size
    return (coords + 0.5) * coords.new_tensor((width, height)) + (0.5 if ratio else 0.0)


def mirrored_fractions(coords: Tensor, order: tuple[int, ...], size: tuple[int, int], ratio: bool = False) -> Tensor:
    """Turn fractions of the mirrored image into fractions of the image: x becomes -x, with ``ratio`` -x - 1/width."""
    swapped = coords[:, list(order)]
    return swapped * coords.new_tensor((-1.0, 1.0)) - coords.new_tensor((1.0 / size[1] if ratio else 0.0, 0.0))


def finite_coords(coords: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (B, K, axes), at least float32, 0 where not finite, and (B, K) 1 where all were finite, else 0."""
    wide = coords if coords.dtype.itemsize >= 4 else coords.float()
    finite = wide.isfinite().all(-1)
    return wide.where(finite[..., None], wide.new_zeros(())), finite.to(wide.dtype)
