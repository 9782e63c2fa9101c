"""CenterNet's head: a small branch for each named map.

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
"""Initial bias of peak logits: a score of 0.1, so that the many empty cells do not dominate the first steps."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Branches:
    """A branch for each named map: 3x3 convolution, ReLU, 1x1 convolution."""

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
            shapes: output maps by name, each (C, H, W).
            channels: channels of the input map.
            strides: strides of the neck's maps; must be one.

        Raises:
            ValueError: the neck outputs several maps.
        """
        if len(strides) != 1:
            raise ValueError(f"this head takes one map, but the neck outputs strides {', '.join(map(str, strides))}")
        counts = {name: shape[0] for name, shape in shapes.items()}
        return BranchesHead(counts, channels, self.channels, self.peak_logits, self.separable)


class BranchesHead(nn.Module):
    """(B, channels, H, W) to one (B, C, H, W) for each name."""

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
            # With such small weights, two layers in a row would have outputs near zero.
            for branch in branches.values():
                init_fan_out(branch[:-1])
        for name in set(peak_logits) & set(counts):
            fill_bias(cast(nn.Conv2d, branches[name][-1]), PRIOR)

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Output maps without activation; takes a list of one map."""
        return {name: branch(maps[0]) for name, branch in self.branches.items()}


def _mix(before: int, width: int, separable: bool) -> list[nn.Module]:
    """The 3x3 convolution, plain or depth-wise separable."""
    if not separable:
        return [nn.Conv2d(before, width, 3, padding=1)]
    return [nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False), nn.Conv2d(before, width, 1)]
