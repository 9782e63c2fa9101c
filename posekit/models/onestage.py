"""A full image, many instances: backbone, neck and head in a row; the neck may give maps of several strides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import tyro
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.backbones.resnet import ResNet
from posekit.models.base import PoseNet, Shapes
from posekit.models.heads.one_stage.branches import Branches
from posekit.models.heads.one_stage.dekr import DekrHead
from posekit.models.heads.one_stage.dekr_first import DekrFirstHead
from posekit.models.heads.one_stage.directpose import DirectPoseHead
from posekit.models.heads.one_stage.fcos import FCOS
from posekit.models.heads.one_stage.fcpose import FCPoseHead
from posekit.models.necks.concat import Concat
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.dla_up import DLAUp
from posekit.models.necks.fpn import FPN
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample
from posekit.models.topdown import AnyBackbone, check_size, without_weights

AnyOneStageNeck = Annotated[Plain | Deconv | Upsample | DLAUp | FPN | Concat | MoveNetFPN, Field(discriminator="kind")]
AnyOneStageHead = Annotated[
    Branches | FCOS | DirectPoseHead | FCPoseHead | DekrHead | DekrFirstHead, Field(discriminator="kind")
]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OneStage:
    """A network for all instances of an image; the defaults are CenterNet with ResNet-18.

    Args:
        size: (height, width) of the image in pixels.
        backbone: the backbone.
        neck: from the backbone's maps to those that the head reads.
        head: from those to the codec's maps.
        stride: of the map that the head reads, where the neck gives one.
    """

    size: tyro.conf.Suppress[tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]] = (512, 512)
    backbone: AnyBackbone = ResNet(depth=18)
    neck: AnyOneStageNeck = Deconv()
    head: AnyOneStageHead = Branches()
    stride: tyro.conf.Suppress[Annotated[int, Field(gt=0)]] = 4
    kind: Literal["onestage"] = "onestage"

    def build(self, shapes: Shapes, *, weights: bool = True) -> nn.Module:
        """The network.

        Args:
            shapes: of the wanted maps by name, without the batch: (C, H, W).
            weights: False leaves the backbone's published weights out, for one who fills the whole network anyway.

        Raises:
            ValueError: the size does not suit the backbone, or neck or head cannot give the maps.
        """
        config = self.backbone if weights else without_weights(self.backbone)
        backbone = config.build()
        check_size(self.size, backbone, config.kind)
        if isinstance(self.neck, FPN):
            neck = self.neck.build(backbone.channels, backbone.strides)
            head = self.head.build(shapes, neck.channels, neck.strides)
        else:
            neck = Single(self.neck.build(backbone.channels, backbone.strides, self.stride))
            head = self.head.build(shapes, neck.channels, neck.strides)
        return PoseNet(backbone, neck, head)


class Single(nn.Module):
    """A neck of one map as one of several: what heads of full images read."""

    def __init__(self, neck: nn.Module) -> None:
        super().__init__()
        self.neck = neck
        self.channels: int = neck.channels
        self.strides: tuple[int, ...] = (neck.stride,)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The backbone's maps to a list of one."""
        return [self.neck(maps)]
