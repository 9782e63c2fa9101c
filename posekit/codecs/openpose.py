"""Maps and fields of all people of an image at once: OpenPose's representation."""

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
"""A Gaussian below that, one hundredth of its peak, is 0 in the form `code`."""
FAR = 1e6
"""Image pixels; a point further away is a slip, and single precision has no cells left there: it counts as unknown."""
SHORTEST = 1e-7
"""Image pixels; a shorter bone has no direction and draws nothing."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OpenPose(OnGrid):
    """A map a point, one of the background, and a field of directions a bone, for any number of people.

    Crops with one person are decoded here, without the fields; images with several by `posekit.codecs.grouping` and
    `posekit.postprocess.group`.

    Raises:
        ValueError: a bone joins unknown points or a point with itself, or stands there twice.

    Source: Cao et al., arXiv:1611.08050 and arXiv:1812.08008; the form `code` is that of the released training code.
    Differs: in both forms a field is the mean over the people that cover a cell; in the released code the last of them
    wins.
    """

    points: Suppress[Annotated[int, Field(ge=1)]]
    bones: Suppress[tuple[tuple[int, int], ...]]
    grid: Suppress[AnyGrid]
    sigma: float = Field(default=7.0, gt=0)
    "width of the hills, image pixels"
    form: Literal["paper", "code"] = "paper"
    """paper draws exp(-d^2 / sigma^2), the highest of all people, and bones from end to end; code draws
    exp(-d^2 / (2 sigma^2)) down to a hundredth, the sum of all people up to 1, and bones as far as their box"""
    thickness: float = Field(default=8.0, gt=0)
    "half the width of a drawn bone, image pixels; one cell at stride 8"
    refine: Literal["none", "quarter", "parabola"] = "parabola"
    "how the place between cells is found"
    kind: Suppress[Literal["openpose"]] = "openpose"

    def __post_init__(self) -> None:
        for bone in self.bones:
            if bone[0] == bone[1] or not all(0 <= end < self.points for end in bone):
                raise ValueError(f"bone {bone} should join two of the points 0 to {self.points - 1}")
        if len({frozenset(bone) for bone in self.bones}) < len(self.bones):
            raise ValueError(f"a bone stands twice in {self.bones}: leave the second one out")

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """One map a point and the background after them; x and y of every bone in turn."""
        maps: dict[str, tuple[int, ...]] = {"heatmap": (self.points + 1, *self.grid.shape)}
        return {**maps, "paf": (2 * len(self.bones), *self.grid.shape)} if self.bones else maps

    @property
    def gives(self) -> frozenset[str]:
        """The maps, and the fields where there are bones."""
        return frozenset(self.shapes)

    @property
    def gaussian(self) -> float:
        """Standard deviation of the drawn hills in image pixels."""
        return self.sigma / math.sqrt(2) if self.form == "paper" else self.sigma

    def encode(self, instances: Instances) -> Target:
        """Draw all people of each image into one set of maps.

        A map counts where every person of the image has that point, since an unlabelled one could be anywhere, and
        where one of them at least is seen in it; the background where every person has all points; a field where every
        person has both ends. Slots that hold no person are not looked at.

        Args:
            instances: any number of slots an image, K points.

        Returns:
            ``heatmap`` (B, K + 1, H, W) in [0, 1] with weight (B, K + 1, 1, 1), the background last: 1 less the highest
            of the others; ``paf`` (B, 2 bones, H, W), unit vectors in the frame of the image, with weight
            (B, 2 bones, 1, 1); ``xy`` (B, N, K, 2) with weight (B, N, K, 1).

        Raises:
            ValueError: no slot an image, or another number of points.
        """
        xy, known, people = labelled(instances, self.points)
        rows, columns, _ = gaussian_lines(xy, self.grid, self.gaussian)
        # The highest cell of a product of lines is the product of their highest.
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
        """(B, K + 1, H, W) maps of all people, from lines (B, N, K, H) and (B, N, K, W), and the background after them.

        A map that is not known, with a weight (B, K + 1, 1, 1) of 0, says nothing, so it shows nothing.
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
        # A bone that is not drawn has no cell within less than nothing.
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
        """(B, N, bones, rows, W) bool: the cell lies on a bone from ``start`` to ``end`` (B, N, bones, 2).

        Everything about a cell is a sum or a product of a number of its column and one of its row.
        """
        x, y = self.grid.axes(start)
        way = end - start
        length = way.norm(dim=-1, keepdim=True)
        unit = way / length.clamp_min(SHORTEST)
        # Columns (..., W) and rows (..., rows) as seen from the start.
        across, down = x - start[..., :1], y[rows] - start[..., 1:]
        ux, uy = unit[..., :1], unit[..., 1:]
        on: Tensor = ((across * uy)[..., None, :] - (down * ux)[..., None]).abs_() <= reach
        if self.form == "paper":
            along = (across * ux)[..., None, :] + (down * uy)[..., None]
            on &= (along >= 0) & (along <= length[..., None])
            return on
        low, high = way.clamp(max=0) - self.thickness, way.clamp(min=0) + self.thickness
        beside = (across >= low[..., :1]) & (across <= high[..., :1])
        level = (down >= low[..., 1:]) & (down <= high[..., 1:])
        on &= beside[..., None, :]
        on &= level[..., None]
        return on

    def activate(self, maps: Maps) -> Maps:
        """The raw maps: a highest cell has no gradient."""
        return dict(maps)

    def perfect(self, target: Target) -> Maps:
        """The maps of the target, which are raw ones."""
        return {name: target_map(target, name, self.kind) for name in self.shapes}

    def decode(self, maps: Maps) -> Poses:
        """Refined highest cells, for crops with one person.

        Args:
            maps: ``heatmap`` (B, K + 1, H, W); the background and the fields are not looked at, and NaN cells are never
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
        """Mirror maps and fields; see `posekit.codecs.cells.mirrored` for what is left on a `RatioGrid`.

        A field's x changes its sign; both its numbers do where the mirrored bone is stored from the other end.

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
    """Where the points of all people are, which of them are known, and which slots hold a person.

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
            f"expected xy (B, N, {points}, 2) with a slot an image or more, got {tuple(xy.shape)}; make the codec for "
            "the skeleton of the labels, and pad images without people with an empty slot"
        )
    xy = xy.to(torch.promote_types(xy.dtype, torch.float32))
    near = (xy.abs() <= FAR).all(-1)
    people = instances.role == INSTANCE
    known = instances.keypoints.labelled & near & people[..., None]
    return torch.where(near[..., None], xy, 0.0), known, people


def mirrored_bones(
    bones: tuple[tuple[int, int], ...], order: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Which channel of a mirrored image's fields is each channel of the image's, and its sign.

    Args:
        bones: pairs of points.
        order: index of each point's mirror.

    Returns:
        2 channel numbers a bone, and as many signs.

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
