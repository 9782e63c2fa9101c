"""CenterNet's neck for DLA: iterative upsampling and merging of maps by deformable convolutions (IDA-up, DLA-up).

Zhou et al. 2019, arXiv:1904.07850, figure 6d. State-dict names are those of its code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.deformable import DeformableConv


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class DLAUp:
    """Merge all maps of the backbone step by step into its finest; accurate but slow."""

    kind: Literal["dla_up"] = "dla_up"

    def build(self, channels: Sequence[int], strides: Sequence[int], reduction: int) -> DLAUpNeck:
        """The neck; see `Plain.build`.

        Raises:
            ValueError: the backbone does not output three maps or more whose strides double, starting at ``reduction``.
        """
        expected = [reduction << step for step in range(len(strides))]
        if list(strides) != expected or len(strides) < 3:
            raise ValueError(
                f"the maps need stride {reduction}, but the backbone outputs strides {', '.join(map(str, strides))}: "
                f"this neck takes three or more, {reduction}, {2 * reduction}, {4 * reduction}, ...; use the neck "
                "'upsample' instead"
            )
        return DLAUpNeck(channels, reduction)


class Moved(nn.Module):
    """Deformable 3x3 convolution, batch norm, ReLU."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.actf = nn.Sequential(nn.BatchNorm2d(after), nn.ReLU(inplace=True))
        self.conv = DeformableConv(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) to (B, after, H, W)."""
        y: Tensor = self.actf(self.conv(x))
        return y


class Merge(nn.Module):
    """IDA-up: upsample each map to the size of the first, and add it to the previous result.

    Args:
        after: output channels.
        before: channels of the input maps; the first has ``after``.
        factors: upsampling factor of each map.
    """

    def __init__(self, after: int, before: Sequence[int], factors: Sequence[int]) -> None:
        super().__init__()
        self.count = len(before)
        for index in range(1, self.count):
            self.add_module(f"proj_{index}", Moved(before[index], after))
            self.add_module(f"up_{index}", _grow(after, factors[index]))
            self.add_module(f"node_{index}", Moved(after, after))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """One result for each input map, all of the first map's shape; the last merges all maps."""
        results = [maps[0]]
        for index in range(1, self.count):
            project, grow, mix = (getattr(self, f"{part}_{index}") for part in ("proj", "up", "node"))
            results.append(mix(grow(project(maps[index])) + results[-1]))
        return results


def _grow(channels: int, factor: int) -> nn.ConvTranspose2d:
    """A depth-wise transposed convolution, initialised as bilinear upsampling."""
    grow = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, factor // 2, groups=channels, bias=False)
    taps = torch.arange(2 * factor, dtype=grow.weight.dtype)
    tent = 1 - ((taps - factor + 0.5) / factor).abs()
    with torch.no_grad():
        grow.weight.copy_((tent[:, None] * tent).expand_as(grow.weight))
    return grow


class Ladder(nn.Module):
    """DLA-up: from the coarsest map up, at every stride, merge all coarser results into that stride's map."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.count = len(channels) - 1
        for step in range(self.count):
            after, *rest = channels[-2 - step :]
            # The previous step brought all but the nearest to the same size and channels.
            before = [after, rest[0], *[rest[0]] * step]
            self.add_module(f"ida_{step}", Merge(after, before, [1, *[2] * (step + 1)]))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The backbone's maps to as many of the same shapes, finest first."""
        grown, outputs = [maps[-1]], [maps[-1]]
        for step in range(self.count):
            grown = getattr(self, f"ida_{step}")([maps[-2 - step], *grown])
            outputs.insert(0, grown[-1])
        return outputs


class DLAUpNeck(nn.Module):
    """DLA-up, then one IDA-up of all its maps but the coarsest."""

    def __init__(self, channels: Sequence[int], stride: int) -> None:
        super().__init__()
        self.channels = channels[0]
        self.stride = stride
        self.dla_up = Ladder(channels)
        self.ida_up = Merge(channels[0], channels[:-1], [1 << step for step in range(len(channels) - 1)])

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """The list of the backbone's maps to (B, channels, H / stride, W / stride)."""
        merged: list[Tensor] = self.ida_up(self.dla_up(maps)[:-1])
        return merged[-1]
