"""Top-down recipes: one crop an instance, one network, and the representations side by side.

Every recipe is a function of the user's skeleton. The plain ones are for a GPU (ResNet-50, 256x192); each has a
`-tiny` form for the CPU that differs from it in size and network only. Within a size the recipes differ in
representation, head and loss only, so that what is compared is the representation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posekit.codecs import CODECS
from posekit.codecs.any import AnyCodec
from posekit.geometry.grid import Grid
from posekit.geometry.skeleton import Skeleton
from posekit.losses import LOSSES
from posekit.losses.any import AnyLoss
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.resnet import ResNet
from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample
from posekit.models.topdown import AnyBackbone, AnyHead, AnyNeck, TopDown
from posekit.recipe import Recipe, RecipeError, Train

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class Scale:
    """What the big and the tiny form of a recipe differ in."""

    size: Size
    backbone: AnyBackbone
    maps_neck: AnyNeck
    train: Train


FULL = Scale((256, 192), ResNet(depth=50), Deconv(), Train(epochs=210, lr=5e-4, schedule="step"))
TINY = Scale((128, 128), MobileNetV3(size="small"), Upsample(), Train(epochs=60, lr=2e-3))


@dataclass(frozen=True)
class Representation:
    """A codec, made for a skeleton and a grid, the losses that train it, and the head that gives its maps."""

    codec: Callable[[int, Grid], AnyCodec]
    losses: tuple[str, ...]
    head: AnyHead
    on_maps: bool
    about: str


def _blur(grid: Grid) -> float:
    """Sigma of a Gaussian target in pixels: two cells, or less where the map is small."""
    return grid.scale[0] * (2.0 if min(grid.shape) >= 48 else 1.5)


REPRESENTATIONS: dict[str, Representation] = {}
