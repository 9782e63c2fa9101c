"""What happens in a network, found by running it once: layers, their order and shapes, and activations beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

ACTIVATING = frozenset(
    name + way
    for name in ("relu", "hardtanh", "leaky_relu", "elu", "celu", "selu", "silu", "hardswish", "mish", "gelu", "rrelu")
    for way in ("", "_")
) | {"_prelu_kernel", "prelu"}
"""PyTorch's operators that are activations; sigmoid, hard sigmoid, tanh and softmax are gates and not among them."""


@dataclass
class Trace:
    """What one run has shown.

    Args:
        shapes: of the first input of every layer, for each time it ran; layers in the order in which they first ran.
        before: the layer whose very output a layer took, where there is one.
        strays: where an activation ran outside of every layer, as "path (type) calls operator".
    """

    shapes: dict[nn.Module, list[tuple[int, ...]]] = field(default_factory=dict)
    before: dict[nn.Module, nn.Module] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)

    def on_maps(self, layer: nn.Module) -> bool:
        """Whether a layer ever saw more than a vector an image: a gate behind a global pooling never does."""
        return any(spread(shape) for shape in self.shapes.get(layer, ()))


def spread(shape: tuple[int, ...]) -> bool:
    """Whether a tensor of this shape tells locations apart: (B, C) and (B, C, 1, 1) do not."""
    return len(shape) > 2 and any(size > 1 for size in shape[2:])


def nothing(layer: nn.Module) -> bool:
    """No layer at all."""
    return False


@torch.no_grad()
def trace(net: nn.Module, image: Tensor | None = None, activates: Callable[[nn.Module], bool] = nothing) -> Trace:
    """Run a network once in eval mode and write down what happens; modes and weights stay as they are.

    Args:
        net: takes (B, 3, H, W) and gives anything.
        image: what it is run on; unset: a black one of the backbone's ``size``, or of twice its ``multiple`` in height
            and three times in width (64 x 96 where it tells neither).
        activates: tells layers inside which activating operators are at home.
    """
    found = Trace()
    names = {module: name for name, module in net.named_modules()}
    running: list[nn.Module] = []
    image = _black(net) if image is None else image
    with _in_eval(net), _watched(names, running, found), _Operators(names, running, found, activates):
        net(image)
    return found


def _black(net: nn.Module) -> Tensor:
    like = next(net.parameters())
    backbone = getattr(net, "backbone", net)
    step = getattr(backbone, "multiple", 32)
    height, width = getattr(backbone, "size", None) or (2 * step, 3 * step)
    return torch.zeros(1, 3, height, width, device=like.device, dtype=like.dtype)


@contextmanager
def _in_eval(net: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def _watched(names: dict[nn.Module, str], running: list[nn.Module], found: Trace) -> Iterator[None]:
    """Note every layer's inputs, and keep the stack of those that run."""
    last: list[Any] = [None, None]

    def begin(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        running.append(module)
        shape = tuple(inputs[0].shape) if inputs and isinstance(inputs[0], Tensor) else ()
        found.shapes.setdefault(module, []).append(shape)
        if inputs and inputs[0] is last[1]:
            found.before[module] = last[0]

    def end(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        running.pop()
        last[:] = module, output

    hooks = [module.register_forward_pre_hook(begin) for module in names]
    hooks += [module.register_forward_hook(end) for module in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Operators(TorchDispatchMode):
    """Notes activating operators that run outside of every known activation, and not on vectors."""

    def __init__(
        self,
        names: dict[nn.Module, str],
        running: list[nn.Module],
        found: Trace,
        activates: Callable[[nn.Module], bool],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names, self.running, self.found, self.activates = names, running, found, activates

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in ACTIVATING and spread(tuple(args[0].shape)):
            if not any(map(self.activates, self.running)):
                self.note(name)
        return func(*args, **(kwargs or {}))

    def note(self, operator: str) -> None:
        """Write down where the operator ran, once."""
        module = self.running[-1]
        stray = f"{self.names[module] or 'the network itself'} ({type(module).__name__}) calls {operator}"
        if stray not in self.found.strays:
            self.found.strays.append(stray)
