"""Run a network once and record its layers, their order and input shapes, and activations called as functions."""

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
"""PyTorch's operators that are activations; not sigmoid, hard sigmoid, tanh and softmax, which are gates."""


@dataclass
class Trace:
    """Record of one run.

    Args:
        shapes: shapes of the first input of every layer, one for each time it ran; layers in order of their first run.
        before: for a layer, the layer whose output was its input, if any.
        strays: activations called as functions, as "path (type) calls operator".
    """

    shapes: dict[nn.Module, list[tuple[int, ...]]] = field(default_factory=dict)
    before: dict[nn.Module, nn.Module] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)

    def on_maps(self, layer: nn.Module) -> bool:
        """Whether a layer ran on feature maps, and not only on one vector for each image, as gates after pooling do."""
        return any(spread(shape) for shape in self.shapes.get(layer, ()))


def spread(shape: tuple[int, ...]) -> bool:
    """Whether a shape has several locations: (B, C) and (B, C, 1, 1) do not."""
    return len(shape) > 2 and any(size > 1 for size in shape[2:])


def nothing(layer: nn.Module) -> bool:
    """Accept no layer."""
    return False


@torch.no_grad()
def trace(net: nn.Module, image: Tensor | None = None, activates: Callable[[nn.Module], bool] = nothing) -> Trace:
    """Run a network once in evaluation mode and record it; modes and weights do not change.

    Args:
        net: takes (B, 3, H, W) and returns anything.
        image: input; unset: a black image of the backbone's ``size``, or of twice its ``multiple`` in height and three
            times in width (64 x 96 without either attribute).
        activates: whether a layer is an activation; operators inside such layers are not recorded as strays.
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
    """Record the inputs of every layer, and keep the stack of running layers."""
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
    """Records activation operators that run on feature maps outside of activation layers."""

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
        """Record where the operator ran, once."""
        module = self.running[-1]
        stray = f"{self.names[module] or 'the network itself'} ({type(module).__name__}) calls {operator}"
        if stray not in self.found.strays:
            self.found.strays.append(stray)
