"""The choices of `--codec`: for each representation its codec, its losses, and the head that outputs its maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from posekit.codecs.any import AnyCodec
from posekit.codecs.centers import CenterNet, Ttfnet
from posekit.codecs.dfl import Dfl
from posekit.codecs.dsnt import Dsnt
from posekit.codecs.ellipse import Ellipse
from posekit.codecs.grid import GridRegression
from posekit.codecs.heatmap import Heatmap
from posekit.codecs.integral import Integral
from posekit.codecs.megvii import Megvii
from posekit.codecs.openpose import OpenPose
from posekit.codecs.regression import Regression
from posekit.codecs.rle import Rle
from posekit.codecs.simcc import SimCC
from posekit.codecs.udp import Udp, UdpCombined
from posekit.codecs.volume import Heatmap3d, Integral3d
from posekit.geometry.grid import AlignedGrid, Grid
from posekit.geometry.skeleton import Skeleton
from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC as BinsHead
from posekit.models.topdown import AnyHead

DEPTH = 800.0
"""Depth range around the root of 3-D representations, in millimetres, for human bodies."""


@dataclass(frozen=True)
class Representation:
    """Codec, losses and head of a representation.

    Args:
        codec: function from skeleton and grid to codec.
        losses: names in `LOSSES`; those that do not fit the codec are left out.
        head: head of the network.
        stride: stride of its maps in pixels, if not the usual one; such networks have no neck.
    """

    codec: Callable[[Skeleton, Grid], AnyCodec]
    losses: tuple[str, ...]
    head: AnyHead
    stride: int | None = None

    @property
    def neck(self) -> bool:
        """Whether the network has a neck."""
        return isinstance(self.head, Maps) and self.stride is None


def blur(grid: Grid) -> float:
    """Default sigma of Gaussian targets in pixels: 2 cells, or 1.5 on small maps."""
    return grid.scale[0] * (2.0 if min(grid.shape) >= 48 else 1.5)


def aligned(grid: Grid) -> AlignedGrid:
    """The same cells on UDP's grid."""
    return AlignedGrid(
        height=grid.height, width=grid.width, image_height=grid.image_height, image_width=grid.image_width
    )


def neighbours(skeleton: Skeleton) -> tuple[int, ...]:
    """For each point a neighbour along a bone, or -1; mirror points have mirrored neighbours.

    A point on the midline has a neighbour on the midline or none, so that mirroring does not change it.
    """
    bones = skeleton.edges
    flip = skeleton.flip if skeleton.flippable else tuple(range(len(skeleton.points)))
    joined = {frozenset(bone) for bone in bones}
    chosen = [-1] * len(flip)
    for k, other in enumerate(flip):
        ends = [a for a, b in bones if b == k] + [b for a, b in bones if a == k]
        fitting = [end for end in ends if frozenset((other, flip[end])) in joined and (other != k or flip[end] == end)]
        if chosen[k] < 0 and fitting:
            chosen[k], chosen[other] = fitting[0], flip[fitting[0]]
    return tuple(chosen)


def _ellipse(skeleton: Skeleton, grid: Grid) -> Ellipse:
    points = len(skeleton.points)
    return Ellipse(points=points, grid=grid, parents=neighbours(skeleton), sigmas=skeleton.oks_sigmas)


def _oks(skeleton: Skeleton, grid: Grid) -> Ellipse:
    points = len(skeleton.points)
    return Ellipse(points=points, grid=grid, parents=(-1,) * points, sigmas=skeleton.oks_sigmas, shape="oks")


def _combined(skeleton: Skeleton, grid: Grid) -> UdpCombined:
    cell = grid.scale[0]
    return UdpCombined(
        points=len(skeleton.points), grid=aligned(grid), radius=3.5 * cell, blur=15 * cell, offset_blur=7 * cell
    )


def _openpose(skeleton: Skeleton, grid: Grid) -> OpenPose:
    return OpenPose(points=len(skeleton.points), bones=skeleton.edges, grid=grid, thickness=grid.scale[0])


REPRESENTATIONS = {
    "heatmap": Representation(
        lambda s, g: Heatmap(points=len(s.points), grid=g, sigma=blur(g), target="quantised", refine="quarter"),
        ("mse",),
        Maps(),
    ),
    "dark": Representation(lambda s, g: Heatmap(points=len(s.points), grid=g, sigma=blur(g)), ("mse",), Maps()),
    "udp": Representation(lambda s, g: Udp(points=len(s.points), grid=aligned(g), sigma=blur(g)), ("mse",), Maps()),
    "udp_combined": Representation(_combined, ("combined",), Maps()),
    "openpose": Representation(_openpose, ("mse", "paf"), Maps()),
    "centernet": Representation(lambda s, g: CenterNet(points=len(s.points), grid=g), ("focal", "offset"), Maps()),
    "ttfnet": Representation(lambda s, g: Ttfnet(points=len(s.points), grid=g), ("focal",), Maps()),
    "ellipse": Representation(_ellipse, ("mse",), Maps()),
    "oks": Representation(_oks, ("mse",), Maps()),
    "megvii": Representation(lambda s, g: Megvii(points=len(s.points), grid=g), ("mse", "coarse"), Maps()),
    "heatmap3d": Representation(
        lambda s, g: Heatmap3d(points=len(s.points), grid=g, sigma=blur(g), depth=DEPTH), ("mse", "volume"), Maps()
    ),
    "integral": Representation(lambda s, g: Integral(points=len(s.points), grid=g), ("l1",), Maps()),
    "integral3d": Representation(
        lambda s, g: Integral3d(points=len(s.points), grid=g, depth=DEPTH), ("l1", "depth"), Maps()
    ),
    "dsnt": Representation(lambda s, g: Dsnt(points=len(s.points), grid=g), ("dsnt",), Maps()),
    "regression": Representation(lambda s, g: Regression(points=len(s.points), size=g.image), ("l1",), Pooled()),
    "regression3d": Representation(
        lambda s, g: Regression(points=len(s.points), size=g.image, depth=DEPTH), ("l1", "depth"), Pooled()
    ),
    "grid": Representation(
        lambda s, g: GridRegression(points=len(s.points), grid=g), ("focal", "offset"), Maps(), stride=32
    ),
    "ssd": Representation(
        lambda s, g: GridRegression(points=len(s.points), grid=g, style="ssd"), ("focal", "offset"), Maps(), stride=32
    ),
    "rle": Representation(lambda s, g: Rle(points=len(s.points), size=g.image), ("rle",), Pooled()),
    "rle3d": Representation(lambda s, g: Rle(points=len(s.points), size=g.image, depth=DEPTH), ("rle3d",), Pooled()),
    "simcc": Representation(lambda s, g: SimCC(points=len(s.points), size=g.image), ("simcc",), BinsHead()),
    "simcc_smoothed": Representation(
        lambda s, g: SimCC(points=len(s.points), size=g.image, target="smoothed"), ("simcc",), BinsHead()
    ),
    "simcc3d": Representation(
        lambda s, g: SimCC(points=len(s.points), size=g.image, depth=DEPTH), ("simcc",), BinsHead()
    ),
    "dfl": Representation(lambda s, g: Dfl(points=len(s.points), size=g.image), ("dfl", "l1"), BinsHead()),
}
"""Representations by name; all of `CODECS` are included (tested)."""
