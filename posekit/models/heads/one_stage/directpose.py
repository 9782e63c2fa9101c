"""DirectPose's head: FCOS towers, a keypoint branch with feature alignment (KPAlign), and heatmaps for training.

Tian et al. 2019, arXiv:1911.07451.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.one_stage.fcos import GROUPS, PRIOR, FCOSHead, counted, tower
from posekit.models.layers.conv import fill_bias, init_normal
from posekit.models.layers.kpalign import NORMED, KPAlign


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DirectPoseHead:
    """Class and centre-ness from an FCOS tower, points from `KPAlign`, heatmaps from the finest level.

    Source: Tian et al. 2019, arXiv:1911.07451; details missing in the paper follow GluonCV.
    """

    groups: tuple[tuple[int, ...], ...] = ()
    """groups of point indices whose features are sampled at one location; each point once; none: no groups"""
    width: int = Field(default=64, gt=0, multiple_of=NORMED)
    """channels of each group in the keypoint branch; published: 64"""
    channels: int = Field(default=256, gt=0, multiple_of=GROUPS)
    """channels of the FCOS towers; published: 256"""
    convs: int = Field(default=4, ge=1)
    """convolutions in each FCOS tower; published: 4"""
    side: int = Field(default=128, gt=0, multiple_of=GROUPS)
    """channels of the heatmap branch, which is used in training only"""
    centred: bool = True
    """count sampling locations from the centre of a cell; turn off only for parity with the reference code"""
    kind: Literal["directpose"] = "directpose"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> DirectPoseNet:
        """The head.

        Args:
            shapes: output maps by name and stride, such as ``points_8``, each (C, H, W); optionally ``peaks``.
            channels: channels of the input maps.
            strides: strides of the neck's maps.

        Raises:
            ValueError: codec and neck have different strides, or the groups do not hold each point once.
        """
        counts = counted({name: shape for name, shape in shapes.items() if name != "peaks"}, strides)
        count = counts.pop("points") // 2
        groups = self.groups or tuple((point,) for point in range(count))
        if sum(map(len, groups)) != count:
            raise ValueError(f"the groups of the head hold {sum(map(len, groups))} points, the codec has {count}")
        detector = FCOSHead(counts, channels, self.channels, self.convs, strides)
        side = heatmap_branch(channels, self.side, shapes["peaks"][0]) if "peaks" in shapes else None
        return DirectPoseNet(detector, KPAlign(channels, groups, self.width, self.centred), side)


class DirectPoseNet(nn.Module):
    """Detector, keypoint branch and heatmap branch on the levels of a pyramid.

    Args:
        detector: outputs class, centre-ness and, optionally, boxes.
        points: outputs offsets to the points.
        gaussians: heatmap branch on the finest level, or none.
    """

    def __init__(self, detector: FCOSHead, points: KPAlign, gaussians: nn.Module | None) -> None:
        super().__init__()
        self.detector = detector
        self.points = points
        self.heatmap = gaussians

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Output maps of all levels by name and stride, and ``peaks``, logits."""
        result: dict[str, Tensor] = self.detector(maps)
        for stride, offsets in zip(self.detector.strides, self.points(maps), strict=True):
            result[f"points_{stride}"] = offsets
        if self.heatmap is not None:
            result["peaks"] = self.heatmap(maps[0])
        return result


def heatmap_branch(before: int, width: int, count: int) -> nn.Sequential:
    """Two layers, then logits whose initial score is 0.01."""
    hidden, last = tower(before, width, 2), nn.Conv2d(width, count, 3, padding=1)
    layers = nn.Sequential(*hidden, last)
    init_normal(layers, 0.01)
    fill_bias(last, PRIOR)
    return layers
