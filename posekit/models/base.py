"""Interfaces of all networks: backbone, neck and head, and the config that builds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from torch import Tensor, nn

from posekit.models.normalize import IMAGENET_MEAN, IMAGENET_STD, Normalize

Shapes = Mapping[str, tuple[int, ...]]


class Architecture(Protocol):
    """Config of a network: a frozen dataclass that builds it."""

    def build(self, shapes: Shapes) -> nn.Module:
        """The network, with random or pretrained weights; ``shapes`` are its output maps by name, without the batch."""
        ...


class Backbone(Protocol):
    """Module of a backbone: ``forward`` takes the normalised image and returns a map for each stride, finest first."""

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


class Neck(Protocol):
    """A neck's module, of those that give one map."""

    @property
    def channels(self) -> int:
        """Of the map."""
        ...

    @property
    def stride(self) -> int:
        """Of the map."""
        ...

    def __call__(self, maps: Sequence[Tensor], /) -> Tensor:
        """The backbone's maps to (B, channels, H / stride, W / stride)."""
        ...


class InstanceHead(Protocol):
    """Head with a dynamic network for each instance: has ``at`` in addition to ``forward``."""

    def at(self, maps: Mapping[str, Tensor], cells: Tensor) -> dict[str, Tensor]:
        """See `PoseNet.at`."""
        ...


class PoseNet(nn.Module):
    """Images to raw maps, the same in training and in inference.

    Args:
        backbone: image to a list of maps; its ``mean`` and ``std`` (fractions of 255), if any, replace ImageNet's.
        neck: list of maps to one map.
        head: map to named output maps.
        logits: list of maps to named outputs without cells, one number for each point; ``None``: there are none.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module, head: nn.Module, logits: nn.Module | None = None) -> None:
        super().__init__()
        self.normalize = Normalize(getattr(backbone, "mean", IMAGENET_MEAN), getattr(backbone, "std", IMAGENET_STD))
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.logits = logits

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw maps by name, batch first.

        Args:
            image: (B, 3, H, W) RGB, uint8 or floating point in 0..255.
        """
        return self.outputs(self.backbone(self.normalize(image)))

    def outputs(self, features: Sequence[Tensor]) -> dict[str, Tensor]:
        """Raw maps by name from the maps of the backbone, finest first."""
        maps: dict[str, Tensor] = self.head(self.neck(features))
        return maps if self.logits is None else {**maps, **self.logits(features)}

    def at(self, maps: Mapping[str, Tensor], cells: Tensor) -> dict[str, Tensor]:
        """Maps of selected instances, for heads with a dynamic network for each instance (FCPose).

        Args:
            maps: output of `forward`.
            cells: (B, P) indices of cells, counted row by row through all levels, finest first.
        """
        return cast(InstanceHead, self.head).at(maps, cells)
