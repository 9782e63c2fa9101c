"""FCPose's head: FCOS, shared features, and dynamic filters for each instance.

Mao et al. 2021, arXiv:2105.14185.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.heads.one_stage.fcos import GROUPS, FCOSHead, counted
from posekit.models.layers.bilinear import grow
from posekit.models.layers.conv import ConvNormAct, fill_bias
from posekit.models.layers.generated import Controller, Layout, maps_of

MERGED = 3
"""Number of finest levels that the shared features are made from."""

INTEREST = 8.0
"""Scale of an instance's relative coordinates, in cells of its level."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FCPoseHead:
    """FCOS towers, a controller on the box tower, and shared features from the three finest levels.

    Source: Mao et al. 2021, arXiv:2105.14185, with the sizes of the published code.
    """

    channels: int = Field(default=256, gt=0, multiple_of=GROUPS)
    """channels of the FCOS towers, a multiple of 32; published: 256"""
    convs: int = Field(default=4, ge=1)
    """convolutions in each FCOS tower and in the tower of the shared features; published: 4"""
    width: int = Field(default=128, gt=0)
    """channels of the tower of the shared features; published: 128"""
    features: int = Field(default=32, gt=0)
    """channels of the feature map that all instances share; published: 32"""
    hidden: int = Field(default=32, gt=0)
    """hidden channels of the dynamic keypoint head of each instance; published: 32"""
    layers: int = Field(default=3, ge=2)
    """1x1 layers of the dynamic keypoint head of each instance; published: 3"""
    centred: bool = True
    """upsample features about the centres of cells; turn off only for parity with the reference code"""
    kind: Literal["fcpose"] = "fcpose"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> FCPoseNet:
        """The head.

        Args:
            shapes: output maps by name and stride, such as ``box_8``, each (C, H, W); ``refine``; optionally ``side_8``
                and ``side_2``.
            channels: channels of the input maps.
            strides: strides of the neck's maps.

        Raises:
            ValueError: codec and neck have different strides.
        """
        single = {name for name in shapes if name == "refine" or name.startswith("side_")}
        counts = counted({name: shape for name, shape in shapes.items() if name not in single}, strides)
        points = shapes["refine"][0] // 2
        return FCPoseNet(
            FCOSHead(counts, channels, self.channels, self.convs, strides),
            Shared(channels, self.width, self.convs, self.features + 2 * points, self.centred),
            Controller(self.channels, Layout(self.features, points, self.hidden, self.layers)),
            Layout(self.features, points, self.hidden, self.layers),
            Sides(self.width, points, strides[0]) if single > {"refine"} else None,
        )


class FCPoseNet(nn.Module):
    """The whole head; `forward` for the image, `at` for selected instances.

    Args:
        detector: FCOS.
        shared: features that all instances share, followed by the offset maps that refine points.
        controller: from FCOS's box tower to the weights of an instance's dynamic head.
        layout: sizes of the dynamic head.
        sides: auxiliary heatmaps for training, or none.
    """

    def __init__(
        self, detector: FCOSHead, shared: Shared, controller: Controller, layout: Layout, sides: Sides | None
    ) -> None:
        super().__init__()
        self.detector = detector
        self.shared = shared
        self.controller = controller
        self.layout = layout
        self.sides = sides

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Output maps by name, without activation.

        Returns:
            Those of FCOS; ``refine``; ``side_8`` and ``side_2``; and, as input of `at`, ``basis`` and ``tower_8``, ...
        """
        features = self.detector.features(maps)
        result: dict[str, Tensor] = self.detector.predict(features)
        for stride, x in zip(self.detector.strides, features["box"], strict=True):
            result[f"tower_{stride}"] = x
        hidden, both = self.shared(maps)
        result["basis"], result["refine"] = both[:, : self.layout.features], both[:, self.layout.features :]
        return result if self.sides is None else result | self.sides(hidden)

    def at(self, maps: Mapping[str, Tensor], cells: Tensor) -> dict[str, Tensor]:
        """Heatmaps of the points of selected instances.

        Args:
            maps: output of `forward`.
            cells: (B, P) indices of cells, counted row by row through all levels, finest first.

        Returns:
            ``point_maps`` (B, P, K, H, W), logits, and ``cell``, the given indices.
        """
        towers = [maps[f"tower_{stride}"] for stride in self.detector.strides]
        filters = self.layout.split(self.controller(towers, cells))
        place, scale = (value[cells] for value in self._locations(towers, maps["basis"]))
        return {"point_maps": maps_of(filters, maps["basis"], place, scale), "cell": cells}

    def _locations(self, towers: Sequence[Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        """Centres (L, 2) of the cells of all levels, in cells of the finest, and their coordinate scales (L,)."""
        finest = self.detector.strides[0]
        locations, scales = [], []
        for stride, x in zip(self.detector.strides, towers, strict=True):
            ratio, (height, width) = stride / finest, x.shape[-2:]
            row = (torch.arange(height, dtype=like.dtype, device=like.device) + 0.5) * ratio - 0.5
            column = (torch.arange(width, dtype=like.dtype, device=like.device) + 0.5) * ratio - 0.5
            pairs = torch.stack((column.expand(height, width), row[:, None].expand(height, width)), -1)
            locations.append(pairs.flatten(0, 1))
            scales.append(like.new_full((1,), INTEREST * ratio).expand(height * width))
        return torch.cat(locations), torch.cat(scales)


class Shared(nn.Module):
    """Shared features: the finest levels at one resolution, added, and a tower.

    Args:
        before: input channels.
        width: channels of the tower.
        convs: convolutions of the tower.
        count: output channels.
        centred: see `FCPoseHead`.
    """

    def __init__(self, before: int, width: int, convs: int, count: int, centred: bool) -> None:
        super().__init__()
        self.centred = centred
        self.equal = nn.ModuleList(ConvNormAct(before, width, 3) for _ in range(MERGED))
        self.tower = nn.Sequential(*(ConvNormAct(width, width, 3) for _ in range(convs)))
        self.predictor = nn.Conv2d(width, count, 1)
        nn.init.normal_(self.predictor.weight, std=0.01)
        fill_bias(self.predictor)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Features (B, width, H, W) of the tower, and output (B, count, H, W), both at the finest stride."""
        merged = self.equal[0](maps[0])
        for level, x in enumerate(maps[1:MERGED], 1):
            merged = merged + grow(self.equal[level](x), 1 << level, self.centred)
        hidden = self.tower(merged)
        return hidden, self.predictor(hidden)


class Sides(nn.Module):
    """Auxiliary heatmaps of all points, at the stride of the features and four times finer; for training only.

    Args:
        width: channels of the features.
        points: number of heatmaps.
        stride: stride of the features.
    """

    def __init__(self, width: int, points: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.tower = nn.Sequential(ConvNormAct(width, width, 3), ConvNormAct(width, width, 3))
        self.coarse = nn.Conv2d(width, points, 1)
        self.finer = nn.ConvTranspose2d(width + points, width, 8, 4, 2)
        self.fine = nn.Conv2d(width, points, 3, padding=1)

    def forward(self, hidden: Tensor) -> dict[str, Tensor]:
        """Both heatmaps by name and stride."""
        x = self.tower(hidden)
        coarse = self.coarse(x)
        fine = self.fine(self.finer(torch.cat((x, coarse), 1)).relu())
        return {f"side_{self.stride // 4}": fine, f"side_{self.stride}": coarse}
