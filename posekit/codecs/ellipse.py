"""Gaussians whose width follows from the box, the bone, or the point's OKS sigma, and that need not be round."""

import math
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import bell, outer
from posekit.codecs.heatmap import activated_map, decoded_map, map_names, map_target, raw_map
from posekit.codecs.kernels import NARROWEST, oriented
from posekit.codecs.on_grid import OneMap
from posekit.codecs.single import inside_image, one_box, one_labelled
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import Instances, Poses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Ellipse(OneMap):
    """Gaussians of any two widths and any direction around the point itself.

    Source: generalises TTFNet's kernel, arXiv:1909.00700; widths from OKS, arXiv:1405.0312.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    grid: Suppress[AnyGrid]
    parents: Suppress[tuple[int, ...]]
    sigmas: Suppress[tuple[Annotated[float, Field(gt=0)], ...]]
    shape: Literal["bone", "box", "point", "oks"] = "bone"
    """what the widths follow from; bone: longer along the bone that ends in the point, round where there is none; box:
    the sides of the box; point: in proportion to the point's OKS sigma; oks: that, times the instance's size"""
    along: float = Field(default=10.0, gt=0)
    "bone: sigma along the bone, image pixels"
    across: float = Field(default=6.0, gt=0)
    "bone: sigma across the bone, image pixels; point: the mean sigma over the points"
    share: float = Field(default=0.08, gt=0)
    "box: sigma as a share of the box's sides"
    strictness: float = Field(default=1.0, gt=0)
    "oks: sigma as a multiple of the distance at which OKS falls to 0.61"
    activation: Literal["none", "sigmoid"] = "none"
    "sigmoid: the network gives logits, for quality focal losses; none: it gives the map itself, for squared losses"
    refine: Literal["none", "quarter", "second", "parabola", "dark", "dark_udp"] = "dark"
    "how the location between cells is computed"
    blur: float = Field(default=20.0, ge=0)
    "width of the smoothing window of dark, image pixels; 0: no smoothing"
    outside: Literal["window", "strict"] = "window"
    "points outside the image: window trains on the part of the Gaussian inside it, strict leaves them out"
    kind: Suppress[Literal["ellipse"]] = "ellipse"

    def __post_init__(self) -> None:
        if len(self.parents) != self.points or len(self.sigmas) != self.points:
            raise ValueError(
                f"an ellipse needs a parent and a sigma for each of the {self.points} points; "
                f"got {len(self.parents)} and {len(self.sigmas)}"
            )

    @property
    def gives(self) -> frozenset[str]:
        """Also ``logits`` where the network gives logits."""
        return map_names(self.activation, peaked=False)

    def encode(self, instances: Instances) -> Target:
        """Draw a Gaussian for each point.

        Args:
            instances: one slot an image, K points, and boxes.

        Returns:
            ``heatmap`` (B, K, H, W) in [0, 1], zero where nothing is known, with weight (B, K, 1, 1).

        Raises:
            ValueError: there is not exactly one slot an image, or another number of points.
        """
        xy, known = one_labelled(instances, self.points)
        along, across, angle = self._widths(instances, xy, known)
        far = 3 * torch.maximum(along, across)[..., None]
        columns, rows = self.grid.axes(xy)
        corner = torch.stack((columns[-1], rows[-1]))
        first = torch.stack((columns[0], rows[0]))
        reaches = ((xy + far >= first) & (xy - far <= corner)).all(-1)
        known = known & (reaches if self.outside == "window" else inside_image(xy, self.image))
        weight = known.to(xy.dtype)
        # A point without weight draws nothing, wherever it lies.
        place = torch.where(known[..., None], xy, 0.0)
        if self.shape == "bone":
            heatmap = oriented(columns - place[..., :1], rows - place[..., 1:], along, across, angle, weight)
        else:
            cells, (x, y), (height, width) = self.grid.cells(place), self.grid.scale, self.grid.shape
            lines = bell(cells[..., 1], height, across / y) * weight[..., None]
            heatmap = outer(lines, bell(cells[..., 0], width, along / x))
        return map_target(heatmap, weight, xy, self.gives)

    def _widths(self, instances: Instances, xy: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, K) sigma along and across in image pixels, and the direction in radians."""
        size, area = one_box(instances, xy)
        least = NARROWEST * max(self.grid.scale)
        angle = torch.zeros_like(xy[..., 0])
        if self.shape == "bone":
            along, angle = self._along_bones(xy, known)
            return along.clamp_min(least), torch.full_like(along, max(self.across, least)), angle
        if self.shape == "box":
            wide = (self.share * size)[:, None].expand_as(xy).clamp_min(least)
            return wide[..., 0], wide[..., 1], angle
        ratio = xy.new_tensor(self.sigmas)
        if self.shape == "point":
            each = (self.across * ratio / ratio.mean()).expand_as(angle)
        else:
            each = self.strictness * 2 * ratio * area.sqrt()[:, None]
        return each.clamp_min(least), each.clamp_min(least), angle

    def _along_bones(self, xy: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K) sigma along the bone, and its direction; round where the bone's other end is unknown or coincides."""
        parent = [k if up < 0 else up for k, up in enumerate(self.parents)]
        bone = xy - xy[:, parent]
        there = known & known[:, parent] & (bone.square().sum(-1) > 1e-6)
        safe = torch.where(there[..., None], bone, bone.new_tensor((1.0, 0.0)))
        along, across = bone.new_tensor((self.along, self.across)).unbind()
        return torch.where(there, along, across), torch.atan2(safe[..., 1], safe[..., 0])

    def activate(self, maps: Maps) -> Maps:
        """The map, and its logits where the network gives logits."""
        return activated_map(maps, self.gives)

    def perfect(self, target: Target) -> Maps:
        """The map, or its logits where the network gives logits."""
        return {"heatmap": raw_map(target, self.kind, self.gives)}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells; see `Heatmap.decode`."""
        width = 2 * max(0, math.floor(self.blur / self.grid.scale[0] / 2)) + 1
        return decoded_map(maps, self.gives, self.grid, self.refine, width)
