"""One map a point with a Gaussian around it: SimpleBaseline's and DARK's representation."""

import math
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import bell, mirrored, outer, peak
from posekit.codecs.refine import refine_dark, refine_parabola, refine_quarter, window_width
from posekit.codecs.single import inside_image, one_labelled, one_pose
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Heatmap:
    """Gaussian target maps, decoded at their highest cell and refined.

    Source: SimpleBaseline, arXiv:1804.06208; DARK, arXiv:1910.06278.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    sigma: float = Field(default=8.0, gt=0)
    "width of the Gaussian, image pixels; two cells of the map is usual"
    target: Literal["unbiased", "quantised"] = "unbiased"
    "unbiased draws around the point itself, quantised around the centre of its cell, in a window of 3 sigma"
    refine: Literal["none", "quarter", "parabola", "dark"] = "dark"
    "how the place between cells is found"
    blur: Annotated[float, Field(ge=0)] | None = None
    "width of the window that smooths a map before dark looks at it, image pixels; unset: about 5 sigma; 0: none"
    outside: Literal["window", "strict", "ignore"] = "window"
    """points outside the image: window trains on what the image shows of their Gaussian, strict leaves them out, ignore
    trains on whatever map results"""
    kind: Suppress[Literal["heatmap"]] = "heatmap"

    gives = frozenset({"heatmap"})

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        return self.grid.image

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map a point."""
        return {"heatmap": (self.points, *self.grid.shape)}

    @property
    def window(self) -> int:
        """Odd width in cells of DARK's smoothing window."""
        cells = self.grid.scale[0]
        if self.blur is None:
            return window_width(self.sigma / cells)
        return 2 * max(0, round((self.blur / cells - 1) / 2)) + 1

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian a point.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``heatmap`` (B, K, H, W) in [0, 1], zero where nothing is known, with weight (B, K, 1, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        rows, columns, drawn = gaussian_lines(xy, self.grid, self.sigma, self.target == "quantised")
        if self.outside == "window":
            known = known & drawn
        elif self.outside == "strict":
            known = known & inside_image(xy, self.image)
        weight = known.to(xy.dtype)
        return Target(
            maps={"heatmap": outer(rows * weight[..., None], columns), "xy": xy[:, None]},
            weight={"heatmap": weight[..., None, None], "xy": weight[:, None, :, None]},
        )

    def read(self, maps: Maps) -> Maps:
        """The raw maps: a highest cell has no gradient."""
        return dict(maps)

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells.

        Args:
            maps: ``heatmap`` (B, K, H, W); NaN cells are never chosen.

        Returns:
            Poses (B, 1, K): image pixels; the score is the map's value at its highest cell, clamped to [0, 1], so a map
            without a positive cell has score 0 and the place of its first highest cell.
        """
        cell, value = peak(maps["heatmap"])
        return one_pose(self.grid.pixels(self._refined(maps["heatmap"], cell).to(value.dtype)), value)

    def _refined(self, heatmap: Tensor, cell: Tensor) -> Tensor:
        if self.refine == "dark":
            return refine_dark(heatmap, cell, self.window)
        if self.refine == "parabola":
            return refine_parabola(heatmap, cell)
        return refine_quarter(heatmap, cell) if self.refine == "quarter" else cell.to(heatmap.dtype)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps; see `posekit.codecs.cells.mirrored` for what is left on a `RatioGrid`."""
        return {"heatmap": mirrored(maps["heatmap"], order, self.grid)}


def gaussian_maps(xy: Tensor, grid: AnyGrid, sigma: float, weight: Tensor) -> Tensor:
    """(B, K, H, W) a Gaussian with peak ``weight`` (B, K) around each point; see `gaussian_lines`."""
    rows, columns, _ = gaussian_lines(xy, grid, sigma)
    return outer(rows * weight[..., None], columns)


def gaussian_lines(xy: Tensor, grid: AnyGrid, sigma: float, quantised: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """The two factors of a Gaussian with peak 1 around each point.

    Whatever scales the map is cheaper on a factor: a pass over all cells costs as much as drawing them.

    Args:
        xy: (B, K, 2) image pixels, finite.
        grid: of the maps.
        sigma: image pixels.
        quantised: centre it on the cell nearest to the point (halves go up) and cut it to a window of 3 sigma.

    Returns:
        (B, K, H), (B, K, W), and (B, K) bool: 3 sigma around the point reach at least one cell.

    Source: arXiv:1804.06208, arXiv:1910.06278. Differs: a window that ends before the first cell draws nothing and
    says so.
    """
    H, W = grid.shape
    spread = [sigma / scale for scale in grid.scale]
    center = grid.cells(xy)
    radii = [3 * s for s in spread]
    if quantised:
        center = (center + 0.5).floor()
        radii = [math.ceil(radius - 1e-6) for radius in radii]
    columns = bell(center[..., 0], W, spread[0], int(radii[0]) if quantised else None)
    rows = bell(center[..., 1], H, spread[1], int(radii[1]) if quantised else None)
    reach = center.new_tensor(radii)
    last = center.new_tensor((W - 1, H - 1))
    drawn = ((center + reach >= 0) & (center - reach <= last)).all(-1)
    return rows, columns, drawn
