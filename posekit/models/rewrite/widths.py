"""Channel counts shared by layers of a backbone: these layers must be widened together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import nn

from posekit.models.backbones.efficientnet_lite import EfficientNetLiteBackbone
from posekit.models.backbones.mobilenet_v2 import MobileNetV2Backbone
from posekit.models.backbones.mobilenet_v3 import MobileNetV3Backbone
from posekit.models.backbones.resnet import ResNetBackbone
from posekit.models.layers.conv import SameConv2d
from posekit.models.layers.squeeze import SqueezeExcite

IMAGE = 0
"""Index of the image's channels, the first width of every plan."""
KNOWN = (nn.Conv2d, SameConv2d, nn.BatchNorm2d)
"""Exact layer types that can be widened; parameters of subclasses may have another meaning."""


@dataclass(frozen=True, slots=True)
class Width:
    """A channel count that several layers share.

    Args:
        channels: number of channels.
        kind: of a map between blocks, inside a block, squeezed in a gate, or fixed.
        follows: index of another width; this one grows by the same factor.
    """

    channels: int
    kind: Literal["fixed", "between", "inside", "squeezed"]
    follows: int | None = None


class Plan:
    """The widths of a backbone, and the widths of the input and output of each layer.

    Args:
        backbone: not changed.

    Attributes:
        widths: in an order in which none follows a later one.
        layers: layer name to indices of the widths of its input and output; both are the same for norms and depth-wise
            convolutions.

    Raises:
        ValueError: the kind of backbone or one of its layers is not supported.
    """

    def __init__(self, backbone: nn.Module) -> None:
        if type(backbone) not in BACKBONES:
            raise ValueError(
                f"a backbone of the type {type(backbone).__name__} cannot be made wider; NetAug supports mobilenet_v2, "
                "mobilenet_v3, efficientnet_lite and resnet"
            )
        self._names = {layer: name for name, layer in backbone.named_modules()}
        odd = [
            f"{name} ({type(layer).__name__})"
            for layer, name in self._names.items()
            if type(layer) not in KNOWN and any(True for _ in layer.parameters(recurse=False))
        ]
        if odd:
            raise ValueError(
                f"{len(odd)} layers have parameters that cannot be made wider: {', '.join(odd[:4])}; do not "
                "override the backbone's convolutions, and take activations without parameters"
            )
        self.widths: list[Width] = [Width(3, "fixed")]
        self.layers: dict[str, tuple[int, int]] = {}
        BACKBONES[type(backbone)](self, backbone)
        self._pin_frozen(backbone)

    def width(self, channels: int, kind: Literal["fixed", "between", "inside", "squeezed"], follows: int | None) -> int:
        """Add a width and return its index."""
        self.widths.append(Width(channels, kind, follows))
        return len(self.widths) - 1

    def run(self, layers: Sequence[nn.Module], before: int, after: int, follows: int | None = None) -> None:
        """Add layers that run one after another.

        Args:
            layers: convolutions, norms and gates in the order in which they run; others are ignored.
            before: index of the input width.
            after: index of the output width of the last convolution; those before it get widths of their own.
            follows: index of the width that these follow.
        """
        last = [layer for layer in layers if isinstance(layer, nn.Conv2d)][-1]
        now = before
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                goes = after if layer is last else now if depthwise(layer) else None
                reads = now
                now = self.width(layer.out_channels, "inside", follows) if goes is None else goes
                self.layers[self._names[layer]] = (reads, now)
            elif isinstance(layer, nn.BatchNorm2d):
                self.layers[self._names[layer]] = (now, now)
            elif isinstance(layer, SqueezeExcite):
                squeezed = self.width(layer.fc1.out_channels, "squeezed", now)
                self.layers[self._names[layer.fc1]] = (now, squeezed)
                self.layers[self._names[layer.fc2]] = (squeezed, now)

    def _pin_frozen(self, backbone: nn.Module) -> None:
        """Frozen layers keep their channels, since their norms have running statistics for these only."""
        for name, locations in self.layers.items():
            if not all(p.requires_grad for p in backbone.get_submodule(name).parameters()):
                for place in locations:
                    self.widths[place] = replace(self.widths[place], kind="fixed")


def depthwise(layer: nn.Module) -> bool:
    """Whether a layer is a depth-wise convolution."""
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels > 1


def _parts(module: nn.Module) -> list[nn.Module]:
    """Convolutions, norms and gates inside a module, in the order in which they run."""
    return list(_walk(module))


def _walk(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Conv2d | nn.BatchNorm2d | SqueezeExcite):
        yield module
        return
    for child in module.children():
        yield from _walk(child)


def _inverted(
    plan: Plan, stem: Sequence[nn.Module], blocks: Iterable[Any], last: Sequence[nn.Module], channels: int
) -> None:
    """Plan a stem, inverted residual blocks, and a last layer whose output keeps its channels."""
    now = plan.width(_out(stem), "between", None)
    plan.run(stem, IMAGE, now)
    for block in blocks:
        parts = _parts(block)
        after = now if block.residual else plan.width(_out(parts), "between", None)
        plan.run(parts, now, after, follows=now)
        now = after
    plan.run(last, now, plan.width(channels, "fixed", None))


def _out(layers: Sequence[nn.Module]) -> int:
    return [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)][-1]


def _mobilenet(plan: Plan, backbone: MobileNetV2Backbone | MobileNetV3Backbone) -> None:
    stem, *blocks, last = backbone.features
    _inverted(plan, _parts(stem), blocks, _parts(last), backbone.channels[-1])


def _efficientnet_lite(plan: Plan, backbone: EfficientNetLiteBackbone) -> None:
    blocks = [block for stage in backbone.blocks for block in stage.children()]
    _inverted(
        plan, [backbone.conv_stem, backbone.bn1], blocks, [backbone.conv_head, backbone.bn2], backbone.channels[-1]
    )


def _resnet(plan: Plan, backbone: ResNetBackbone) -> None:
    now = plan.width(backbone.conv1.out_channels, "between", None)
    plan.run([backbone.conv1, backbone.bn1], IMAGE, now)
    for index in (1, 2, 3, 4):
        block: Any
        for block in backbone.get_submodule(f"layer{index}").children():
            parts = [part for name, part in block.named_children() if name != "downsample"]
            after = now
            if block.downsample is not None:
                after = plan.width(_out(parts), "fixed" if index == 4 else "between", None)
                plan.run(list(block.downsample), now, after)
            plan.run(parts, now, after, follows=after)
            now = after


BACKBONES: dict[type[nn.Module], Callable[[Plan, Any], None]] = {
    MobileNetV2Backbone: _mobilenet,
    MobileNetV3Backbone: _mobilenet,
    EfficientNetLiteBackbone: _efficientnet_lite,
    ResNetBackbone: _resnet,
}
"""Planning function of each supported backbone. The channels of its last map are fixed, since the neck reads them."""
