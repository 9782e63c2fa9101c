"""Fold batch norms into the preceding convolutions: the same network with fewer layers, for inference only."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from posekit.models.layers.conv import SameConv2d
from posekit.models.rewrite.trace import trace

FOLDABLE = (nn.Conv2d, SameConv2d)
"""Exact types: subclasses mix, round or deform their kernels."""

TOLERANCE = 1e-3
"""Largest change of an output map by folding, relative to its largest value."""


def folded(net: nn.Module, size: tuple[int, int]) -> nn.Module:
    """A copy in evaluation mode with batch norms folded into the convolutions before them.

    The network is run before and after. If outputs differ by more than rounding, as when another layer also reads the
    output of a convolution, the copy keeps its batch norms.

    Args:
        net: takes images (B, 3, H, W); not changed.
        size: (height, width) of the images in pixels.
    """
    plain = deepcopy(net).eval()
    result = deepcopy(plain)
    like = next(result.parameters())
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(like.device) * 255
    pairs = _pairs(result, image)
    if not pairs:
        return plain
    parents = {child: (parent, name) for parent in result.modules() for name, child in parent.named_children()}
    for conv, norm in pairs:
        fused = fuse_conv_bn_eval(conv, norm)
        conv.weight, conv.bias = fused.weight, fused.bias
        parent, name = parents[norm]
        setattr(parent, name, nn.Identity())
    return result if _same(plain, result, image) else plain


def _pairs(net: nn.Module, image: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Each convolution that ran once, and the batch norm that took its output."""
    seen = trace(net, image)
    return [
        (before, norm)
        for norm, before in seen.before.items()
        if isinstance(norm, nn.BatchNorm2d)
        and isinstance(before, nn.Conv2d)
        and type(before) in FOLDABLE
        and norm.track_running_stats
        and len(seen.shapes[norm]) == len(seen.shapes[before]) == 1
    ]


@torch.inference_mode()
def _same(one: nn.Module, other: nn.Module, image: torch.Tensor) -> bool:
    maps, others = one(image), other(image)
    if not isinstance(maps, dict):
        return False
    return all(
        bool((value - others[name]).abs().amax() <= TOLERANCE * value.abs().amax().clamp_min(1e-6))
        for name, value in maps.items()
    )
