"""A small network of its own for each named map: CenterNet's head.

Zhou et al. 2019, arXiv:1904.07850.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import fill_bias, init_fan_out, init_normal

PRIOR = -2.19
"""Where logits of peaks start: a sigmoid of 0.1, so that the many empty cells do not drown the first steps."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Branches:
    """3x3, ReLU and 1x1 for each named map."""

    channels: int = Field(default=64, gt=0)
    """hidden channels of each branch, between its 3x3 and its 1x1 convolution"""
    separable: bool = False
    """use a depth-wise separable 3x3 convolution, at an eighth of the cost; for small networks"""
    peak_logits: tuple[str, ...] = ("centre", "peaks")
    """maps that hold logits of Gaussian peaks; their bias starts at a score of 0.1"""
    kind: Literal["branches"] = "branches"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> BranchesHead:
        """The head.

        Args:
            shapes: by name, each (C, H, W).
            channels: of the map it reads.
            strides: of the neck's maps; one.

        Raises:
            ValueError: the neck gives several maps.
        """
        if len(strides) != 1:
            raise ValueError(f"this head reads one map and the neck gives strides {', '.join(map(str, strides))}")
        counts = {name: shape[0] for name, shape in shapes.items()}
        return BranchesHead(counts, channels, self.channels, self.peak_logits, self.separable)


class BranchesHead(nn.Module):
    """(B, channels, H, W) to one (B, C, H, W) a name."""

    def __init__(
        self, counts: Mapping[str, int], before: int, width: int, peak_logits: Sequence[str], separable: bool = False
    ) -> None:
        super().__init__()
        branches = {
            name: nn.Sequential(*_mix(before, width, separable), nn.ReLU(inplace=True), nn.Conv2d(width, count, 1))
            for name, count in counts.items()
        }
        self.branches = nn.ModuleDict(branches)
        init_normal(self, 0.001)
        if separable:
            # Drawn that small, two layers in a row would let next to nothing through.
            for branch in branches.values():
                init_fan_out(branch[:-1])
        for name in set(peak_logits) & set(counts):
            fill_bias(cast(nn.Conv2d, branches[name][-1]), PRIOR)

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Raw values of the only map; no activation."""
        return {name: branch(maps[0]) for name, branch in self.branches.items()}


def _mix(before: int, width: int, separable: bool) -> list[nn.Module]:
    """Convolutions that see a cell's surroundings."""
    if not separable:
        return [nn.Conv2d(before, width, 3, padding=1)]
    return [nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False), nn.Conv2d(before, width, 1)]
