"""Weights of consecutive layers brought to one scale without changing what the network computes.

Published networks whose batch norms were folded away, such as MoveNet's, have layers with weights of 0.0005 behind maps
of 300. An optimiser with steps of one size for all weights, such as Adam, destroys such layers in its first steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from posekit.models.heads.one_stage.branches import BranchesHead
from posekit.models.necks.movenet_fpn import MoveNetFPNNeck

ROUNDS = 20
"""Of all links; a chain of seven layers is even to a thousandth by then."""


@dataclass(frozen=True, eq=False)
class Link:
    """Layers whose sum of outputs, perhaps after ReLU, is the input of one layer.

    Args:
        before: convolutions with the same number of output channels.
        after: a depth-wise or a plain convolution of these channels.
    """

    before: Sequence[nn.Conv2d]
    after: nn.Conv2d

    def balance(self) -> None:
        """Give each channel the same norm of weights on both sides; ReLU and sums carry a factor through."""
        out = torch.stack([_norm(layer.weight.flatten(1)) for layer in self.before]).amax(0)
        inner = self.after.weight if self._depthwise else self.after.weight.transpose(0, 1)
        into = _norm(inner.flatten(1))
        # A channel without weights on one side is never read or never filled: nothing to balance.
        factor = torch.where((out > 0) & (into > 0), (into / out.clamp_min(1e-30)).sqrt(), 1.0)
        for layer in self.before:
            layer.weight.mul_(factor[:, None, None, None])
            if layer.bias is not None:
                layer.bias.mul_(factor)
        inner.div_(factor.reshape(-1, *[1] * (inner.ndim - 1)))

    @property
    def _depthwise(self) -> bool:
        return self.after.groups > 1


def _norm(rows: Tensor) -> Tensor:
    """(n,) root mean square of rows (n, m)."""
    return rows.square().mean(1).sqrt()


@torch.no_grad()
def balance(net: nn.Module) -> int:
    """Balance the pyramid of MoveNet and separable heads, in place; their outputs stay as they are.

    Args:
        net: any network.

    Returns:
        Number of links, 0 for networks without such parts.

    Source: cross-layer equalisation, Nagel et al. 2019, arXiv:1906.04721, eq. 9 to 11. Differs: root mean squares
    instead of ranges; no absorption of biases.
    """
    links = [link for module in net.modules() for link in _links(module)]
    for _ in range(ROUNDS if links else 0):
        for link in links:
            link.balance()
    return len(links)


def _links(module: nn.Module) -> Iterator[Link]:
    """The links within one module."""
    if isinstance(module, MoveNetFPNNeck):
        laterals = [cast(nn.Conv2d, layer) for layer in module.lateral]
        before = laterals[0]
        for lateral, mix in zip(laterals[1:], module.mix, strict=True):
            depthwise, pointwise = _convs(mix)
            yield Link((before, lateral), depthwise)
            yield Link((depthwise,), pointwise)
            before = pointwise
    elif isinstance(module, BranchesHead):
        for branch in module.branches.values():
            layers = _convs(branch)
            # A plain head has no layer that came from another network's folded norms.
            if len(layers) == 3:
                yield Link((layers[0],), layers[1])
                yield Link((layers[1],), layers[2])


def _convs(module: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in module.children() if isinstance(layer, nn.Conv2d)]
