"""Networks with fewer channels: the least of a trained one are removed, and a table tells how to build the rest again.

A table says of every layer that differs from its description how many channels go out and come in. It is all that a
recipe needs: a fresh network is built as ever, its layers are cut to the table, and weights are loaded into them.

Source: Fang et al. 2023, arXiv:2301.12900: which layers must lose a channel together, and their norm over all of them.
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
"""Name of a layer to its channels that go out and come in; norms and activations have two equal numbers."""

STEPS = 100
"""Shares of channels that can be removed are so fine; the last step before the goal is one of them."""
MOST = 0.9
"""Share of its channels that a layer may lose, about."""


def remove_channels(net: nn.Module, size: tuple[int, int], share: float) -> None:
    """Remove the channels that matter least from backbone and neck, until a share of the multiply-accumulates is left.

    Channels are ranked over the whole network by the squared norm of all weights that write or read them, relative to
    the mean of their group. The head gives what it gave; its first layers read fewer channels.

    Args:
        net: trained, with a ``head``; changed, and left in evaluation mode.
        size: (height, width) of its images in pixels.
        share: of multiply-accumulates that is left at most, in (0, 1).

    Raises:
        ModuleNotFoundError: torch-pruning is not installed.
        ValueError: the share cannot be reached, or the network is one whose channels cannot be followed.
    """
    pruning = _torch_pruning()
    image = torch.zeros(1, 3, *size, device=next(net.parameters()).device)
    before = count_macs(net.eval(), size)
    shapes = _shapes(net, image)
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            # Of parameters it must guess the channels of; what it guessed wrong cannot be built again, see `thin`.
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
    except Exception as error:  # whatever a network that cannot be followed makes torch-pruning or torch raise
        first = " ".join(str(error).split())[:160]
        raise ValueError(
            f"the channels of this {type(getattr(net, 'backbone', net)).__name__} cannot be followed from layer to "
            f"layer ({type(error).__name__}: {first}); take another backbone"
        ) from error
    if left > share:
        raise ValueError(
            f"{left:.2f} of the multiply-accumulates are left when every layer has lost what it may: ask for more"
        )
    if _shapes(net, image) != shapes:
        raise ValueError("the maps of the network have changed their shapes: its channels cannot be removed")


def _remove(pruner: Any, measured: Callable[[], float], share: float) -> float:
    """Remove channels until a measure is down to a share of what it was; gives what is left of it."""
    removed, left = 0, 1.0
    while left > share and removed < STEPS - 1:
        # The cost falls about with the square of the channels that stay: half of the way there is never too far.
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
    """The layers in which a network differs from the one that it was made of.

    Args:
        net: with channels removed.
        whole: the same network as it is described.
    """
    own = {name: channels(layer) for name, layer in net.named_modules()}
    return {
        name: pair
        for name, layer in whole.named_modules()
        if (pair := own.get(name)) is not None and pair != channels(layer)
    }


def with_pruned_channels(net: nn.Module, table: Table) -> nn.Module:
    """The same network, its layers cut to a table: the first channels of each stay.

    Args:
        net: fresh; changed.
        table: that `table_of` gave; an empty one changes nothing.

    Raises:
        ValueError: the table was made for another network.
    """
    if not table:
        return net
    layers = dict(net.named_modules())
    for name, pair in table.items():
        found = channels(layers[name]) if name in layers else None
        if found is None or any(now < wanted for now, wanted in zip(found, pair, strict=True)):
            told = "it has no such layer with channels" if found is None else f"its own has {found[0]} and {found[1]}"
            raise ValueError(
                f"thinned: the network's {name!r} should have {pair[0]} channels out and {pair[1]} in, but {told}; the "
                "recipe was changed after posekit prune: keep its model and override, or leave out thinned"
            )
        _cut(layers[name], *pair)
    backbone = getattr(net, "backbone", None)
    if backbone is not None:
        _tell_channels(backbone)
    return net


def channels(layer: nn.Module) -> tuple[int, int] | None:
    """Channels of a layer that go out and come in; ``None`` for what has none or is not known here."""
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
    """Leave the first channels of a layer."""
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
    """Cut one tensor of a layer to its first numbers along each axis."""
    tensor = cast(Tensor | None, getattr(layer, name))
    if tensor is None:
        return
    part = tensor.detach()[tuple(slice(size) for size in sizes)].clone()
    learns = isinstance(tensor, nn.Parameter)
    setattr(layer, name, nn.Parameter(part, requires_grad=tensor.requires_grad) if learns else part)


def _tell_channels(backbone: nn.Module) -> None:
    """Let a backbone say how many channels its maps have now, for those that ask a built one."""
    found: list[int] = []
    hook = backbone.register_forward_hook(lambda layer, inputs, maps: found.extend(x.shape[1] for x in maps))
    try:
        trace(backbone)
    finally:
        hook.remove()
    backbone.channels = tuple(found)  # type: ignore[assignment]
