"""SimpleBaseline's neck: transposed convolutions on the last map. Xiao et al. 2018, arXiv:1804.06208."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import init_normal
from posekit.models.necks.levels import halvings

# Padding and output padding that double the size, by kernel size.
PADDING = {4: (1, 0), 3: (1, 1), 2: (0, 0)}


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Deconv:
    """Transposed convolutions, each doubling the resolution: accurate, at a third of the cost of ResNet-50."""

    channels: int = Field(default=256, gt=0)
    """channels of every transposed convolution; published: 256; fewer make the network faster"""
    kernel: Literal[2, 3, 4] = 4
    """kernel size of the transposed convolutions; published: 4"""
    kind: Literal["deconv"] = "deconv"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> DeconvNeck:
        """The neck: as many layers as needed from the backbone's last stride to ``reduction``; see `Plain.build`.

        Raises:
            ValueError: the backbone's last stride is not ``reduction`` times a power of 2.
        """
        layers = halvings(strides[-1], reduction)
        return DeconvNeck(channels[-1], self.channels, self.kernel, layers, reduction)


class DeconvNeck(nn.Module):
    """Transposed convolution, batch norm, ReLU; repeated."""

    def __init__(self, before: int, width: int, kernel: int, layers: int, stride: int) -> None:
        super().__init__()
        padding, extra = PADDING[kernel]
        steps: list[nn.Module] = []
        for index in range(layers):
            start = width if index else before
            grow = nn.ConvTranspose2d(start, width, kernel, 2, padding, output_padding=extra, bias=False)
            steps += [grow, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*steps)
        self.channels = width if layers else before
        self.stride = stride
        # PyTorch's larger default makes MSE losses diverge in the first steps.
        init_normal(self, 0.001)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The list of the backbone's maps to (B, channels, H / stride, W / stride)."""
        x: Tensor = self.layers(maps[-1])
        return x
