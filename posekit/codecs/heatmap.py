"""One map a point with a Gaussian around it: SimpleBaseline's and DARK's representation."""

import math
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import bell, nearest, outer
from posekit.codecs.inverse import logits_of, target_map
from posekit.codecs.on_grid import OneMap
from posekit.codecs.ranking import peak
from posekit.codecs.refine import refined
from posekit.codecs.single import inside_image, one_labelled, one_pose
from posekit.codecs.smoothing import odd, window_width
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Heatmap(OneMap):
    """Gaussian target maps, decoded at their highest cell and refined.

    Source: SimpleBaseline, arXiv:1804.06208; DARK, arXiv:1910.06278.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    sigma: float = Field(default=8.0, gt=0)
    "width of the Gaussian, image pixels; two cells of the map is usual"
    target: Literal["unbiased", "quantised"] = "unbiased"
    "unbiased draws around the point itself, quantised around the centre of its cell, in a window of 3 sigma"
    refine: Literal["none", "quarter", "second", "parabola", "dark", "dark_udp"] = "dark"
    "how the place between cells is found; second goes a quarter of a cell toward the second highest one"
    blur: Annotated[float, Field(ge=0)] | None = None
    "width of the window that smooths a map before dark looks at it, image pixels; unset: about 5 sigma; 0: none"
    outside: Literal["window", "strict", "ignore"] = "window"
    """points outside the image: window trains on what the image shows of their Gaussian, strict leaves them out, ignore
    trains on whatever map results"""
    activation: Literal["none", "sigmoid"] = "none"
    "sigmoid: the network gives logits, for focal losses; none: it gives the map itself, for squared ones"
    compat: Literal["none", "reference"] = "none"
    "reference leaves out quarter steps on the second cell from a border, as SimpleBaseline and HRNet do"
    kind: Suppress[Literal["heatmap"]] = "heatmap"

    @property
    def gives(self) -> frozenset[str]:
        """``logits`` too where there are, and ``peaks`` if targets hold exact ones, which focal losses look for."""
        return map_names(self.activation, self.target == "quantised")

    @property
    def window(self) -> int:
        """Odd width in cells of DARK's smoothing window."""
        cells = self.grid.scale[0]
        if self.blur is None:
            return window_width(self.sigma / cells)
        return odd(self.blur / cells)

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
        return map_target(outer(rows * weight[..., None], columns), weight, xy, self.gives)

    def activate(self, maps: Maps) -> Maps:
        """The map, and its logits where it has some: a highest cell has no gradient."""
        return activated_map(maps, self.gives)

    def perfect(self, target: Target) -> Maps:
        """The map, or its logits where the network gives those."""
        return {"heatmap": raw_map(target, self.kind, self.gives)}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells.

        Args:
            maps: ``heatmap`` (B, K, H, W); NaN cells are never chosen.

        Returns:
            Poses (B, 1, K): image pixels; the score is the map's value at its highest cell, clamped to [0, 1], so a map
            without a positive cell has score 0 and the place of its first highest cell.
        """
        return decoded_map(maps, self.gives, self.grid, self.refine, self.window, guarded=self.compat == "reference")


PRIOR = math.log(0.1 / 0.9)
"""Added to what the network gives before the sigmoid: nearly all of a map is background, so it starts at 0.1.

Source: CenterNet, arXiv:1904.07850 (RetinaNet's technique), which puts it into the bias of the last layer.
"""


UNLIKELY = 1e4
"""Logit of what cannot be; float16 holds it."""


def map_names(activation: str, peaked: bool) -> frozenset[str]:
    """What a codec of one map a point gives; see `posekit.codecs.base`."""
    if activation == "none":
        return frozenset({"heatmap"})
    return frozenset({"heatmap", "logits", "peaks"} if peaked else {"heatmap", "logits"})


def map_target(heatmap: Tensor, weight: Tensor, xy: Tensor, names: frozenset[str]) -> Target:
    """The target of one map a point under every name that the codec gives it.

    Args:
        heatmap: (B, K, H, W) in [0, 1].
        weight: (B, K) 0 or 1.
        xy: (B, K, 2) image pixels.
        names: of ``heatmap``, ``logits`` and ``peaks``; others are left to the codec.
    """
    cells = weight[..., None, None]
    same = names & {"heatmap", "logits", "peaks"}
    return Target(
        maps={**dict.fromkeys(same, heatmap), "xy": xy[:, None]},
        weight={**dict.fromkeys(same, cells), "xy": weight[:, None, :, None]},
    )


def activated_map(maps: Maps, names: frozenset[str]) -> dict[str, Tensor]:
    """The raw ``heatmap`` as what ``names`` has: itself, or its logits and their sigmoid."""
    if "logits" not in names:
        return dict(maps)
    # What is not a number would stay one through a sigmoid, in the gradient even where nothing is asked for.
    logits = torch.nan_to_num(maps["heatmap"] + PRIOR, -UNLIKELY, UNLIKELY, -UNLIKELY)
    return {**maps, "heatmap": logits.sigmoid(), **dict.fromkeys(names & {"logits", "peaks"}, logits)}


def raw_map(target: Target, kind: str, names: frozenset[str]) -> Tensor:
    """The inverse of `activated_map`: the raw map of which ``heatmap`` is made.

    Args:
        target: with ``heatmap`` (B, K, H, W).
        kind: of the codec.
        names: what the codec gives.

    Raises:
        ValueError: the target has no heatmap.
    """
    heatmap = target_map(target, "heatmap", kind)
    return logits_of(heatmap) - PRIOR if "logits" in names else heatmap


def highest_cell(maps: Maps, names: frozenset[str]) -> tuple[Tensor, Tensor]:
    """Highest cell of the raw ``heatmap``, logits as they come, and what it is as a number from 0 to 1.

    Returns:
        (B, K, 2) integer, x before y, of equal ones the first in reading order, and (B, K).
    """
    cell, value = peak(maps["heatmap"])
    return cell, (value + PRIOR).sigmoid() if "logits" in names else value


def decoded_map(
    maps: Maps, names: frozenset[str], grid: AnyGrid, rule: str, width: int, *, guarded: bool = False
) -> Poses:
    """Highest cells of one map a point, refined.

    Args:
        maps: ``heatmap`` (B, K, H, W) as the network gives it.
        names: what the codec gives.
        grid: of the maps.
        rule: see `posekit.codecs.refine.refined`.
        width: the same.
        guarded: the same.
    """
    cell, value = highest_cell(maps, names)
    around = maps["heatmap"] if rule == "none" else activated_map(maps, names)["heatmap"]
    place = refined(around, cell, rule, width, guarded=guarded)
    return one_pose(grid.pixels(place.to(value.dtype)), value)


def gaussian_maps(xy: Tensor, grid: AnyGrid, sigma: float, weight: Tensor) -> Tensor:
    """(B, K, H, W) a Gaussian with peak ``weight`` (B, K) around each point; see `gaussian_lines`."""
    rows, columns, _ = gaussian_lines(xy, grid, sigma)
    return outer(rows * weight[..., None], columns)


def gaussian_lines(
    xy: Tensor, grid: AnyGrid, sigma: float, quantised: bool = False, window: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The two factors of a Gaussian with peak 1 around each point.

    Whatever scales the map is cheaper on a factor: a pass over all cells costs as much as drawing them.

    Args:
        xy: (B, K, 2) image pixels, finite.
        grid: of the maps.
        sigma: image pixels.
        quantised: centre it on the cell nearest to the point (halves go up), and cut it as ``window`` does.
        window: cut it to the cells within 3 sigma of that cell.

    Returns:
        (B, K, H), (B, K, W), and (B, K) bool: 3 sigma around the point reach at least one cell.

    Source: arXiv:1804.06208, arXiv:1910.06278, arXiv:1911.07524. Differs: a window that ends before the first cell
    draws nothing and says so.
    """
    H, W = grid.shape
    spread = [sigma / scale for scale in grid.scale]
    place = grid.cells(xy)
    cell = nearest(place)
    radii = [3 * s for s in spread]
    if quantised or window:
        radii = [float(math.ceil(radius - 1e-6)) for radius in radii]
    center = cell if quantised else place
    columns, rows = (
        bell(center[..., axis], size, spread[axis], *((radii[axis], cell[..., axis]) if quantised or window else ()))
        for axis, size in enumerate((W, H))
    )
    middle = cell if quantised or window else place
    reach = center.new_tensor(radii)
    last = center.new_tensor((W - 1, H - 1))
    drawn = ((middle + reach >= 0) & (middle - reach <= last)).all(-1)
    return rows, columns, drawn
