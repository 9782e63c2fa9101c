"""FCOS's head: towers shared by all levels, and predictions for each cell.

Tian et al. 2019, arXiv:1904.01355.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from posekit.models.layers.conv import fill_bias, init_normal

PRIOR = -math.log(99)
"""Initial bias of class logits: a score of 0.01, so that the many empty cells do not dominate the first steps."""

START = 4.0
"""Initial distances to the sides, in cells: typical for a level, and in the linear range of the ReLU."""

ORDER = ("class", "box", "centreness", "points")
"""Order of the output maps."""

GROUPS = 32
"""Groups of the group norms."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FCOS:
    """Two towers shared by all levels, one for the class, one for the box; a third for points, if the codec has them.

    Source: Tian et al. 2019, arXiv:1904.01355, and the authors' later code: group norm, centre-ness on the box tower.
    Differs: distances start at 4 cells instead of 0, where the gradient of a ReLU may stay zero.
    """

    channels: int = Field(default=256, gt=0, multiple_of=GROUPS)
    """channels of the towers, a multiple of 32; published: 256"""
    convs: int = Field(default=4, ge=1)
    """convolutions in each tower; published: 4"""
    kind: Literal["fcos"] = "fcos"

    def build(self, shapes: Mapping[str, tuple[int, ...]], channels: int, strides: Sequence[int]) -> FCOSHead:
        """The head.

        Args:
            shapes: output maps by name and stride, such as ``box_8``, each (C, H, W).
            channels: channels of the input maps.
            strides: strides of the neck's maps.

        Raises:
            ValueError: codec and neck have different strides.
        """
        return FCOSHead(counted(shapes, strides), channels, self.channels, self.convs, strides)


class FCOSHead(nn.Module):
    """(B, before, H, W) for each level to ``class_8``, ``box_8``, ``centreness_8``, ``points_8``, ...

    Args:
        counts: channels of each output map, by name.
        before: input channels.
        width: channels of the towers.
        convs: layers of a tower.
        strides: strides of the levels.
    """

    def __init__(self, counts: Mapping[str, int], before: int, width: int, convs: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        # Without boxes there is no box tower, so centre-ness is predicted from the class tower.
        self.tower_of = {name: name for name in ("class", "box", "points") if name in counts}
        self.towers = nn.ModuleDict({name: tower(before, width, convs) for name in self.tower_of})
        self.tower_of["centreness"] = "box" if "box" in counts else "class"
        predictors = {name: nn.Conv2d(width, counts[name], 3, padding=1) for name in ORDER if name in counts}
        self.predictors = nn.ModuleDict(predictors)
        init_normal(self, 0.01)
        fill_bias(predictors["class"], PRIOR)
        if "box" in counts:
            fill_bias(predictors["box"], START)
            self.scale = nn.Parameter(torch.ones(len(self.strides)))

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor]:
        """Output maps of all levels, finest first, without activation."""
        return self.predict(self.features(maps))

    def features(self, maps: Sequence[Tensor]) -> dict[str, list[Tensor]]:
        """Features of each tower on each level."""
        return {name: [tower(x) for x in maps] for name, tower in self.towers.items()}

    def predict(self, features: Mapping[str, Sequence[Tensor]]) -> dict[str, Tensor]:
        """Output maps by name and stride, from the features of the towers."""
        result = {}
        for name, predictor in self.predictors.items():
            for level, (stride, x) in enumerate(zip(self.strides, features[self.tower_of[name]], strict=True)):
                value = predictor(x)
                result[f"{name}_{stride}"] = value * self.scale[level] if name == "box" else value
        return result


def tower(before: int, width: int, convs: int) -> nn.Sequential:
    """A sequence of ``convs`` times 3x3 convolution, group norm and ReLU."""
    layers: list[nn.Module] = []
    for step in range(convs):
        conv = nn.Conv2d(width if step else before, width, 3, padding=1)
        layers += [conv, nn.GroupNorm(GROUPS, width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def counted(shapes: Mapping[str, tuple[int, ...]], strides: Sequence[int]) -> dict[str, int]:
    """Channels of each output map, which must be the same on every level.

    Args:
        shapes: (C, H, W) by name and stride, such as ``box_8``.
        strides: strides of the neck's maps.

    Raises:
        ValueError: codec and neck have different strides.
    """
    found: dict[str, dict[int, int]] = {}
    for key, shape in shapes.items():
        name, _, stride = key.rpartition("_")
        found.setdefault(name, {})[int(stride)] = shape[0]
    for name, levels in found.items():
        if tuple(sorted(levels)) != tuple(strides):
            raise ValueError(
                f"the codec needs {name!r} at strides {', '.join(map(str, sorted(levels)))}, but the neck outputs "
                f"{', '.join(map(str, strides))}: set neck.finest and neck.extra to match"
            )
    return {name: levels[strides[0]] for name, levels in found.items()}
