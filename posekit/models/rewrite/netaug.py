"""Network augmentation: a small backbone inside wider ones that share its weights. Cai et al. 2022, arXiv:2110.08890.

Tiny networks underfit. While training, the backbone is also trained as a part of wider networks, whose gradients reach
its weights; afterwards the extra weights are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, cast

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.func import functional_call

from posekit.models.base import Backbone
from posekit.models.layers.divisible import make_divisible
from posekit.models.rewrite.widths import Plan, Width, depthwise

Factor = Annotated[float, Field(ge=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class NetAug:
    """Train the backbone also inside wider networks that share its weights; off by default.

    Helps a backbone that is too small for its data, and not one that already overfits.

    Source: Cai et al. 2022, arXiv:2110.08890. Differs: channels are not sorted again each epoch, which would break the
    moving average of the weights; batch norms take running statistics from the plain backbone only, so they need no
    recalibration; the output maps keep their channels, so neck and head are shared unchanged.
    """

    expansions: Annotated[tuple[Factor, ...], Field(min_length=1)] = (1.0,)
    """factors on hidden channels, chosen at random for each block and step; 1: not widened; published: 1 1.6 2.2 2.8"""
    widths: Annotated[tuple[Factor, ...], Field(min_length=1)] = (1.0,)
    """factors on the channels between blocks, chosen likewise; hidden channels grow with them; published: 1 1.8 2.6"""
    alpha: float = Field(default=1.0, ge=0)
    """weight of the losses of the wider network; 0 turns network augmentation off"""
    stop: float = Field(default=0.5, ge=0, le=1)
    """share of the run after which only hidden channels are still widened, 0 to 1; published: about 0.5"""
    divide: int = Field(default=8, ge=1)
    """round widened channel counts to multiples of this; published: 1"""
    spread: float = Field(default=1.0, ge=0)
    """initial size of the extra weights that feed the backbone's own channels, relative to its own weights; use 0 with
    a pretrained backbone: the wider network then starts with the same output"""

    @property
    def off(self) -> bool:
        """Whether network augmentation is off."""
        return not self.alpha or max(self.expansions + self.widths) == 1


class Extra(nn.Module):
    """Extra rows and columns of a parameter in the wider network.

    Args:
        own: the parameter: (after,), (after, before, ...) or, depth-wise, (after, 1, ...).
        shape: (after, before) of the widest network.
        spread: initial size of the extra columns of its own rows, relative to the parameter's standard deviation.
        value: initial value of the extra entries of a parameter with one axis.
    """

    def __init__(self, own: Tensor, shape: tuple[int, int], spread: float, value: float) -> None:
        super().__init__()
        self.right: nn.Parameter | None = None
        self.below: nn.Parameter | None = None
        more, wider = shape[0] - own.shape[0], 0
        if own.ndim == 1:
            drawn = own.new_full((more,), value)
        else:
            wider = shape[1] - own.shape[1]
            # Uniform, as the authors initialise; with the standard deviation of the backbone's own weights.
            reach = 3**0.5 * own.detach().std(correction=0).item()
            right = own.new_empty(own.shape[0], wider, *own.shape[2:]).uniform_(-reach, reach) * spread
            drawn = own.new_empty(more, shape[1], *own.shape[2:]).uniform_(-reach, reach)
            self.right = nn.Parameter(right) if wider else None
        self.below = nn.Parameter(drawn) if more else None

    def forward(self, own: Tensor, after: int, before: int) -> Tensor:
        """The parameter of a layer with ``after`` output and ``before`` input channels, its own values first."""
        # Also empty slices: with several processes every parameter must be part of every step.
        if self.right is not None:
            own = torch.cat([own, self.right[:, : before - own.shape[1]]], 1)
        if self.below is not None:
            rows = self.below[: after - own.shape[0]]
            own = torch.cat([own, rows if rows.ndim == 1 else rows[:, : own.shape[1]]])
        return own


class Supernet(nn.Module):
    """The extra weights that make a backbone wider; the backbone is no part of it and is not changed.

    Args:
        backbone: with its weights; frozen parts are not widened.
        config: factors.

    Raises:
        ValueError: the kind of backbone is not supported, or nothing in it would be widened.
    """

    def __init__(self, backbone: nn.Module, config: NetAug) -> None:
        super().__init__()
        self.config, self.plan = config, Plan(backbone)
        widest = self.widths([1.0] * len(self.plan.widths))
        if widest == self.own_widths:
            raise ValueError(
                "nothing in the backbone would grow: give NetAug factors above 1, and do not freeze the whole backbone"
            )
        extras = {}
        for name, own, locations in self._own(backbone):
            value = 1.0 if name.endswith("weight") else 0.0
            shape = widest[locations[1]], own.shape[1] if _one_column(backbone, name) else widest[locations[0]]
            extra = Extra(own, shape, config.spread, value)
            if any(True for _ in extra.parameters()):
                extras[name] = extra
        self.names = tuple(extras)
        self.extras = nn.ModuleList(extras.values())

    def _own(self, backbone: nn.Module) -> Iterator[tuple[str, Tensor, tuple[int, int]]]:
        """Name, value and widths of every parameter of the backbone."""
        for name, own in backbone.named_parameters():
            yield name, own, self.plan.layers[name.rpartition(".")[0]]

    @property
    def own_widths(self) -> tuple[int, ...]:
        """Channel counts of the plain backbone."""
        return tuple(width.channels for width in self.plan.widths)

    def draw(self, between: bool = True) -> tuple[int, ...]:
        """Random widths for one step, from torch's generator.

        Args:
            between: whether maps between blocks may be widened too.
        """
        return self.widths(torch.rand(len(self.plan.widths), device="cpu").tolist(), between)

    def widths(self, picks: Sequence[float], between: bool = True) -> tuple[int, ...]:
        """Channel count of every width in the plan.

        Args:
            picks: for each width, the choice among its factors: 0 for the smallest, 1 for the largest.
            between: see `draw`.
        """
        growth: list[float] = []
        divide = self.config.divide
        for width, pick in zip(self.plan.widths, picks, strict=True):
            factors = self._factors(width, between)
            factor = factors[min(int(pick * len(factors)), len(factors) - 1)]
            grown = 1.0 if width.follows is None or width.kind == "fixed" else growth[width.follows]
            growth.append(factor * grown)
        return tuple(
            width.channels if times == 1 else max(width.channels, make_divisible(width.channels * times, divide))
            for width, times in zip(self.plan.widths, growth, strict=True)
        )

    def _factors(self, width: Width, between: bool) -> Sequence[float]:
        if width.kind == "inside":
            return sorted(self.config.expansions)
        return sorted(self.config.widths) if width.kind == "between" and between else (1.0,)

    def weights(self, backbone: nn.Module, widths: Sequence[int]) -> dict[str, Tensor]:
        """The parameters of a wider backbone by name; differentiable; the backbone's own channels come first.

        Args:
            backbone: the one given to the constructor.
            widths: returned by `draw`.
        """
        extras = dict(zip(self.names, self.extras, strict=True))
        return {
            name: extras[name](own, widths[locations[1]], widths[locations[0]]) if name in extras else own
            for name, own, locations in self._own(backbone)
        }

    def forward(self, backbone: nn.Module, image: Tensor, widths: Sequence[int]) -> list[Tensor]:
        """The maps of a wider backbone, cut to the backbone's own channels.

        Args:
            backbone: the one given to the constructor, in training mode.
            image: (B, 3, H, W) normalised.
            widths: returned by `draw`.
        """
        with self.shaping(backbone, widths):
            maps: list[Tensor] = functional_call(backbone, self.tensors(backbone, widths), (image,))
        return maps

    def tensors(self, backbone: nn.Module, widths: Sequence[int]) -> dict[str, Tensor]:
        """Parameters and norm statistics of a wider backbone by name, for `torch.func.functional_call`.

        Norms use the statistics of the batch; the backbone's running statistics are neither read nor written.

        Raises:
            ValueError: a widened layer is in evaluation mode, for which its norm has no running statistics.
        """
        return self.weights(backbone, widths) | self._figures(backbone, widths)

    @contextmanager
    def shaping(self, backbone: nn.Module, widths: Sequence[int]) -> Iterator[None]:
        """Let the backbone run with `tensors` of these widths: sets groups of depth-wise layers, cuts output maps."""
        locations = self.plan.layers
        layers = {name: layer for name, layer in backbone.named_modules() if depthwise(layer)}
        own, channels = {layer: layer.groups for layer in layers.values()}, cast(Backbone, backbone).channels
        cut = backbone.register_forward_hook(
            lambda _, __, maps: [wide[:, :count] for wide, count in zip(maps, channels, strict=True)]
        )
        try:
            for name, layer in layers.items():
                layer.groups = widths[locations[name][1]]
            yield
        finally:
            cut.remove()
            for layer, groups in own.items():
                layer.groups = groups

    def _figures(self, backbone: nn.Module, widths: Sequence[int]) -> dict[str, Tensor]:
        """Temporary running statistics of the norms; frozen norms keep theirs."""
        figures = {}
        for name, (_, place) in self.plan.layers.items():
            norm: Any = backbone.get_submodule(name)
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            if norm.training:
                figures[f"{name}.running_mean"] = norm.weight.new_zeros(widths[place])
                figures[f"{name}.running_var"] = norm.weight.new_ones(widths[place])
                figures[f"{name}.num_batches_tracked"] = norm.weight.new_zeros((), dtype=torch.int64)
            elif widths[place] != norm.num_features:
                raise ValueError(
                    f"{name} has {norm.num_features} channels and should run with {widths[place]} in evaluation mode, "
                    "but a wider norm has no running statistics: wider backbones run in training mode only"
                )
        return figures


def _one_column(backbone: nn.Module, name: str) -> bool:
    """Whether a parameter is the kernel of a depth-wise convolution."""
    path, _, kind = name.rpartition(".")
    return kind == "weight" and depthwise(backbone.get_submodule(path))


@contextmanager
def lent_buffers(*modules: nn.Module) -> Iterator[None]:
    """Inside the block, code reads and writes copies of the buffers; the buffers themselves stay unchanged."""
    own = [
        (layer, name, buffer)
        for module in modules
        for layer in module.modules()
        for name, buffer in layer.named_buffers(recurse=False)
    ]
    try:
        for layer, name, buffer in own:
            setattr(layer, name, buffer.clone())
        yield
    finally:
        for layer, name, buffer in own:
            setattr(layer, name, buffer)
