"""Heatmaps and part-affinity fields of all people in an image: OpenPose's representation."""

import math
from typing import Annotated, Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor
from tyro.conf import Suppress

from posekit.codecs.base import Maps, Target
from posekit.codecs.cells import in_bands, mirrored, outer
from posekit.codecs.heatmap import gaussian_lines
from posekit.codecs.inverse import target_map
from posekit.codecs.on_grid import OnGrid
from posekit.codecs.ranking import peak
from posekit.codecs.refine import refine_parabola, refine_quarter
from posekit.codecs.single import one_pose
from posekit.geometry.grid import AnyGrid
from posekit.geometry.keypoints import INSTANCE, Instances, Poses

CUT = math.exp(-4.6052)
"""In the form `code`, values of a Gaussian below this are 0: one hundredth of its peak."""
FAR = 1e6
"""Image pixels; a point with larger coordinates is taken for a labelling error and counts as unknown."""
SHORTEST = 1e-7
"""Image pixels; a shorter bone has no direction and is not drawn."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OpenPose(OnGrid):
    """A heatmap for each point and the background, and a part-affinity field for each bone, for any number of people.

    `decode` is for crops with one person and does not use the fields; images with several people are decoded by
    `posekit.codecs.grouping` and `posekit.postprocess.group`.

    Raises:
        ValueError: a bone connects unknown points or a point with itself, or is listed twice.

    Source: Cao et al., arXiv:1611.08050 and arXiv:1812.08008; the form `code` is that of the released training code.
    Differs: in both forms a field is the mean over the people that cover a cell; in the released code the last person
    wins.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    bones: Suppress[tuple[tuple[int, int], ...]]
    grid: Suppress[AnyGrid]
    sigma: float = Field(default=7.0, gt=0)
    "width of the Gaussians, image pixels; see form"
    form: Literal["paper", "code"] = "paper"
    """paper: exp(-d^2 / sigma^2), the maximum over people, and bones from end to end; code: exp(-d^2 / (2 sigma^2))
    down to 0.01, the sum over people clamped to 1, and bones within their bounding box"""
    thickness: float = Field(default=8.0, gt=0)
    "half the width of a drawn bone, image pixels; one cell at stride 8"
    refine: Literal["none", "quarter", "parabola"] = "parabola"
    "how the location between cells is computed"
    kind: Suppress[Literal["openpose"]] = "openpose"

    def __post_init__(self) -> None:
        for bone in self.bones:
            if bone[0] == bone[1] or not all(0 <= end < self.points for end in bone):
                raise ValueError(f"bone {bone} should connect two of the points 0 to {self.points - 1}")
        if len({frozenset(bone) for bone in self.bones}) < len(self.bones):
            raise ValueError(f"a bone is listed twice in {self.bones}: leave the second one out")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """A map for each point, then the background; x and y of every bone in turn."""
        maps: dict[str, tuple[int, ...]] = {"heatmap": (self.points + 1, *self.grid.shape)}
        return {**maps, "paf": (2 * len(self.bones), *self.grid.shape)} if self.bones else maps

    @property
    def gives(self) -> frozenset[str]:
        """``heatmap``, and ``paf`` where there are bones."""
        return frozenset(self.shapes)

    @property
    def gaussian(self) -> float:
        """Standard deviation of the drawn Gaussians in image pixels."""
        return self.sigma / math.sqrt(2) if self.form == "paper" else self.sigma

    def encode(self, instances: Instances) -> Target:
        """Draw all people of each image into one set of maps.

        A heatmap has weight 1 if the point is labelled for every person of the image, since an unlabelled one could be
        anywhere, and at least one of them reaches the map; the background if every person has all points; a field if
        every person has both ends. Slots that hold no person are ignored.

        Args:
            instances: any number of slots an image, K points.

        Returns:
            ``heatmap`` (B, K + 1, H, W) in [0, 1] with weight (B, K + 1, 1, 1), the background last: 1 minus the
            maximum of the others; ``paf`` (B, 2 bones, H, W), unit vectors in the frame of the image, with weight (B, 2
            bones, 1, 1); ``xy`` (B, N, K, 2) with weight (B, N, K, 1).

        Raises:
            ValueError: no slot an image, or another number of points.
        """
        xy, known, people = labelled(instances, self.points)
        rows, columns, _ = gaussian_lines(xy, self.grid, self.gaussian)
        # The maximum of an outer product is the product of the maxima of its factors.
        seen = known & (rows.amax(-1) * columns.amax(-1) >= CUT)
        complete = (known | ~people[..., None]).all(1) & people.any(1, keepdim=True)
        counts = complete & seen.any(1)
        behind = complete.all(-1, keepdim=True) & counts.any(-1, keepdim=True)
        weight = torch.cat((counts, behind), dim=-1).to(xy.dtype)
        maps = {"heatmap": self._gaussians(rows * known[..., None], columns, weight[..., None, None]), "xy": xy}
        weights = {"heatmap": weight[..., None, None], "xy": seen[..., None].to(xy.dtype)}
        if self.bones:
            maps["paf"], weights["paf"] = self._fields(xy, known, people)
        return Target(maps=maps, weight=weights)

    def _gaussians(self, rows: Tensor, columns: Tensor, weight: Tensor) -> Tensor:
        """(B, K + 1, H, W) heatmaps of all people from factors (B, N, K, H) and (B, N, K, W), the background last.

        A map with a weight (B, K + 1, 1, 1) of 0 is set to 0.
        """

        def draw(band: slice) -> Tensor:
            each = outer(rows[..., band], columns)
            if self.form == "paper":
                maps = each.amax(1)
            else:
                maps = torch.where(each >= CUT, each, 0.0).sum(1).clamp_max(1.0)
            return torch.cat((maps, 1 - maps.amax(1, keepdim=True)), 1).mul_(weight)

        return in_bands(draw, self.grid.height, columns.numel())

    def _fields(self, xy: Tensor, known: Tensor, people: Tensor) -> tuple[Tensor, Tensor]:
        """``paf`` and its weight."""
        first, last = ([bone[end] for bone in self.bones] for end in (0, 1))
        both = known[..., first] & known[..., last]
        counts = (both | ~people[..., None]).all(1) & people.any(1, keepdim=True)
        start, end = xy[..., first, :], xy[..., last, :]
        length = (end - start).norm(dim=-1, keepdim=True)
        unit = (end - start) / length.clamp_min(SHORTEST)
        drawn = both & (length[..., 0] >= SHORTEST) & counts[:, None]
        # A bone that is not drawn gets a negative thickness, so that no cell lies on it.
        reach = torch.where(drawn, self.thickness, -1.0)[..., None, None]
        ux, uy = unit[..., 0, None, None], unit[..., 1, None, None]

        def draw(rows: slice) -> Tensor:
            on = self._on_bones(start, end, reach, rows)
            people_there = on.sum(1, dtype=xy.dtype).clamp_min_(1.0)
            axes = [torch.where(on, along, 0.0).sum(1).div_(people_there) for along in (ux, uy)]
            return torch.stack(axes, 2).flatten(1, 2)

        field = in_bands(draw, self.grid.height, 2 * drawn.numel() * self.grid.width)
        return field, counts.to(xy.dtype).repeat_interleave(2, dim=1)[..., None, None]

    def _on_bones(self, start: Tensor, end: Tensor, reach: Tensor, rows: slice) -> Tensor:
        """(B, N, bones, rows, W) bool: whether a cell lies on the bone from ``start`` to ``end`` (B, N, bones, 2).

        All terms are sums or products of a number of the column and a number of the row.
        """
        x, y = self.grid.axes(start)
        bone = end - start
        length = bone.norm(dim=-1, keepdim=True)
        unit = bone / length.clamp_min(SHORTEST)
        # Columns (..., W) and rows (..., rows) relative to the start.
        across, down = x - start[..., :1], y[rows] - start[..., 1:]
        ux, uy = unit[..., :1], unit[..., 1:]
        on: Tensor = ((across * uy)[..., None, :] - (down * ux)[..., None]).abs_() <= reach
        if self.form == "paper":
            along = (across * ux)[..., None, :] + (down * uy)[..., None]
            on &= (along >= 0) & (along <= length[..., None])
            return on
        low, high = bone.clamp(max=0) - self.thickness, bone.clamp(min=0) + self.thickness
        beside = (across >= low[..., :1]) & (across <= high[..., :1])
        level = (down >= low[..., 1:]) & (down <= high[..., 1:])
        on &= beside[..., None, :]
        on &= level[..., None]
        return on

    def activate(self, maps: Maps) -> Maps:
        """The raw maps; an arg-max has no gradient, so there is no ``xy``."""
        return dict(maps)

    def perfect(self, target: Target) -> Maps:
        """The maps of the target, which have the form of raw maps."""
        return {name: target_map(target, name, self.kind) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells, for crops with one person.

        Args:
            maps: ``heatmap`` (B, K + 1, H, W); the background and the fields are not used, and NaN cells are never
                chosen.

        Returns:
            Poses (B, 1, K): image pixels; the score is the map's value at its highest cell, clamped to [0, 1].
        """
        cell, value = (found[:, : self.points] for found in peak(maps["heatmap"]))
        return one_pose(self.grid.pixels(self._refined(maps["heatmap"], cell).to(value.dtype)), value)

    def _refined(self, heatmap: Tensor, cell: Tensor) -> Tensor:
        if self.refine == "parabola":
            return refine_parabola(heatmap, cell)
        return refine_quarter(heatmap, cell) if self.refine == "quarter" else cell.to(heatmap.dtype)

    def flip(self, maps: Maps, order: tuple[int, ...]) -> Maps:
        """Mirror maps and fields; see `posekit.codecs.cells.mirrored` for the error on a `RatioGrid`.

        A field's x changes its sign; where the mirrored bone is stored in the other direction, both x and y are negated
        as well.

        Raises:
            ValueError: a bone's mirror is not among the bones.
        """
        flipped = {"heatmap": mirrored(maps["heatmap"], (*order, self.points), self.grid)}
        if self.bones:
            channels, signs = mirrored_bones(self.bones, order)
            field = mirrored(maps["paf"], channels, self.grid)
            flipped["paf"] = field * field.new_tensor(signs)[:, None, None]
        return flipped


def labelled(instances: Instances, points: int) -> tuple[Tensor, Tensor, Tensor]:
    """Locations of the points of all people, which of them are known, and which slots hold a person.

    Args:
        instances: any number of slots an image, torch tensors.
        points: K that the codec was made for.

    Returns:
        ``xy`` (B, N, K, 2) in image pixels, finite, at least float32; ``known`` (B, N, K) bool: labelled, finite, no
        further than `FAR` and in a slot that holds an instance; and (B, N) bool, the slots that do.

    Raises:
        ValueError: no slot, or another number of points.
    """
    xy = instances.keypoints.xy
    if xy.ndim != 4 or xy.shape[1] < 1 or xy.shape[2] != points:
        raise ValueError(
            f"expected xy (B, N, {points}, 2) with at least one slot an image, got {tuple(xy.shape)}; make the codec "
            "for the skeleton of the labels, and pad images without people with an empty slot"
        )
    xy = xy.to(torch.promote_types(xy.dtype, torch.float32))
    near = (xy.abs() <= FAR).all(-1)
    people = instances.role == INSTANCE
    known = instances.keypoints.labelled & near & people[..., None]
    return torch.where(near[..., None], xy, 0.0), known, people


def mirrored_bones(
    bones: tuple[tuple[int, int], ...], order: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """For each channel of the image's fields, the channel of the mirrored image's fields and its sign.

    Args:
        bones: pairs of points.
        order: index of each point's mirror.

    Returns:
        2 channel numbers for each bone, and as many signs.

    Raises:
        ValueError: a bone's mirror is not among the bones.
    """
    channels: list[int] = []
    signs: list[float] = []
    for a, b in bones:
        same, turned = (order[a], order[b]), (order[b], order[a])
        if same not in bones and turned not in bones:
            raise ValueError(f"bone {(a, b)} has no mirror {same} among {bones}: add it, or leave the bone out")
        sign = 1.0 if same in bones else -1.0
        at = bones.index(same if same in bones else turned)
        channels += [2 * at, 2 * at + 1]
        signs += [-sign, sign]
    return tuple(channels), tuple(signs)
