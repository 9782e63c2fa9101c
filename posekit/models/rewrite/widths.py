"""Which layers of a backbone have which channels in common: what must grow together when a backbone grows wider."""

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
"""The first width of every plan: the image's channels."""
KNOWN = (nn.Conv2d, SameConv2d, nn.BatchNorm2d)
"""Types of layers whose parameters are known to grow; subclasses may mean something else by theirs."""


@dataclass(frozen=True, slots=True)
class Width:
    """Channels that several layers have in common.

    Args:
        channels: how many there are.
        kind: whether they are those of a map between blocks, lie inside a block, are squeezed in a gate, or stay.
        follows: place of another width that these grow with.
    """

    channels: int
    kind: Literal["fixed", "between", "inside", "squeezed"]
    follows: int | None = None


class Plan:
    """The widths of a backbone, and which of them each layer reads and writes.

    Args:
        backbone: built; only looked at.

    Attributes:
        widths: in the order in which they can be chosen: none follows a later one.
        layers: name to the locations of the widths that come in and go out; the same ones for norms and depth-wise
            convolutions.

    Raises:
        ValueError: this kind of backbone is not known, or it has layers that are not.
    """

    def __init__(self, backbone: nn.Module) -> None:
        if type(backbone) not in BACKBONES:
            raise ValueError(
                f"a backbone of the type {type(backbone).__name__} cannot be made wider; NetAug knows mobilenet_v2, "
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
                f"{len(odd)} layers have parameters that cannot be made wider: {', '.join(odd[:4])}; leave the "
                "backbone's convolutions as they are and take activations without parameters"
            )
        self.widths: list[Width] = [Width(3, "fixed")]
        self.layers: dict[str, tuple[int, int]] = {}
        BACKBONES[type(backbone)](self, backbone)
        self._pin_frozen(backbone)

    def width(self, channels: int, kind: Literal["fixed", "between", "inside", "squeezed"], follows: int | None) -> int:
        """Note a width; gives its place."""
        self.widths.append(Width(channels, kind, follows))
        return len(self.widths) - 1

    def run(self, layers: Sequence[nn.Module], before: int, after: int, follows: int | None = None) -> None:
        """Note layers that run one after another.

        Args:
            layers: convolutions, norms and gates in the order in which they run; others are passed over.
            before: place of the width that comes in.
            after: place of the width that the last convolution gives; those before it give widths inside.
            follows: place of the width that those inside grow with.
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
        """Layers that do not learn keep their channels: their norms have figures for those alone."""
        for name, locations in self.layers.items():
            if not all(p.requires_grad for p in backbone.get_submodule(name).parameters()):
                for place in locations:
                    self.widths[place] = replace(self.widths[place], kind="fixed")


def depthwise(layer: nn.Module) -> bool:
    """Whether a layer is a convolution of each channel alone."""
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels > 1


def _parts(module: nn.Module) -> list[nn.Module]:
    """Convolutions, norms and gates below a module, whose order of definition is that of running."""
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
    """A stem, blocks that are wide inside, and a last layer whose maps leave the backbone."""
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
"""How each known backbone is planned. The channels of its last map stay: nothing in it would read more of them."""
