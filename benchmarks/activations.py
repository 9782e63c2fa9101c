"""What every activation costs in training: memory kept for backward, peak memory, and time.

    python -m benchmarks.activations [--quick]

Forward and backward of a batch norm and the activation on a batch of maps, on one thread. *Kept* is what autograd
saves for backward in the activation alone, each block of memory counted once
(`torch.autograd.graph.saved_tensors_hooks`); *most* is the peak memory of tensors during the whole call
(`benchmarks.memory`). Times are process CPU time, candidates alternating.

Swish, Mish and ACON have up to three implementations: PyTorch's operator (ACON has none), the plain formula, and one
that keeps only its input and recomputes the rest in backward. ``--quick`` prints the table and writes no file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from benchmarks.memory import peak_bytes
from benchmarks.record import write
from posekit.models.layers.acon import AconC, acon
from posekit.models.layers.activations import ACTIVATIONS
from posekit.studies.timing import interleaved, ratio, summary

B, C, H, W = 16, 96, 64, 48


class Formula(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept."""
        return self.function(x)


def swish(x: Tensor) -> Tensor:
    """The plain formula."""
    return x * torch.sigmoid(x)


def mish(x: Tensor) -> Tensor:
    """The plain formula."""
    return x * torch.tanh(F.softplus(x))


class Again(torch.autograd.Function):
    """Keeps only the inputs of a function and recomputes the rest in backward; no second derivative."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """The function's value."""
        ctx.function = function
        ctx.save_for_backward(*inputs)
        return function(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """The function's gradients, from its inputs."""
        with torch.enable_grad():
            inputs = [x.detach().requires_grad_() for x in ctx.saved_tensors]
            value = ctx.function(*inputs)
        return None, *torch.autograd.grad(value, inputs, *grads)


class SwishAgain(torch.autograd.Function):
    """Swish that keeps its input; explicit derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """``x sigmoid(x)``."""
        ctx.save_for_backward(x)
        return swish(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """``s (1 + x (1 - s))`` of the sigmoid s; plain operators, so that it can be differentiated again."""
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grads[0] * (s * (1 + x * (1 - s)))


class MishAgain(torch.autograd.Function):
    """Mish that keeps its input; explicit derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """``x tanh(softplus(x))``."""
        ctx.save_for_backward(x)
        return mish(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """``t + x (1 - t^2) s`` of the tanh t and the sigmoid s."""
        (x,) = ctx.saved_tensors
        t = torch.tanh(F.softplus(x))
        return grads[0] * (t + x * (1 - t * t) * torch.sigmoid(x))


class AconAgain(AconC):
    """ACON-C that keeps its input and its parameters."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), size kept."""
        return Again.apply(acon, x, self.p1, self.p2, self.beta)


def candidates() -> dict[str, nn.Module]:
    """Every activation of the table, and the other implementations of three."""
    found = {name: build(C) for name, build in ACTIVATIONS.items()}
    found["relu in place"] = nn.ReLU(inplace=True)
    found["silu as written"] = Formula(swish)
    found["silu recomputed"] = Formula(SwishAgain.apply)
    found["mish as written"] = Formula(mish)
    found["mish recomputed"] = Formula(MishAgain.apply)
    found["acon_c recomputed"] = AconAgain(C)
    return found


def step(layer: nn.Module) -> Callable[[], Any]:
    """Forward and backward of norm and activation."""
    norm, x = nn.BatchNorm2d(C), torch.randn(B, C, H, W)

    def call() -> Any:
        layer(norm(x.requires_grad_())).backward(torch.ones_like(x))
        x.grad = None

    return call


def kept(layer: nn.Module) -> int:
    """Bytes that autograd saves in the layer, without parameters; the input counts if it is saved."""
    x = torch.randn(B, C, H, W, requires_grad=True).clone()
    own = {parameter.data_ptr() for parameter in layer.parameters()}
    blocks: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            blocks[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(x)
    return sum(blocks.values())


def measured(rounds: int) -> dict[str, Any]:
    """All figures."""
    torch.manual_seed(0)
    layers = candidates()
    times = interleaved({name: step(layer) for name, layer in layers.items()}, rounds)
    rows = summary(times)
    for name, layer in layers.items():
        rows[name] |= {"kept_bytes": kept(layer), "most_bytes": peak_bytes(step(layer))}
    for name in layers:
        base = name.split()[0]
        if base != name:
            rows[name]["times_of_ours"] = round(ratio(times, name, base), 3)
    return {"maps": [B, C, H, W], "map_bytes": 4 * B * C * H * W, "rows": rows}


def main(rounds: int = 15, keep: bool = True) -> None:
    """Measure, print, and write `activations.json` if ``keep``."""
    torch.set_num_threads(1)
    result = measured(rounds)
    for name, row in result["rows"].items():
        maps = [row[key] / result["map_bytes"] for key in ("kept_bytes", "most_bytes")]
        print(f"{name:20}{row['median_ms']:9.1f} ms   keeps {maps[0]:5.2f} maps   most {maps[1]:5.2f} maps")
    if keep:
        print(f"in {write('activations', result)}")


if __name__ == "__main__":
    main(*((3, False) if "--quick" in sys.argv[1:] else ()))
