"""What every network here is: a backbone, a neck, a head, and a description that builds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from posekit.models.normalize import IMAGENET_MEAN, IMAGENET_STD, Normalize

Shapes = Mapping[str, tuple[int, ...]]


class Architecture(Protocol):
    """A network described: a frozen dataclass of sizes."""

    def build(self, shapes: Shapes) -> nn.Module:
        """The network whose maps have these names and, behind the batch, these shapes; weights drawn or loaded."""
        ...


class Backbone(Protocol):
    """A backbone's module: ``forward`` takes the normalised image and gives one map for each stride, finest first."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Of the maps."""
        ...

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the maps."""
        ...

    @property
    def multiple(self) -> int:
        """Height and width of the image must be multiples of this."""
        ...


class PoseNet(nn.Module):
    """Images to raw maps, in training and in use alike.

    Args:
        backbone: image to a list of maps; its ``mean`` and ``std`` (fractions of 255), where it has them, replace
            ImageNet's.
        neck: that list to one map.
        head: that map to named maps.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.normalize = Normalize(getattr(backbone, "mean", IMAGENET_MEAN), getattr(backbone, "std", IMAGENET_STD))
        self.backbone = backbone
        self.neck = neck
        self.head = head

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw maps by name, batch first.

        Args:
            image: (B, 3, H, W) RGB, uint8 or floating point in 0..255.
        """
        maps: dict[str, Tensor] = self.head(self.neck(self.backbone(self.normalize(image))))
        return maps

    def at(self, maps: Mapping[str, Tensor], cells: Tensor) -> dict[str, Tensor]:
        """Maps of chosen instances, for heads that run a network for each.

        Args:
            maps: that `forward` gave.
            cells: (B, P) numbers of cells, counted row by row through all levels in order.
        """
        return self.head.at(maps, cells)
