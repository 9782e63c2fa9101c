"""One crop, one instance: backbone, neck and head in a row, fitted to each other and to the maps that are wanted."""

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
        neck: from the backbone's maps to the one that the head reads.
        head: from that map to the codec's maps.
        stride: of the map that the head reads, where the codec's maps do not say it; unset: the backbone's last stride
            without a neck, its finest with one.
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
            shapes: of the wanted maps by name, without the batch: (C, H, W) or (K, D).
            weights: False leaves the backbone's published weights out, for one who fills the whole network anyway.

        Raises:
            ValueError: the size does not suit the backbone, the maps do not lie over the image, or neck or head cannot
                give them.
        """
        config = self.backbone if weights else without_weights(self.backbone)
        backbone = config.build()
        check_size(self.size, backbone, config.kind)
        reduction = self._reduction(shapes, backbone.strides)
        neck = self.neck.build(backbone.channels, backbone.strides, reduction)
        cells = self.size[0] // neck.stride, self.size[1] // neck.stride
        return PoseNet(backbone, neck, self.head.build(shapes, neck.channels, cells))

    def _reduction(self, shapes: Shapes, strides: tuple[int, ...]) -> int:
        """Stride of the map that the head reads."""
        wanted = {name: _stride_of(name, shape[1:], self.size) for name, shape in shapes.items() if len(shape) == 3}
        if len(set(wanted.values())) > 1:
            told = ", ".join(f"{name!r} {stride}" for name, stride in wanted.items())
            raise ValueError(f"one neck gives one resolution; the maps want strides {told}")
        if wanted:
            return next(iter(wanted.values()))
        return self.stride or (strides[-1] if self.neck.kind == "none" else strides[0])


def check_size(size: tuple[int, int], backbone: Backbone, kind: str) -> None:
    """Refuse an image that a backbone cannot take.

    Args:
        size: (height, width) in pixels.
        backbone: the backbone's module; one whose ``size`` is set takes no other.
        kind: its name, for the message.

    Raises:
        ValueError: another size than the backbone's own, or no multiple of what it needs.
    """
    height, width = size
    fixed, multiple = getattr(backbone, "size", None), backbone.multiple
    if fixed is not None and fixed != size:
        raise ValueError(
            f"image is {height}x{width}; this {kind} backbone takes {fixed[0]}x{fixed[1]} alone: "
            f"set its size to ({height}, {width})"
        )
    if height % multiple or width % multiple:
        up = tuple(-(-side // multiple) * multiple for side in size)
        raise ValueError(f"image is {height}x{width}; {kind} needs multiples of {multiple}: use {up[0]}x{up[1]}")


def _stride_of(name: str, cells: tuple[int, ...], size: tuple[int, int]) -> int:
    """Pixels a cell of a map over an image, the same whole number both ways."""
    (rows, columns), (height, width) = cells, size
    stride = max(1, round(height / rows))
    if (rows * stride, columns * stride) != (height, width):
        raise ValueError(
            f"{name!r} is {rows}x{columns} cells and the image {height}x{width} pixels; a cell must be the same whole "
            f"number of pixels high and wide, as with {height // stride}x{width // stride}"
        )
    return stride


def without_weights(backbone: AnyBackbone) -> AnyBackbone:
    """The same backbone, drawn at random."""
    bare = replace(backbone, weights=None)
    return replace(bare, pretrained=False) if isinstance(bare, Timm) else bare
