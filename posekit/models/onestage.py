"""One-stage network for full images with many instances; the neck may output maps of several strides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import tyro
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.backbones.resnet import ResNet
from posekit.models.base import Neck, PoseNet, Shapes
from posekit.models.heads.one_stage.branches import Branches
from posekit.models.heads.one_stage.dekr import DekrHead
from posekit.models.heads.one_stage.dekr_branches import DekrBranches
from posekit.models.heads.one_stage.dekr_first import DekrFirstHead
from posekit.models.heads.one_stage.directpose import DirectPoseHead
from posekit.models.heads.one_stage.fcos import FCOS
from posekit.models.heads.one_stage.fcpose import FCPoseHead
from posekit.models.necks.concat import Concat
from posekit.models.necks.deconv import Deconv
from posekit.models.necks.dla_up import DLAUp
from posekit.models.necks.fpn import FPN, FPNNeck
from posekit.models.necks.movenet_fpn import MoveNetFPN
from posekit.models.necks.plain import Plain
from posekit.models.necks.upsample import Upsample
from posekit.models.topdown import AnyBackbone, check_size, without_weights

AnyOneStageNeck = Annotated[Plain | Deconv | Upsample | DLAUp | FPN | Concat | MoveNetFPN, Field(discriminator="kind")]
AnyOneStageHead = Annotated[
    Branches | FCOS | DirectPoseHead | FCPoseHead | DekrHead | DekrBranches | DekrFirstHead, Field(discriminator="kind")
]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class OneStage:
    """A network for all instances of an image; the defaults are CenterNet with ResNet-18.

    Args:
        size: (height, width) of the image in pixels.
        backbone: the backbone.
        neck: from the backbone's maps to the head's input.
        head: from the neck's maps to the codec's maps.
        stride: of the head's input, for necks with one map.
    """

    size: tyro.conf.Suppress[tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]] = (512, 512)
    backbone: AnyBackbone = ResNet(depth=18)
    neck: AnyOneStageNeck = Deconv()
    head: AnyOneStageHead = Branches()
    stride: tyro.conf.Suppress[Annotated[int, Field(gt=0)]] = 4
    kind: Literal["onestage"] = "onestage"

    def build(self, shapes: Shapes, *, weights: bool = True) -> PoseNet:
        """The network.

        Args:
            shapes: output maps by name, without the batch: (C, H, W).
            weights: False does not load pretrained backbone weights, for use before a full checkpoint is loaded.

        Raises:
            ValueError: the image size does not fit the backbone, or neck or head cannot produce the maps.
        """
        config = self.backbone if weights else without_weights(self.backbone)
        backbone = config.build()
        check_size(self.size, backbone, config.kind)
        neck: FPNNeck | Single
        if isinstance(self.neck, FPN):
            neck = self.neck.build(backbone.channels, backbone.strides)
            head = self.head.build(shapes, neck.channels, neck.strides)
        else:
            neck = Single(self.neck.build(backbone.channels, backbone.strides, self.stride))
            head = self.head.build(shapes, neck.channels, neck.strides)
        return PoseNet(backbone, neck, head)


class Single(nn.Module):
    """Adapter: a neck with one map, for heads that take a list of maps."""

    def __init__(self, neck: Neck) -> None:
        super().__init__()
        self.neck = neck
        self.channels = neck.channels
        self.strides: tuple[int, ...] = (neck.stride,)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The backbone's maps to a list of one."""
        return [self.neck(maps)]
