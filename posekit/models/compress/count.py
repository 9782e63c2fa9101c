"""Cost of a network: parameters and multiply-accumulates (MACs), in one convention.

Papers print MACs as "GFLOPs", in three incompatible conventions. Ours: decimal units; convolutions, transposed
convolutions and linear layers count; a transposed convolution by the size of its input. The tables of SimpleBaseline
and HRNet divide by 2^30 and count a transposed convolution by the size of its output: `Cost.hrnet_compat`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

COUNTED = nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear
"""Layers whose multiply-accumulates are counted here; others may bring a method ``macs``."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a network or a part of it, for one image.

    Args:
        parameters: number of parameters, including those of batch norms, but not their running statistics.
        macs: multiply-accumulates.
        by_output: multiply-accumulates with transposed convolutions counted by the size of their output.
    """

    parameters: int
    macs: int
    by_output: int

    @property
    def hrnet_compat(self) -> float:
        """The "GFLOPs" in the convention of SimpleBaseline and HRNet; for comparison with their tables only."""
        return self.by_output / 2**30


def count_parameters(module: nn.Module) -> int:
    """Number of parameters; shared ones count once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_macs(module: nn.Module, image_size: tuple[int, int]) -> int:
    """Multiply-accumulates of one image of ``image_size`` (height, width) pixels."""
    return measure(module, image_size)["total"].macs


def measure(module: nn.Module, image_size: tuple[int, int]) -> dict[str, Cost]:
    """Cost of each child of a network (``backbone``, ``neck``, ``head``) and of the whole (``total``).

    Runs the network once in evaluation mode on a black image, on the device of its parameters (``meta`` computes
    nothing). Only convolutions and linear layers count, not matrix products, norms and resizing, except in layers with
    a method ``macs(input, output)``.

    Args:
        module: takes (B, 3, H, W).
        image_size: (height, width) in pixels.
    """
    counts: dict[nn.Module, tuple[int, int]] = {}
    with _counting(module, counts), torch.no_grad():
        like = next(module.parameters())
        module(torch.zeros(1, 3, *image_size, device=like.device, dtype=like.dtype))
    parts = {name: child for name, child in module.named_children() if count_parameters(child)}
    return {name: _cost(part, counts) for name, part in (*parts.items(), ("total", module))}


def report(module: nn.Module, image_size: tuple[int, int]) -> str:
    """`measure` as a small table, both conventions side by side."""
    lines = [f"{'part':<10}{'parameters':>14}{'MACs':>18}{'HRNet tables':>14}"]
    for name, cost in measure(module, image_size).items():
        lines.append(f"{name:<10}{cost.parameters:>14,}{cost.macs:>18,}{cost.hrnet_compat:>14.2f}")
    return "\n".join(lines)


def _cost(part: nn.Module, counts: dict[nn.Module, tuple[int, int]]) -> Cost:
    inside = [counts[layer] for layer in part.modules() if layer in counts]
    return Cost(count_parameters(part), sum(macs for macs, _ in inside), sum(output for _, output in inside))


@contextmanager
def _counting(module: nn.Module, counts: dict[nn.Module, tuple[int, int]]) -> Iterator[None]:
    """Count the MACs of every layer that runs inside the block; the mode is restored afterwards."""
    modes = {layer: layer.training for layer in module.modules()}
    counted = [layer for layer in modes if isinstance(layer, COUNTED) or hasattr(layer, "macs")]
    hooks = [layer.register_forward_hook(_hook(counts)) for layer in counted]
    module.eval()
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for layer, training in modes.items():
            layer.training = training


def _hook(counts: dict[nn.Module, tuple[int, int]]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before = counts.get(layer, (0, 0))
        macs = getattr(layer, "macs", None)
        if macs is not None:
            own = macs(inputs[0], output)
            counts[layer] = (before[0] + own, before[1] + own)
            return
        if not isinstance(layer, COUNTED):
            return
        if isinstance(layer, nn.Linear):
            positions = through = inputs[0].numel() // layer.in_features
        else:
            through = output.shape[0] * output.shape[2:].numel()
            positions = inputs[0].shape[0] * inputs[0].shape[2:].numel() if layer.transposed else through
        counts[layer] = (before[0] + layer.weight.numel() * positions, before[1] + layer.weight.numel() * through)

    return count
