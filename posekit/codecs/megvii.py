"""Gaussians of several widths for each point, from coarse to fine, for coarse-to-fine supervision."""

from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import mirrored, nearest, outer, within
from posekit.codecs.heatmap import map_target
from posekit.codecs.inverse import target_map
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.ranking import peak
from posekit.codecs.refine import refined
from posekit.codecs.single import one_labelled, one_pose
from posekit.codecs.smoothing import window
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses

_DYADIC = {3: (1, 2, 1), 5: (1, 4, 6, 4, 1), 7: (8, 28, 56, 72, 56, 28, 8), 9: (4, 13, 30, 51, 60, 51, 30, 13, 4)}
"""OpenCV's fixed small windows, which it uses instead of the formula for sigma."""

Kernel = Annotated[int, Field(ge=1, le=99)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Megvii(OnGrid):
    """A one-hot map smoothed with windows of several widths and scaled to a peak of 1.

    ``heatmap`` has the finest width and is decoded; ``coarse`` holds the wider ones, all points of one width together,
    for coarse-to-fine supervision.

    Source: CPN, arXiv:1711.07319; MSPN, arXiv:1901.00148. Differs: targets reach 1, not 255, and a window is cut at the
    border, where OpenCV reflects it.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    kernels: tuple[Kernel, ...] = (15, 11, 9, 7)
    "odd widths of the windows in cells of the map, coarse to fine"
    refine: Literal["none", "quarter", "second", "parabola", "dark", "dark_udp"] = "second"
    "how the location between cells is computed; second: a quarter of a cell towards the second highest cell"
    kind: Suppress[Literal["megvii"]] = "megvii"

    def __post_init__(self) -> None:
        if not self.kernels or any(k % 2 == 0 for k in self.kernels):
            raise ValueError(f"windows need odd widths, and at least one is needed; got {self.kernels}")

    @property
    def gives(self) -> frozenset[str]:
        """Also ``coarse`` where there is more than one width."""
        return frozenset({"heatmap", "coarse"} if len(self.kernels) > 1 else {"heatmap"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map for each point and width."""
        coarse = (len(self.kernels) - 1) * self.points
        counts = {"heatmap": self.points, "coarse": coarse} if coarse else {"heatmap": self.points}
        return {name: (count, *self.grid.shape) for name, count in counts.items()}

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian of each width around the cell of each point.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``heatmap`` (B, K, H, W) and ``coarse`` (B, (L - 1) K, H, W) in [0, 1], weights (B, K, 1, 1) and (B, (L - 1)
            K, 1, 1); points outside the map have weight 0.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        cell = nearest(self.grid.cells(xy))
        known = known & within(cell, self.grid.shape)
        weight = known.to(xy.dtype)
        target = map_target(outer(*self._lines(cell, weight, self.kernels[-1])), weight, xy, self.gives)
        if len(self.kernels) == 1:
            return target
        rows, columns = zip(*(self._lines(cell, weight, width) for width in self.kernels[:-1]), strict=True)
        coarse = outer(torch.cat(rows, 1), torch.cat(columns, 1))
        return Target(
            maps={**target.maps, "coarse": coarse},
            weight={**target.weight, "coarse": weight.repeat(1, len(rows))[..., None, None]},
        )

    def _lines(self, cell: Tensor, weight: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """(B, K, H) and (B, K, W): factors of the windows around cells; the first is multiplied by the weight."""
        taps = cell.new_tensor(window_taps(width))
        lines = []
        for axis, size in enumerate((self.grid.width, self.grid.height)):
            at = torch.arange(size, dtype=cell.dtype, device=cell.device) - cell[..., axis, None] + width // 2
            lines.append(taps[at.clamp(0, width - 1).long()] * ((at >= 0) & (at < width)))
        return lines[1] * weight[..., None], lines[0]

    def activate(self, maps: Maps) -> Maps:
        """The raw maps; an arg-max has no gradient, so there is no ``xy``."""
        return dict(maps)

    def perfect(self, target: Target) -> Maps:
        """The maps of the target, which have the form of raw maps."""
        return {name: target_map(target, name, self.kind) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells of the finest maps; see `Heatmap.decode`."""
        cell, value = peak(maps["heatmap"])
        place = refined(maps["heatmap"], cell, self.refine, self.kernels[-1])
        return one_pose(self.grid.pixels(place.to(value.dtype)), value)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps; see `posekit.codecs.cells.mirrored` for the error on a `RatioGrid`."""
        flipped = {"heatmap": mirrored(maps["heatmap"], order, self.grid)}
        if "coarse" in maps:
            every = [level * self.points + k for level in range(len(self.kernels) - 1) for k in order]
            flipped["coarse"] = mirrored(maps["coarse"], tuple(every), self.grid)
        return flipped


def window_taps(width: int) -> list[float]:
    """One-dimensional Gaussian window as OpenCV makes it from its width, scaled to a peak of 1."""
    taps = [float(tap) for tap in _DYADIC.get(width, ())] or window(width)
    return [tap / max(taps) for tap in taps]
