"""Other activations and other convolutions in a network that is already built.

All functions change the network they are given, which should be fresh: optimisers and averages made before keep the
old parameters. Names of parameters that stay do not change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from torch import Tensor, nn

from posekit.models.layers.acon import AconC, MetaAcon
from posekit.models.layers.activations import ACTIVATIONS, BY_CHANNEL, IN_PLACE
from posekit.models.layers.frelu import FReLU
from posekit.models.survey import Survey, survey

REPLACEABLE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU),
    *(nn.SiLU, nn.Hardswish, nn.Mish, nn.GELU, FReLU, AconC, MetaAcon),
)
"""Layers that count as activations; sigmoids, hard sigmoids, tanh and softmax are gates and stay."""


def swap_activations(net: nn.Module, name: str, image: Tensor | None = None) -> int:
    """Put another activation in the place of every one that runs on maps.

    Those inside gates, which run on one vector an image (squeeze-excite), stay as they are, and so do those that never
    run. A layer that ran in place is replaced by one in place where that is sound.

    Args:
        net: changed; a trunk of ours, of timm, or any network that takes (B, 3, H, W).
        name: of `ACTIVATIONS`.
        image: (B, 3, H, W) on which the network is run once to see what it does; see `survey`.

    Returns:
        How many layers were replaced.

    Raises:
        ValueError: there is no such activation; the network activates outside of layers, where nothing can be
            replaced; it has no activation at all; or ``name`` has parameters a channel, and a layer runs in several
            places or on other things than (B, C, H, W).
    """
    if name not in ACTIVATIONS:
        near = get_close_matches(name, ACTIVATIONS, n=1)
        hint = f": did you mean {near[0]!r}?" if near else f"; there are {', '.join(ACTIVATIONS)}"
        raise ValueError(f"there is no activation {name!r}{hint}")
    seen = survey(net, image, REPLACEABLE)
    if seen.strays:
        raise ValueError(
            f"{len(seen.strays)} activations run outside of layers and cannot be replaced: {_listing(seen.strays)}; "
            "make them layers (nn.ReLU and the like) or leave the activation as it is"
        )
    chosen = {path: layer for path, layer in _outermost(net, REPLACEABLE) if seen.on_maps(layer)}
    if not chosen:
        raise ValueError(f"no activation layer runs on maps in this {type(net).__name__}: there is nothing to replace")
    asks = name in BY_CHANNEL
    channels = {layer: _channels(path, layer, seen, name) if asks else 0 for path, layer in chosen.items()}
    _replace(net, {layer: _activation(name, count, layer) for layer, count in channels.items()})
    return len(channels)


def _activation(name: str, channels: int, old: nn.Module) -> nn.Module:
    new = ACTIVATIONS[name](channels)
    if isinstance(new, IN_PLACE):
        new.inplace = bool(getattr(old, "inplace", False))
    return new


def _channels(path: str, layer: nn.Module, seen: Survey, name: str) -> int:
    """Channels that a layer sees.

    Raises:
        ValueError: there is no one answer, or they do not lie in the second axis.
    """
    shapes = seen.shapes[layer]
    if len(shapes) > 1:
        told = ", ".join(str(shape[1]) for shape in shapes)
        raise ValueError(
            f"{path} runs {len(shapes)} times an image, on {told} channels, and {name!r} has parameters for each "
            "place: give each place a layer of its own"
        )
    (shape,) = shapes
    if len(shape) != 4 or isinstance(seen.before.get(layer), nn.Linear):
        free = ", ".join(other for other in ACTIVATIONS if other not in BY_CHANNEL)
        raise ValueError(
            f"{path} runs on {shape}, and {name!r} wants (B, C, H, W): take one without parameters a channel, {free}"
        )
    return shape[1]


def _outermost(net: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[tuple[str, nn.Module]]:
    """Layers of these types by path, each once, none inside another."""
    last = None
    # In order of depth first, so that what lies inside a layer follows it at once.
    for path, layer in net.named_modules():
        if isinstance(layer, kinds) and (last is None or not path.startswith(f"{last}.")):
            last = path
            yield path, layer


def _replace(net: nn.Module, swaps: Mapping[nn.Module, nn.Module]) -> None:
    """Put layers in others' places, wherever the network holds them; device, dtype and mode are the old ones'."""
    like = next(net.parameters())
    for old, new in swaps.items():
        new.to(device=like.device, dtype=like.dtype).train(old.training)
    for parent in list(net.modules()):
        # Not its children: they would leave out a second name.
        for name, child in list(parent._modules.items()):
            if child in swaps:
                setattr(parent, name, swaps[child])


def _listing(names: list[str], most: int = 8) -> str:
    return "; ".join(names[:most]) + (f"; and {len(names) - most} more" if len(names) > most else "")
