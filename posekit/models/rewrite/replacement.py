"""Replace activations and convolutions in a network that is already built.

All functions change the given network in place. Call them before optimisers and averages are made, which would keep the
old parameters. The names of the other parameters do not change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from posekit.models.layers.acon import AconC, MetaAcon
from posekit.models.layers.activations import ACTIVATIONS, BY_CHANNEL, IN_PLACE
from posekit.models.layers.conv import SameConv2d
from posekit.models.layers.dynamic import Attention, CondConv2d, DynamicConv2d, MixedConv2d
from posekit.models.layers.frelu import FReLU
from posekit.models.rewrite.trace import Trace, trace

REPLACEABLE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU),
    *(nn.SiLU, nn.Hardswish, nn.Mish, nn.GELU, FReLU, AconC, MetaAcon),
)
"""Layers that count as activations; sigmoids, hard sigmoids, tanh and softmax are gates and are not replaced."""

OTHERS = frozenset({"GELU", "GELUTanh", "QuickGELU", "Swish", "Mish", "HardSwish", "HardMish"})
"""Class names of timm's own activations."""


def activates(layer: nn.Module) -> bool:
    """Whether a layer is an activation."""
    return isinstance(layer, REPLACEABLE) or type(layer).__name__ in OTHERS


def swap_activations(net: nn.Module, name: str, image: Tensor | None = None, *, trained: bool = False) -> int:
    """Replace every activation that runs on feature maps.

    Activations in gates (squeeze-excite), which run on one vector for each image, are kept, and so are those that never
    run. An in-place layer is replaced by an in-place one if the new activation allows it.

    Args:
        net: changed; a backbone of ours or of timm, or any network that takes (B, 3, H, W).
        name: key of `ACTIVATIONS`.
        image: (B, 3, H, W) on which the network is traced once; see `trace`.
        trained: the network is pretrained with its activations; an FReLU then starts as a plain ReLU.

    Returns:
        Number of replaced layers.

    Raises:
        ValueError: there is no such activation; the network calls activations as functions, which cannot be replaced;
            it has no activation at all; or ``name`` has parameters for each channel, and a layer runs several times or
            not on (B, C, H, W).
    """
    if name not in ACTIVATIONS:
        near = get_close_matches(name, ACTIVATIONS, n=1)
        hint = f": did you mean {near[0]!r}?" if near else f"; there are {', '.join(ACTIVATIONS)}"
        raise ValueError(f"there is no activation {name!r}{hint}")
    seen = trace(net, image, activates)
    if seen.strays:
        raise ValueError(
            f"{len(seen.strays)} activations run outside of layers and cannot be replaced: {_listing(seen.strays)}; "
            "make them layers (nn.ReLU and the like) or leave the activation as it is"
        )
    chosen = {path: layer for path, layer in _outermost(net) if seen.on_maps(layer)}
    if not chosen:
        raise ValueError(f"no activation layer runs on maps in this {type(net).__name__}: there is nothing to replace")
    asks = name in BY_CHANNEL
    channels = {layer: _channels(path, layer, seen, name) if asks else 0 for path, layer in chosen.items()}
    _replace(net, {layer: _activation(name, count, layer, trained) for layer, count in channels.items()})
    return len(channels)


def _activation(name: str, channels: int, old: nn.Module, trained: bool) -> nn.Module:
    new = ACTIVATIONS[name](channels)
    if trained and isinstance(new, FReLU):
        # The published initialisation would destroy what the backbone has learnt.
        nn.init.zeros_(new.norm.weight)
    if isinstance(new, IN_PLACE):
        new.inplace = bool(getattr(old, "inplace", False))
    return new


CONVOLUTIONS: dict[str, type[DynamicConv2d] | type[CondConv2d]] = {"dynamic": DynamicConv2d, "condconv": CondConv2d}
"""Convolutions that can replace plain ones, by name."""


def swap_convs(
    net: nn.Module,
    kind: str = "dynamic",
    kernels: int = 4,
    temperature: float = 30.0,
    skip_first: bool = True,
    noise: float = 0.0,
    image: Tensor | None = None,
) -> int:
    """Replace every convolution that runs on feature maps by one that mixes several kernels; weights are kept.

    Every kernel starts as a copy of the original, so without noise the network computes the same: load pretrained
    weights before, not after. (Kernels of CondConv start at 2 / ``kernels`` of the original with attention 1/2, since
    their attention does not sum to 1.) Identical copies are slow to become different, hence the noise.

    Args:
        net: changed; a backbone of ours or of timm, or any network that takes (B, 3, H, W).
        kind: key of `CONVOLUTIONS`.
        kernels: number of kernels in each layer.
        temperature: initial temperature of dynamic convolutions; see `anneal`.
        skip_first: keep the first convolution, as published.
        noise: added to every kernel, in standard deviations of the layer's weights; about 1 for random weights.
        image: (B, 3, H, W) on which the network is traced once; see `trace`.

    Returns:
        Number of replaced layers.

    Raises:
        ValueError: there is no such kind, there are no convolutions, or some of them are not supported.
    """
    if kind not in CONVOLUTIONS:
        raise ValueError(f"there is no convolution {kind!r}; there are {', '.join(CONVOLUTIONS)}")
    seen = trace(net, image, activates)
    inside = {part for _, layer in _outermost(net) for part in layer.modules()}
    convs = [layer for layer in seen.shapes if isinstance(layer, nn.Conv2d) and seen.on_maps(layer)]
    convs = [layer for layer in convs[skip_first:] if layer not in inside]
    if not convs:
        raise ValueError(f"no convolution runs on maps in this {type(net).__name__}: there is nothing to replace")
    _refuse_unknown(net, convs)
    _replace(net, {conv: _mixed(conv, kind, kernels, temperature, noise) for conv in convs})
    return len(convs)


def _refuse_unknown(net: nn.Module, convs: list[nn.Conv2d]) -> None:
    """Raise if a convolution has an option that mixed convolutions do not support."""
    paths = {layer: path for path, layer in net.named_modules()}
    odd = [
        f"{paths[conv]} ({conv})"
        for conv in convs
        if type(conv) not in (nn.Conv2d, SameConv2d)
        or conv.padding_mode != "zeros"
        or any(isinstance(pair, str) or pair[0] != pair[1] for pair in (conv.kernel_size, conv.stride, conv.padding))
        or conv.dilation[0] != conv.dilation[1]
    ]
    if odd:
        raise ValueError(
            f"{len(odd)} convolutions cannot be replaced, only square ones padded with zeros can: {_listing(odd)}"
        )


@torch.no_grad()
def _mixed(conv: nn.Conv2d, kind: str, kernels: int, temperature: float, noise: float) -> MixedConv2d:
    """A mixed convolution of the same shape that starts from the same weights."""
    chosen = CONVOLUTIONS[kind]
    form = (
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size[0],
        conv.stride[0],
        int(conv.padding[0]),
        conv.dilation[0],
        conv.groups,
        conv.bias is not None,
        kernels,
    )
    mixed = chosen(*form, temperature) if issubclass(chosen, DynamicConv2d) else chosen(*form)
    new = mixed.to(conv.weight)
    new.margin = getattr(conv, "margin", ())
    scale = 1.0
    if isinstance(new, CondConv2d):
        nn.init.zeros_(new.share.score.weight)
        nn.init.zeros_(new.share.score.bias)
        scale = 2.0 / kernels
    new.weight.copy_(conv.weight.expand_as(new.weight))
    if noise:
        new.weight.add_(torch.randn_like(new.weight) * (noise * conv.weight.std(correction=0)))
    new.weight.mul_(scale)
    if conv.bias is not None and new.bias is not None:
        new.bias.copy_((scale * conv.bias).expand_as(new.bias))
    return new


def anneal(net: nn.Module, step: float, steps: float) -> None:
    """Lower the temperature of every dynamic convolution linearly from its initial value to 1.

    Args:
        net: changed; any network, also one without dynamic convolutions.
        step: 0 at the start; counted in steps, epochs or shares of the run.
        steps: in the same unit, when the temperature reaches 1; published: 10 epochs.
    """
    done = min(1.0, step / steps) if steps > 0 else 1.0
    for layer in net.modules():
        if isinstance(layer, Attention):
            layer.set_temperature(layer.start + (1.0 - layer.start) * done)


def _channels(path: str, layer: nn.Module, seen: Trace, name: str) -> int:
    """Number of input channels of an activation.

    Raises:
        ValueError: the layer runs several times, or not on (B, C, H, W).
    """
    shapes = seen.shapes[layer]
    if len(shapes) > 1:
        told = ", ".join(str(shape[1]) for shape in shapes)
        raise ValueError(
            f"{path} runs {len(shapes)} times for each image, on {told} channels, and {name!r} has parameters for each "
            "channel: use a separate layer for each call"
        )
    (shape,) = shapes
    if len(shape) != 4 or isinstance(seen.before.get(layer), nn.Linear):
        free = ", ".join(other for other in ACTIVATIONS if other not in BY_CHANNEL)
        raise ValueError(
            f"{path} runs on {shape}, and {name!r} needs (B, C, H, W): take one without parameters for each channel: "
            f"{free}"
        )
    return shape[1]


def _outermost(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Activations by path, each once, none inside another."""
    last = None
    # Modules come depth first, so that children follow their parent directly.
    for path, layer in net.named_modules():
        if activates(layer) and (last is None or not path.startswith(f"{last}.")):
            last = path
            yield path, layer


def _replace(net: nn.Module, swaps: Mapping[nn.Module, nn.Module]) -> None:
    """Replace layers wherever the network holds them; the new ones get device, dtype and mode of the old."""
    like = next(net.parameters())
    for old, new in swaps.items():
        new.to(device=like.device, dtype=like.dtype).train(old.training)
    for parent in list(net.modules()):
        # Not named_children(), which lists a layer with two names only once.
        for name, child in list(parent._modules.items()):
            if child is not None and child in swaps:
                setattr(parent, name, swaps[child])


def _listing(names: list[str], most: int = 8) -> str:
    return "; ".join(names[:most]) + (f"; and {len(names) - most} more" if len(names) > most else "")
