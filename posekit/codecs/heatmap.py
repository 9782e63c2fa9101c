"""One heatmap for each point with a Gaussian around it: SimpleBaseline's and DARK's representation."""

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
    "sigma of the Gaussian, image pixels; two cells of the map is usual"
    target: Literal["unbiased", "quantised"] = "unbiased"
    "unbiased: centred on the point itself; quantised: on the centre of its cell, in a window of 3 sigma"
    refine: Literal["none", "quarter", "second", "parabola", "dark", "dark_udp"] = "dark"
    "how the location between cells is computed; second: a quarter of a cell towards the second highest cell"
    blur: Annotated[float, Field(ge=0)] | None = None
    "width of the smoothing window of dark, image pixels; unset: about 5 sigma; 0: no smoothing"
    outside: Literal["window", "strict", "ignore"] = "window"
    """points outside the image: window trains on the part of the Gaussian inside it, strict leaves them out, ignore
    trains on the resulting map, even if it is empty"""
    activation: Literal["none", "sigmoid"] = "none"
    "sigmoid: the network gives logits, for focal losses; none: it gives the map itself, for squared losses"
    compat: Literal["none", "reference"] = "none"
    "reference: no quarter steps on the second cell from a border, as in SimpleBaseline and HRNet"
    kind: Suppress[Literal["heatmap"]] = "heatmap"

    @property
    def gives(self) -> frozenset[str]:
        """Also ``logits`` where the network gives logits, and ``peaks`` if targets reach exactly 1 (focal losses)."""
        return map_names(self.activation, self.target == "quantised")

    @property
    def window(self) -> int:
        """Odd width in cells of DARK's smoothing window."""
        cells = self.grid.scale[0]
        if self.blur is None:
            return window_width(self.sigma / cells)
        return odd(self.blur / cells)

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian for each point.

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
        """The map, and its logits where the network gives logits; an arg-max has no gradient, so there is no ``xy``."""
        return activated_map(maps, self.gives)

    def perfect(self, target: Target) -> Maps:
        """The map, or its logits where the network gives logits."""
        return {"heatmap": raw_map(target, self.kind, self.gives)}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells.

        Args:
            maps: ``heatmap`` (B, K, H, W); NaN cells are never chosen.

        Returns:
            Poses (B, 1, K): image pixels; the score is the map's value at its highest cell, clamped to [0, 1], so a map
            without a positive cell has score 0; its location is the first highest cell.
        """
        return decoded_map(maps, self.gives, self.grid, self.refine, self.window, guarded=self.compat == "reference")


PRIOR = math.log(0.1 / 0.9)
"""Added to the network's output before the sigmoid, so that maps start at 0.1: nearly all cells are background.

Source: CenterNet, arXiv:1904.07850 (RetinaNet's technique), which puts it into the bias of the last layer.
"""


UNLIKELY = 1e4
"""Logits are limited to this size; float16 can hold it."""


def map_names(activation: str, peaked: bool) -> frozenset[str]:
    """``gives`` of a codec with one map for each point; see `posekit.codecs.base`."""
    if activation == "none":
        return frozenset({"heatmap"})
    return frozenset({"heatmap", "logits", "peaks"} if peaked else {"heatmap", "logits"})


def map_target(heatmap: Tensor, weight: Tensor, xy: Tensor, names: frozenset[str]) -> Target:
    """The target of one map for each point, under every name that the codec gives.

    Args:
        heatmap: (B, K, H, W) in [0, 1].
        weight: (B, K) 0 or 1.
        xy: (B, K, 2) image pixels.
        names: of ``heatmap``, ``logits`` and ``peaks``; other names are ignored; the codec adds them itself.
    """
    cells = weight[..., None, None]
    same = names & {"heatmap", "logits", "peaks"}
    return Target(
        maps={**dict.fromkeys(same, heatmap), "xy": xy[:, None]},
        weight={**dict.fromkeys(same, cells), "xy": weight[:, None, :, None]},
    )


def activated_map(maps: Maps, names: frozenset[str]) -> dict[str, Tensor]:
    """The activated form of the raw ``heatmap``: itself, or its logits and their sigmoid, as ``names`` says."""
    if "logits" not in names:
        return dict(maps)
    # NaN would pass through the sigmoid, and reach the gradient even where the weight is 0.
    logits = torch.nan_to_num(maps["heatmap"] + PRIOR, -UNLIKELY, UNLIKELY, -UNLIKELY)
    return {**maps, "heatmap": logits.sigmoid(), **dict.fromkeys(names & {"logits", "peaks"}, logits)}


def raw_map(target: Target, kind: str, names: frozenset[str]) -> Tensor:
    """The inverse of `activated_map`: the raw map that gives the target's ``heatmap``.

    Args:
        target: with ``heatmap`` (B, K, H, W).
        kind: of the codec.
        names: what the codec gives.

    Raises:
        ValueError: the target has no ``heatmap``.
    """
    heatmap = target_map(target, "heatmap", kind)
    return logits_of(heatmap) - PRIOR if "logits" in names else heatmap


def highest_cell(maps: Maps, names: frozenset[str]) -> tuple[Tensor, Tensor]:
    """Highest cell of the raw ``heatmap`` (of logits where it has logits), and its value, after the sigmoid for logits.

    Returns:
        (B, K, 2) integer, x before y; of equal cells the first in reading order. And (B, K) values.
    """
    cell, value = peak(maps["heatmap"])
    return cell, (value + PRIOR).sigmoid() if "logits" in names else value


def decoded_map(
    maps: Maps, names: frozenset[str], grid: AnyGrid, rule: str, width: int, *, guarded: bool = False
) -> Poses:
    """Decode one map for each point: refined highest cells.

    Args:
        maps: ``heatmap`` (B, K, H, W) as the network gives it.
        names: what the codec gives.
        grid: of the maps.
        rule: of refinement, see `posekit.codecs.refine.refined`.
        width: of the smoothing window, as ``blur`` there.
        guarded: as there.
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

    Scale one of the factors rather than the map: a pass over all cells costs as much as drawing them.

    Args:
        xy: (B, K, 2) image pixels, finite.
        grid: of the maps.
        sigma: image pixels.
        quantised: centre it on the cell nearest to the point (halves are rounded up), with the window of ``window``.
        window: set cells further than 3 sigma from that cell to 0.

    Returns:
        (B, K, H), (B, K, W), and (B, K) bool: whether at least one cell lies within 3 sigma of the point.

    Source: arXiv:1804.06208, arXiv:1910.06278, arXiv:1911.07524. Differs: a window that ends before the first cell
    draws nothing and is marked as not drawn.
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
