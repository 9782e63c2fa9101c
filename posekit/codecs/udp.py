"""Unbiased data processing (UDP): Gaussians on an aligned grid, and discs whose cells hold the offset to the point."""

import math
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import finite, mirrored, mirrored_pairs, outer, picked, within
from posekit.codecs.dark import refine_dark_udp
from posekit.codecs.heatmap import gaussian_lines, map_target
from posekit.codecs.inverse import target_map
from posekit.codecs.on_grid import OneMap, OnGrid
from posekit.codecs.ranking import peak
from posekit.codecs.single import inside_image, one_labelled, one_pose
from posekit.codecs.smoothing import blurred, constant, odd, window, window_cells, window_width
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses

MOST = 1e6
"""Disc values above this count as 0, like those that are not finite."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Udp(OneMap):
    """Gaussians around the point itself, within a window, decoded with DARK's step; meant for an `AlignedGrid`.

    Source: Huang et al. 2020, arXiv:1911.07524. Differs: refinement at the border, see
    `posekit.codecs.refine.refine_dark_udp`.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    sigma: float = Field(default=8.0, gt=0)
    "sigma of the Gaussian, image pixels; two cells of the map is usual"
    blur: Annotated[float, Field(ge=0)] | None = None
    "width of the smoothing window before refinement, image pixels; unset: about 5 sigma; 0: no smoothing"
    outside: Literal["window", "strict", "ignore"] = "window"
    """points outside the image: window trains on the part of the Gaussian inside it, strict leaves them out, ignore
    trains on the resulting map, even if it is empty"""
    kind: Suppress[Literal["udp"]] = "udp"

    gives = frozenset({"heatmap"})

    @property
    def window(self) -> int:
        """Odd width in cells of the smoothing window."""
        cells = self.grid.scale[0]
        return window_width(self.sigma / cells) if self.blur is None else odd(self.blur / cells)

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian for each point; see `Heatmap.encode`."""
        xy, known = one_labelled(instances, self.points)
        rows, columns, drawn = gaussian_lines(xy, self.grid, self.sigma, window=True)
        if self.outside == "window":
            known = known & drawn
        elif self.outside == "strict":
            known = known & inside_image(xy, self.image)
        weight = known.to(xy.dtype)
        return map_target(outer(rows * weight[..., None], columns), weight, xy, self.gives)

    def activate(self, maps: Maps) -> Maps:
        """The raw maps; an arg-max has no gradient, so there is no ``xy``."""
        return dict(maps)

    def perfect(self, target: Target) -> Maps:
        """The maps of the target, which have the form of raw maps."""
        return {name: target_map(target, name, self.kind) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells; see `Heatmap.decode`."""
        cell, value = peak(maps["heatmap"])
        place = refine_dark_udp(maps["heatmap"], cell, self.window)
        return one_pose(self.grid.pixels(place.to(value.dtype)), value)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class UdpCombined(OnGrid):
    """A disc around each point, and in each of its cells the offset to the point.

    ``disc`` is 1 within ``radius``; ``offset`` holds x and y of each point in turn, from the cell to the point in units
    of the radius.

    Source: Huang et al. 2020, arXiv:1911.07524; Papandreou et al. 2017, arXiv:1701.01779.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    radius: float = Field(default=14.0, gt=0)
    "radius of the disc, image pixels; 3.5 cells of the map is usual"
    merge: Literal["near", "peak", "votes"] = "near"
    """near: the mean of the locations that the cells around the highest one point to; peak: the smoothed offset of the
    highest cell, as published; votes: Hough voting by all cells of the map"""
    blur: float = Field(default=60.0, ge=0)
    "width of the smoothing window of the disc before its highest cell is taken, image pixels; 0: no smoothing"
    offset_blur: float = Field(default=28.0, ge=0)
    "width of the window over which near and peak average, image pixels; 0: the highest cell only"
    outside: Literal["window", "strict", "ignore"] = "window"
    """points outside the image: window trains on the part of the disc inside it, strict leaves them out, ignore trains
    on the resulting map, even if it is empty"""
    kind: Suppress[Literal["udp_combined"]] = "udp_combined"

    gives = frozenset({"disc", "offset"})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Three maps a point."""
        return {"disc": (self.points, *self.grid.shape), "offset": (2 * self.points, *self.grid.shape)}

    def encode(self, instances: Instances) -> Target:
        """Draw a disc for each point, with the offsets to its centre.

        Args:
            instances: one slot an image, K points.

        Returns:
            ``disc`` (B, K, H, W) with weight (B, K, 1, 1), and ``offset`` (B, 2K, H, W), weight 1 within the disc.

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        columns, rows = self.grid.axes(xy)
        dx = (xy[..., 0, None] - columns) / self.radius
        dy = (xy[..., 1, None] - rows) / self.radius
        disc = dx.square()[..., None, :] + dy.square()[..., None] <= 1
        if self.outside == "window":
            known = known & disc.any(-1).any(-1)
        elif self.outside == "strict":
            known = known & inside_image(xy, self.image)
        weight = known.to(xy.dtype)
        within = disc * weight[..., None, None]
        shape = disc.shape
        offset = torch.stack((dx[..., None, :].expand(shape), dy[..., None].expand(shape)), dim=2) * within[:, :, None]
        both = within[:, :, None].expand_as(offset)
        return Target(
            maps={"disc": within, "offset": offset.flatten(1, 2), "xy": xy[:, None]},
            weight={
                "disc": weight[..., None, None],
                "offset": both.flatten(1, 2),
                "xy": weight[:, None, :, None],
            },
        )

    def activate(self, maps: Maps) -> Maps:
        """The raw maps; an arg-max has no gradient, so there is no ``xy``."""
        return dict(maps)

    def perfect(self, target: Target) -> Maps:
        """The maps of the target, which have the form of raw maps."""
        return {name: target_map(target, name, self.kind) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """The locations that the offsets point to.

        Args:
            maps: ``disc`` (B, K, H, W) and ``offset`` (B, 2K, H, W); values that are not finite are ignored.

        Returns:
            Poses (B, 1, K): image pixels; the score is the smoothed disc at its highest cell over the same value of a
            perfect disc, or with ``votes`` the fraction of a disc's votes in the 3x3 cells around the maximum.
        """
        disc = maps["disc"].to(torch.promote_types(maps["disc"].dtype, torch.float32))
        disc = torch.where((disc > 0) & (disc <= MOST), disc, 0.0)
        if self.merge == "votes":
            return self._voted(disc, finite(maps["offset"].to(disc.dtype)))
        cells = self.grid.scale[0]
        smoothing = odd(self.blur / cells)
        cell, value = peak(blurred(disc, smoothing))
        value = value / disc_left(self.radius / cells, smoothing)
        step = self._lead(disc, maps["offset"], cell, odd(self.offset_blur / cells)) * self.radius
        return one_pose(self.grid.pixels(cell.to(value.dtype)) + step, value)

    def _lead(self, disc: Tensor, offset: Tensor, cell: Tensor, width: int) -> Tensor:
        """(B, K, 2) mean location that the cells in a window around each peak point to, in radii from the peak.

        For ``near``, the mean of the predicted locations, weighted by the disc. A plain mean of the offsets ignores
        that cells further left have offsets further right, and is biased where window and disc are not symmetric;
        ``peak`` uses it, as published.
        """
        steps, taps = (constant(value, disc) for value in window_cells(width))
        at = cell[:, :, None] + steps
        inside = within(at, self.grid.shape)
        near = torch.where(inside[..., None], at, cell[:, :, None])
        number = (near[..., 1] * self.grid.width + near[..., 0]).long()
        offsets = finite(picked(offset, number.repeat_interleave(2, 1)).to(disc.dtype)).unflatten(1, (-1, 2))
        share = taps * inside
        if self.merge == "peak":
            mean: Tensor = (offsets * share[:, :, None]).sum(-1)
            return mean
        share = share * picked(disc, number)
        total = share.sum(-1)
        reach = steps * (steps.new_tensor(self.grid.scale) / self.radius)
        mean = ((offsets + reach.T) * share[:, :, None]).sum(-1) / total.clamp_min(1e-9)[..., None]
        # Where no cell in the window belongs to a disc, the offset of the peak itself is used.
        own = offsets[..., len(taps) // 2]
        return torch.where(total[..., None] > 1e-6, mean, own)

    def _voted(self, disc: Tensor, offset: Tensor) -> Poses:
        (sx, sy), (B, _, H, W) = self.grid.scale, offset.shape
        reach = offset.new_tensor((self.radius / sx, self.radius / sy))[:, None, None]
        in_cells = offset.reshape(B, self.points, 2, H, W) * reach
        area = math.pi * self.radius**2 / (sx * sy)
        place, mass = most_votes(votes(disc, in_cells) / area)
        return one_pose(self.grid.pixels(place), mass)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror the maps and negate the offsets along x; exact on an `AlignedGrid`."""
        offset = mirrored_pairs(maps["offset"], order, self.grid)
        return {"disc": mirrored(maps["disc"], order, self.grid), "offset": offset}


@lru_cache
def disc_left(radius: float, width: int) -> float:
    """Value at the centre of a disc of ones after smoothing with a window; both sizes in cells."""
    reach = width // 2
    taps = list(zip(range(-reach, reach + 1), window(width), strict=True))
    return sum(a * b for i, a in taps for j, b in taps if i * i + j * j <= radius * radius)


def votes(weight: Tensor, offset: Tensor) -> Tensor:
    """Hough voting: every cell adds its weight at the location of its offset, split bilinearly over four cells.

    Args:
        weight: (B, K, H, W), at least 0.
        offset: (B, K, 2, H, W) cells, x before y.

    Returns:
        (B, K, H, W); votes outside the map are dropped.

    Source: Papandreou et al. 2017, arXiv:1701.01779, eq. 1, without its factor.
    """
    B, K, H, W = weight.shape
    x = offset[:, :, 0] + torch.arange(W, dtype=offset.dtype, device=offset.device)
    y = offset[:, :, 1] + torch.arange(H, dtype=offset.dtype, device=offset.device)[:, None]
    left, top = x.clamp(-2, W + 1).floor(), y.clamp(-2, H + 1).floor()
    total = weight.new_zeros(B, K, H * W)
    for right, low in ((0, 0), (1, 0), (0, 1), (1, 1)):
        i, j = left + right, top + low
        share = weight * (1 - (x - i).abs()).clamp_min(0) * (1 - (y - j).abs()).clamp_min(0)
        inside = (i >= 0) & (i < W) & (j >= 0) & (j < H)
        at = (j.clamp(0, H - 1) * W + i.clamp(0, W - 1)).long()
        total = total.scatter_add(2, at.flatten(2), (share * inside).flatten(2))
    return total.reshape(B, K, H, W)


def most_votes(total: Tensor) -> tuple[Tensor, Tensor]:
    """Centroid of the votes in the 3x3 cells around their maximum.

    Args:
        total: (B, K, H, W), at least 0.

    Returns:
        (B, K, 2) cells and (B, K) the sum of the nine; the highest cell itself where there are no votes.
    """
    H, W = total.shape[-2:]
    cell, _ = peak(total)
    steps = torch.arange(9, device=total.device)
    around = torch.stack((steps % 3 - 1, steps // 3 - 1), dim=-1)
    at = cell[..., None, :] + around
    last = torch.tensor((W - 1, H - 1), device=total.device)
    inside = ((at >= 0) & (at <= last)).all(-1)
    near = torch.minimum(at.clamp_min(0), last)
    share = picked(total, near[..., 1] * W + near[..., 0]) * inside
    mass = share.sum(-1)
    step = (share[..., None] * around).sum(-2) / mass.clamp_min(1e-9)[..., None]
    return cell.to(total.dtype) + step, mass
