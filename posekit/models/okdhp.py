"""Branches that teach each other: online knowledge distillation. Li et al. 2021, arXiv:2108.02092.

Several branches share the first part of a network; their outputs are mixed into an ensemble by shares that an
aggregation unit reads from a map they have in common. One branch is kept in the end, and it costs what it did before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.backbones.hourglass import HourglassNet, Stack
from posekit.models.base import PoseNet

KERNELS = (3, 5, 7)
"""Widths of the aggregation unit's convolutions."""
HIDDEN = 64
"""Width between its pooling and its shares."""


def blend(outputs: Sequence[Tensor], shares: Tensor) -> Tensor:
    """Mix the outputs of several branches, channel by channel.

    Args:
        outputs: of each branch, all (B, K, ...): maps (B, K, H, W), bins or numbers (B, K, D).
        shares: (B, branches, K), summing to 1 over branches.

    Returns:
        (B, K, ...) the ensemble.
    """
    stacked = torch.stack(list(outputs), 1)
    return (stacked * shares.reshape(*shares.shape, *[1] * (stacked.ndim - 3))).sum(1)


class Aggregation(nn.Module):
    """Each branch's share in every channel of the ensemble, from what the full image shows.

    Args:
        channels: of the map that the branches have in common.
        outputs: channels of the ensemble, K for one map a point.
        branches: how many share.
        width: channels inside; as many as come in, as published, where it is ``None``.
        kernels: widths of the convolutions side by side, odd.
        hidden: width between pooling and shares.

    Source: Li et al. 2021, the feature aggregation unit. Its authors' code has as many kernels as branches and one name
    for both numbers; here they are apart.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        branches: int,
        width: int | None = None,
        kernels: Sequence[int] = KERNELS,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        width = width or channels
        self.scales = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, width, kernel, padding=kernel // 2), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
            )
            for kernel in kernels
        )
        self.squeeze = nn.Linear(width, hidden)
        self.scores = nn.ModuleList(nn.Linear(hidden, outputs) for _ in range(branches))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) to shares (B, branches, outputs) that sum to 1 over branches."""
        first, *rest = (scale(x) for scale in self.scales)
        z = self.squeeze(sum(rest, start=first).mean((2, 3)))
        return torch.stack([score(z) for score in self.scores], 1).softmax(1)


class Peers(nn.Module):
    """The branches beside a network's own: further necks and heads on its backbone, and the unit that mixes all.

    The network itself is branch 0 and holds nothing of this, so it is saved and exported as if it had trained alone.

    Args:
        parts: neck and head of each further branch, drawn apart from the network's own and from each other.
        aggregation: for one branch more than ``parts``, with as many outputs as the maps have channels together.
        channels: of each map that the heads give, by name.
    """

    def __init__(
        self,
        parts: Sequence[tuple[nn.Module, nn.Module]],
        aggregation: Aggregation,
        channels: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.necks = nn.ModuleList(neck for neck, _ in parts)
        self.heads = nn.ModuleList(head for _, head in parts)
        self.aggregation = aggregation
        self.channels = dict(channels)

    def forward(
        self, features: list[Tensor], own: Mapping[str, Tensor]
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """What the further branches say, and the ensemble of all.

        Args:
            features: the backbone's maps; the first, the finest, tells the shares.
            own: raw maps of branch 0.
        """
        others = [head(neck(features)) for neck, head in zip(self.necks, self.heads, strict=True)]
        shares = self.aggregation(features[0]).split(list(self.channels.values()), dim=2)
        ensemble = {
            name: blend([own[name], *(maps[name] for maps in others)], share)
            for name, share in zip(self.channels, shares, strict=True)
        }
        return others, ensemble

    def branch(self, net: PoseNet, index: int) -> PoseNet:
        """A whole network of one branch, sharing its tensors; its state dict has the names of ``net``'s.

        Args:
            net: branch 0, whose backbone all share.
            index: 0 is ``net`` itself.

        Raises:
            ValueError: there is no such branch.
        """
        if not 0 <= index <= len(self.necks):
            raise ValueError(f"there are branches 0 to {len(self.necks)}; got {index}")
        return net if index == 0 else PoseNet(net.backbone, self.necks[index - 1], self.heads[index - 1])


class Branched(NamedTuple):
    """Score maps (B, points, H, W) of stacks that share and stacks that do not."""

    shared: list[Tensor]
    """of each shared stack, in order"""
    branches: list[list[Tensor]]
    """of each branch's own stacks, in order; the last is the branch's output"""
    ensemble: Tensor
    """weighted mean of the branches' outputs"""

    @property
    def outputs(self) -> list[Tensor]:
        """All but the ensemble."""
        return [*self.shared, *(scores for branch in self.branches for scores in branch)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class BranchedHourglass:
    """Hourglasses that share their first stacks and then part; the published training network.

    ``shared=0`` and four own stacks a branch is its form with separate branches, which share the stem alone. Branches
    of different depth are its unbalanced form, of which the small one is kept.
    """

    points: int = Field(gt=0)
    """output maps of each stack, one for each keypoint"""
    shared: int = Field(default=2, ge=0)
    """stacks that all branches share; published: 2"""
    own: tuple[Annotated[int, Field(gt=0)], ...] = Field(default=(2, 2, 2), min_length=2)
    """stacks of each branch; published: 2 2 2"""
    channels: int = Field(default=256, gt=0, multiple_of=4)
    """channels of the feature maps; published: 256"""
    kind: Literal["branched_hourglass"] = "branched_hourglass"

    def build(self) -> nn.Module:
        """The network."""
        return BranchedHourglassNet(self.points, self.shared, self.own, self.channels)


class BranchedHourglassNet(nn.Module):
    """See `BranchedHourglass`.

    Source: Li et al. 2021 and its authors' code. Differs: the ensemble is of every branch's last maps. Theirs takes
    other stacks, of other branches even, unless a separate branch has two; with shared stacks it takes the last three
    outputs, so the first branch is never heard.
    """

    multiple = HourglassNet.multiple

    def __init__(self, points: int, shared: int, own: Sequence[int], channels: int) -> None:
        super().__init__()
        self.points, self.width = points, channels
        self.stem = HourglassNet(points, 1, channels).stem
        self.shared = nn.ModuleList(Stack(channels, points, last=False) for _ in range(shared))
        self.branches = nn.ModuleList(
            nn.ModuleList(Stack(channels, points, last=index == count - 1) for index in range(count)) for count in own
        )
        self.aggregation = Aggregation(channels, points, len(own))

    def forward(self, image: Tensor) -> Branched:
        """(B, 3, H, W) normalised to maps of stride 4."""
        stem = self.stem(image)
        shared, x = _run(self.shared, stem)
        branches = [_run(stacks, x)[0] for stacks in self.branches]
        return Branched(shared, branches, blend([scores[-1] for scores in branches], self.aggregation(stem)))

    def branch(self, index: int) -> HourglassNet:
        """A plain stacked hourglass of one branch, sharing its tensors.

        Raises:
            IndexError: there is no such branch.
        """
        stacks = [*self.shared, *self.branches[index]]
        with torch.device("meta"):
            net = HourglassNet(self.points, len(stacks), self.width)
        net.stem, net.stacks = self.stem, nn.ModuleList(stacks)
        return net.train(self.training)


def _run(stacks: nn.ModuleList, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """Scores of stacks in a row, and what would go into the next."""
    scores = []
    for stack in stacks:
        score, x = stack(x)
        scores.append(score)
    return scores, x
