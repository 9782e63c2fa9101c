"""Structured pruning: remove the least important channels of a trained network, with a table to build the rest again.

The table lists the output and input channels of every layer that differs from the unpruned network. With it a recipe
builds the network as usual, cuts the layers to the table, and loads the weights.

Source: Fang et al. 2023, arXiv:2301.12900 (DepGraph): groups of layers that must lose a channel together, and the
importance of a group.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from posekit.models.compress.count import count_macs
from posekit.models.rewrite.trace import trace

Table = Mapping[str, tuple[int, int]]
"""Layer name to (output, input) channels; both are equal for norms and activations."""

STEPS = 100
"""Resolution of the share of removed channels: pruning goes in so many steps."""
MOST = 0.9
"""Largest share of its channels that a layer may lose, approximately."""


def remove_channels(net: nn.Module, size: tuple[int, int], share: float) -> None:
    """Remove the least important channels of backbone and neck, until a share of the multiply-accumulates is left.

    Channels are ranked over the whole network by the squared norm of all weights that write or read them, relative to
    the mean of their group. The outputs of the head keep their shapes; its first layers get fewer input channels.

    Args:
        net: trained, with a ``head``; changed, and left in evaluation mode.
        size: (height, width) of its images in pixels.
        share: largest share of multiply-accumulates that is left, in (0, 1).

    Raises:
        ModuleNotFoundError: torch-pruning is not installed.
        ValueError: the share cannot be reached, or torch-pruning cannot trace the network.
    """
    pruning = _torch_pruning()
    image = torch.zeros(1, 3, *size, device=next(net.parameters()).device)
    before = count_macs(net.eval(), size)
    shapes = _shapes(net, image)
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            # It warns about parameters that are in no known layer; a wrong guess fails the check of shapes below.
            warnings.simplefilter("ignore")
            pruner = pruning.pruner.BasePruner(
                net,
                image,
                pruning.importance.GroupMagnitudeImportance(p=2),
                global_pruning=True,
                pruning_ratio=1.0,
                max_pruning_ratio=MOST,
                iterative_steps=STEPS,
                ignored_layers=[net.head],
            )
            left = _remove(pruner, lambda: count_macs(net, size) / before, share)
    except Exception as error:  # torch-pruning and torch raise many kinds of errors
        first = " ".join(str(error).split())[:160]
        raise ValueError(
            f"the channels of this {type(getattr(net, 'backbone', net)).__name__} cannot be followed from layer to "
            f"layer ({type(error).__name__}: {first}); take another backbone"
        ) from error
    if left > share:
        raise ValueError(
            f"{left:.2f} of the multiply-accumulates are left after removing as many channels as possible: ask for a "
            "larger share"
        )
    if _shapes(net, image) != shapes:
        raise ValueError("the outputs of the network changed their shapes: its channels cannot be removed")


def _remove(pruner: Any, measured: Callable[[], float], share: float) -> float:
    """Remove channels until the cost is down to a share of the original; returns the share that is left."""
    removed, left = 0, 1.0
    while left > share and removed < STEPS - 1:
        # The cost falls with about the square of the kept channels, so half of the way does not overshoot.
        removed += max(1, int((1 - (share / left) ** 0.5) * (STEPS - removed) / 2))
        pruner.current_step = removed - 1
        pruner.step()
        left = measured()
    return left


def _torch_pruning() -> Any:
    try:
        import torch_pruning
    except ModuleNotFoundError as error:
        if error.name != "torch_pruning":
            raise
        raise ModuleNotFoundError("removing channels needs torch-pruning: pip install 'posekit[prune]'") from None
    return torch_pruning


@torch.no_grad()
def _shapes(net: nn.Module, image: Tensor) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net(image).items()}


def table_of(net: nn.Module, whole: nn.Module) -> dict[str, tuple[int, int]]:
    """The layers in which a pruned network differs from the original.

    Args:
        net: network with channels removed.
        whole: the same network without pruning.
    """
    own = {name: channels(layer) for name, layer in net.named_modules()}
    return {
        name: pair
        for name, layer in whole.named_modules()
        if (pair := own.get(name)) is not None and pair != channels(layer)
    }


def with_pruned_channels(net: nn.Module, table: Table) -> nn.Module:
    """Cut the layers of a network to a table, in place; the first channels of each layer are kept.

    Args:
        net: newly built; changed.
        table: returned by `table_of`; an empty one changes nothing.

    Raises:
        ValueError: the table was made for another network.
    """
    if not table:
        return net
    layers = dict(net.named_modules())
    for name, pair in table.items():
        found = channels(layers[name]) if name in layers else None
        if found is None or any(now < wanted for now, wanted in zip(found, pair, strict=True)):
            told = "there is no such layer" if found is None else f"the recipe's has {found[0]} and {found[1]}"
            raise ValueError(
                f"pruned: layer {name!r} should have {pair[0]} output and {pair[1]} input channels, but {told}; the "
                "recipe was changed after posekit prune: keep its model and override, or remove the field pruned"
            )
        _cut(layers[name], *pair)
    backbone = getattr(net, "backbone", None)
    if backbone is not None:
        _tell_channels(backbone)
    return net


def channels(layer: nn.Module) -> tuple[int, int] | None:
    """Output and input channels of a layer; ``None`` for other types of layers."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return layer.out_channels, layer.in_channels
    if isinstance(layer, nn.Linear):
        return layer.out_features, layer.in_features
    if isinstance(layer, nn.BatchNorm2d):
        return layer.num_features, layer.num_features
    if isinstance(layer, nn.PReLU):
        return layer.num_parameters, layer.num_parameters
    return None


def _cut(layer: nn.Module, after: int, before: int) -> None:
    """Keep the first channels of a layer."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        if layer.groups == layer.in_channels:
            layer.groups = before
        layer.out_channels, layer.in_channels = after, before
        first, second = (before, after) if layer.transposed else (after, before)
        _keep(layer, "weight", first, second // layer.groups)
        _keep(layer, "bias", after)
    elif isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = after, before
        _keep(layer, "weight", after, before)
        _keep(layer, "bias", after)
    elif isinstance(layer, nn.BatchNorm2d):
        layer.num_features = after
        for name in ("weight", "bias", "running_mean", "running_var"):
            _keep(layer, name, after)
    elif isinstance(layer, nn.PReLU):
        layer.num_parameters = after
        _keep(layer, "weight", after)


def _keep(layer: nn.Module, name: str, *sizes: int) -> None:
    """Cut one tensor of a layer to its first entries along each axis."""
    tensor = cast(Tensor | None, getattr(layer, name))
    if tensor is None:
        return
    part = tensor.detach()[tuple(slice(size) for size in sizes)].clone()
    learns = isinstance(tensor, nn.Parameter)
    setattr(layer, name, nn.Parameter(part, requires_grad=tensor.requires_grad) if learns else part)


def _tell_channels(backbone: nn.Module) -> None:
    """Update ``backbone.channels`` to the channels of its output maps."""
    found: list[int] = []
    hook = backbone.register_forward_hook(lambda layer, inputs, maps: found.extend(x.shape[1] for x in maps))
    try:
        trace(backbone)
    finally:
        hook.remove()
    backbone.channels = tuple(found)  # type: ignore[assignment]
