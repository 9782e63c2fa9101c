"""Online knowledge distillation (OKDHP): branches that learn from their ensemble. Li et al. 2021, arXiv:2108.02092.

Several branches share the first part of a network. The ensemble is a weighted mean of their outputs; an aggregation
unit predicts the weights from a shared feature map. Only one branch is kept after training, at no extra cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, cast

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.backbones.hourglass import HourglassNet, Stack
from posekit.models.base import PoseNet

KERNELS = (3, 5, 7)
"""Kernel sizes of the aggregation unit's convolutions."""
HIDDEN = 64
"""Units of its hidden layer, between pooling and weights."""


def blend(outputs: Sequence[Tensor], shares: Tensor) -> Tensor:
    """Weighted mean of the outputs of several branches, with weights for each channel.

    Args:
        outputs: one tensor for each branch, all (B, K, ...): maps (B, K, H, W), bins or numbers (B, K, D).
        shares: (B, branches, K), summing to 1 over branches.

    Returns:
        (B, K, ...), the ensemble.
    """
    stacked = torch.stack(list(outputs), 1)
    return (stacked * shares.reshape(*shares.shape, *[1] * (stacked.ndim - 3))).sum(1)


class Aggregation(nn.Module):
    """Feature aggregation unit: weight of each branch in every channel of the ensemble, from a shared feature map.

    Args:
        channels: of the shared feature map.
        outputs: channels of the ensemble, such as K for one map for each point.
        branches: number of branches.
        width: hidden channels; ``None``: as many as the input has, as published.
        kernels: kernel sizes of the parallel convolutions, odd.
        hidden: units between pooling and weights.

    Source: Li et al. 2021, the feature aggregation unit. In the authors' code the numbers of kernels and branches are
    the same parameter; here they are separate.
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
        """(B, channels, H, W) to weights (B, branches, outputs) that sum to 1 over branches."""
        first, *rest = (scale(x) for scale in self.scales)
        z = self.squeeze(sum(rest, start=first).mean((2, 3)))
        return torch.stack([score(z) for score in self.scores], 1).softmax(1)


class Peers(nn.Module):
    """Additional branches for a network: necks and heads on its backbone, and the unit that aggregates all outputs.

    The network itself is branch 0. It does not contain this module, so it is saved and exported as a plain network.

    Args:
        parts: neck and head of each additional branch, each with its own random weights.
        aggregation: for ``len(parts) + 1`` branches, with as many outputs as all maps have channels.
        channels: channels of each output map, by name.
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
        """Outputs of the additional branches, and the ensemble of all branches.

        Args:
            features: the backbone's maps, finest first; the aggregation unit reads the first.
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
        """A plain network with neck and head of one branch; shares the tensors; state-dict names are those of ``net``.

        Args:
            net: branch 0, with the shared backbone.
            index: 0 is ``net`` itself.

        Raises:
            ValueError: there is no such branch.
        """
        if not 0 <= index <= len(self.necks):
            raise ValueError(f"there are branches 0 to {len(self.necks)}; got {index}")
        return net if index == 0 else PoseNet(net.backbone, self.necks[index - 1], self.heads[index - 1])


class Branched(NamedTuple):
    """Heatmaps (B, points, H, W) of shared stacks, of each branch, and of the ensemble."""

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
    """Stacked hourglasses with shared first stacks and separate branches: the published training network.

    With ``shared=0`` and four own stacks, branches share only the stem (the paper's separate form). Branches of
    different depth are its unbalanced form, of which the small one is kept.
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

    def build(self) -> BranchedHourglassNet:
        """The network."""
        return BranchedHourglassNet(self.points, self.shared, self.own, self.channels)


class BranchedHourglassNet(nn.Module):
    """See `BranchedHourglass`.

    Source: Li et al. 2021 and its authors' code. Differs: the ensemble uses the last output of every branch. Their
    indexing picks other stacks, even of other branches, unless separate branches have two stacks; with shared stacks it
    takes the last three outputs and so never uses the first branch.
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
        branches = [_run(cast(nn.ModuleList, stacks), x)[0] for stacks in self.branches]
        return Branched(shared, branches, blend([scores[-1] for scores in branches], self.aggregation(stem)))

    def branch(self, index: int) -> HourglassNet:
        """A plain stacked hourglass of one branch; shares the tensors.

        Raises:
            IndexError: there is no such branch.
        """
        stacks = [*self.shared, *cast(nn.ModuleList, self.branches[index])]
        with torch.device("meta"):
            net = HourglassNet(self.points, len(stacks), self.width)
        net.stem, net.stacks = self.stem, nn.ModuleList(stacks)
        return net.train(self.training)


def _run(stacks: nn.ModuleList, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """Heatmaps of consecutive stacks, and the input of the next one."""
    scores = []
    for stack in stacks:
        score, x = stack(x)
        scores.append(score)
    return scores, x
