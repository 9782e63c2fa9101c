"""Convert published weights of DEKR and its first version to our layer names, and adaptive blocks from and to MMPose.

The published networks were trained with cells at multiples of four pixels: use them with a codec on a
`posekit.geometry.grid.RatioGrid`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from posekit.models.layers.adaptive import NUMBERS

State = Mapping[str, Tensor]
Rules = Sequence[tuple[str, str]]

_DEKR: Rules = (
    (r"^transition_heatmap\.", "head.heatmap.0."),
    (r"^head_heatmap\.0\.0\.", "head.heatmap.1."),
    (r"^head_heatmap\.1\.", "head.heatmap.2."),
    (r"^transition_offset\.", "head.entry."),
)
_FIRST: Rules = (
    (r"^transition_cls\.", "head.heatmap_entry."),
    (r"^transition_reg\.", "head.offset_entry."),
    (r"^final_layers\.0\.", "head.heatmap."),
    (r"^final_layers\.1\.", "head.point_offsets."),
    (r"^multi_level_layers_4x_heatmap\.(\d+)\.0\.", r"head.heatmap_blocks.\1."),
    (r"^multi_level_layers_4x_regression\.0\.0\.", "head.offset_block."),
)
_SPATIAL: Rules = (("transform_matrix_conv", "transform"), ("stn_conv", "conv"), (r"\.bn", ".norm"))
_OF_A_POINT = re.compile(r"(offset_feature_layers|offset_final_layer)\.(\d+)\.(.+)")
# A buffer in both repositories: the regular sampling grid of a kernel.
_GRID = "regular_matrix"


def from_dekr(state: State) -> dict[str, Tensor]:
    """Weights in the layout of HRNet/DEKR as those of our network: HRNet, `Concat` and `DekrHead`.

    The branches of the points become groups of one layer. Our offsets point from the cell to the keypoint, theirs from
    the keypoint to the cell.

    Args:
        state: of the whole network, by name.

    Returns:
        By name, as `posekit.models.weights.fill` takes them.
    """
    named: dict[str, Tensor] = {}
    points: dict[str, dict[int, Tensor]] = {}
    for name, value in state.items():
        if name.endswith(_GRID):
            continue
        if found := _OF_A_POINT.fullmatch(name):
            layer, point, rest = found.groups()
            final = layer == "offset_final_layer"
            ours = f"head.point_offsets.{rest}" if final else f"head.blocks.{rest}"
            points.setdefault(ours, {})[int(point)] = -value if final else value
        else:
            named[_renamed(name, _DEKR)] = value
    groups = {name: torch.stack([of[point] for point in sorted(of)]) for name, of in points.items()}
    for name in [name for name in groups if ".transform_matrix_conv." in name]:
        step = groups.pop(name.replace("transform_matrix_conv", "translation_conv"))
        groups[name.replace("transform_matrix_conv", "transform")] = torch.cat((groups.pop(name), step), 1)
    for name, value in groups.items():
        ours = name.replace(".adapt_conv.", ".conv.").replace(".bn.", ".norm.")
        named[ours] = value.flatten(0, 1) if value.ndim > 1 else value[0]
    return named


def from_dekr_first(state: State) -> dict[str, Tensor]:
    """Weights in the layout of HRNet/HRNet-Bottom-Up-Pose-Estimation as ours: HRNet, `Concat` and `DekrFirstHead`.

    Args:
        state: of the whole network with one resolution, by name.

    Returns:
        By name, as `posekit.models.weights.fill` takes them.
    """
    named = {}
    for name, value in state.items():
        if name.endswith(_GRID):
            continue
        ours = _renamed(name, _FIRST)
        if "_block" in ours:
            ours = _renamed(ours, _SPATIAL)
        # Offsets have the opposite sign; the last channel, the centre heatmap, keeps its sign.
        named[ours] = torch.cat((-value[:-1], value[-1:])) if ours.startswith("head.point_offsets.") else value
    return named


def _renamed(name: str, rules: Rules) -> str:
    """Apply the matching rules to a name; without a match it is a layer of the backbone."""
    ours = name
    for old, new in rules:
        ours = re.sub(old, new, ours)
    return ours if ours.startswith("head.") else f"backbone.{name}"


def from_mmpose(value: Tensor) -> Tensor:
    """Convert weight or bias of the transform layer of MMPose's adaptive block to our layout.

    Theirs predicts the rows ``a_yy, a_yx, t_y`` and ``a_xy, a_xx, t_x`` minus the identity, ours the four numbers of
    the transform itself and then the translation.

    Args:
        value: (parts * 6, ...); a tensor with one axis is a bias, to which the identity is added.

    Returns:
        The same shape.
    """
    told: Tensor = value.unflatten(0, (-1, NUMBERS))[:, [0, 1, 3, 4, 2, 5]]
    return (told + _identity(told) if value.ndim == 1 else told).flatten(0, 1)


def to_mmpose(value: Tensor) -> Tensor:
    """The inverse of `from_mmpose`."""
    told: Tensor = value.unflatten(0, (-1, NUMBERS))
    return (told - _identity(told) if value.ndim == 1 else told)[:, [0, 1, 4, 2, 3, 5]].flatten(0, 1)


def _identity(like: Tensor) -> Tensor:
    return like.new_tensor((1.0, 0.0, 0.0, 1.0, 0.0, 0.0))
