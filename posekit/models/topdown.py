"""Top-down network: one instance in each crop; backbone, neck and head are fitted to the maps of the codec."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import tyro
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from posekit.models.backbones.dla import DLA
from posekit.models.backbones.efficientnet_lite import EfficientNetLite
from posekit.models.backbones.hrnet import HRNet
from posekit.models.backbones.lite_hrnet import LiteHRNet
from posekit.models.backbones.mobilenet_v2 import MobileNetV2
from posekit.models.backbones.mobilenet_v3 import MobileNetV3
from posekit.models.backbones.mobilenet_v4 import MobileNetV4
from posekit.models.backbones.movenet import MoveNet
from posekit.models.backbones.resnet import ResNet
from posekit.models.backbones.shufflenet_v2 import ShuffleNetV2
from posekit.models.backbones.timm import Timm
from posekit.models.base import Backbone, PoseNet, Shapes
from posekit.models.heads.logits import Logits
from posekit.models.heads.maps import Maps
from posekit.models.heads.pooled import Pooled
from posekit.models.heads.simcc import SimCC
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.dla_up import DLAUp
from posekit.models.necks.guided import Guided
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample

AnyBackbone = Annotated[
    ResNet
    | MobileNetV2
    | MobileNetV3
    | MobileNetV4
    | ShuffleNetV2
    | HRNet
    | LiteHRNet
    | EfficientNetLite
    | DLA
    | MoveNet
    | Timm,
    Field(discriminator="kind"),
]
AnyNeck = Annotated[Plain | Deconv | Upsample | DLAUp | Guided | MoveNetFPN, Field(discriminator="kind")]
AnyHead = Annotated[Maps | Pooled | SimCC, Field(discriminator="kind")]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TopDown:
    """A network for one instance in one crop; the defaults are SimpleBaseline with ResNet-50.

    Args:
        size: (height, width) of the crop in pixels.
        backbone: the backbone.
        neck: from the backbone's maps to the head's input.
        head: from the neck's map to the codec's maps.
        stride: of the head's input, where the codec's maps do not imply it; unset: the backbone's last stride without a
            neck, its finest with one.
    """

    size: tyro.conf.Suppress[tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]] = (256, 192)
    backbone: AnyBackbone = ResNet()
    neck: AnyNeck = Deconv()
    head: AnyHead = Maps()
    stride: tyro.conf.Suppress[Annotated[int, Field(gt=0)] | None] = None
    kind: Literal["topdown"] = "topdown"

    def build(self, shapes: Shapes, *, weights: bool = True) -> PoseNet:
        """The network.

        Args:
            shapes: outputs by name, without the batch: maps (C, H, W) or (K, D), and numbers for each point (K,).
            weights: False does not load pretrained backbone weights, for use before a full checkpoint is loaded.

        Raises:
            ValueError: the image size does not fit the backbone, the maps do not cover the image, or neck or head
                cannot produce them.
        """
        config = self.backbone if weights else without_weights(self.backbone)
        backbone = config.build()
        check_size(self.size, backbone, config.kind)
        reduction = self._reduction(shapes, backbone.strides)
        neck = self.neck.build(backbone.channels, backbone.strides, reduction)
        cells = self.size[0] // neck.stride, self.size[1] // neck.stride
        head = self.head.build({n: s for n, s in shapes.items() if len(s) > 1}, neck.channels, cells)
        numbers = {name: shape[0] for name, shape in shapes.items() if len(shape) == 1}
        return PoseNet(backbone, neck, head, Logits(numbers, backbone.channels[-1]) if numbers else None)

    def _reduction(self, shapes: Shapes, strides: tuple[int, ...]) -> int:
        """Stride of the head's input."""
        wanted = {name: _stride_of(name, shape[1:], self.size) for name, shape in shapes.items() if len(shape) == 3}
        if len(set(wanted.values())) > 1:
            told = ", ".join(f"{name!r} {stride}" for name, stride in wanted.items())
            raise ValueError(f"the neck outputs one resolution, but the maps need strides {told}")
        if wanted:
            return next(iter(wanted.values()))
        return self.stride or (strides[-1] if self.neck.kind == "none" else strides[0])


def check_size(size: tuple[int, int], backbone: Backbone, kind: str) -> None:
    """Refuse an image that a backbone cannot take.

    Args:
        size: (height, width) in pixels.
        backbone: the backbone's module; one whose ``size`` is set takes no other.
        kind: name of the backbone, for the message.

    Raises:
        ValueError: not the fixed size of the backbone, or not a multiple of the size it needs.
    """
    height, width = size
    fixed, multiple = getattr(backbone, "size", None), backbone.multiple
    if fixed is not None and fixed != size:
        raise ValueError(
            f"image is {height}x{width}; this {kind} backbone only takes {fixed[0]}x{fixed[1]}: "
            f"set its size to ({height}, {width})"
        )
    if height % multiple or width % multiple:
        up = tuple(-(-side // multiple) * multiple for side in size)
        raise ValueError(f"image is {height}x{width}; {kind} needs multiples of {multiple}: use {up[0]}x{up[1]}")


def _stride_of(name: str, cells: tuple[int, ...], size: tuple[int, int]) -> int:
    """Stride of a map, the same whole number in both directions."""
    (rows, columns), (height, width) = cells, size
    stride = max(1, round(height / rows))
    if (rows * stride, columns * stride) != (height, width):
        raise ValueError(
            f"{name!r} is {rows}x{columns} cells and the image {height}x{width} pixels; the stride must be the same "
            f"whole number of pixels in both directions, as with {height // stride}x{width // stride}"
        )
    return stride


def without_weights(backbone: AnyBackbone) -> AnyBackbone:
    """The same backbone with random weights."""
    bare = replace(backbone, weights=None)
    return replace(bare, pretrained=False) if isinstance(bare, Timm) else bare
