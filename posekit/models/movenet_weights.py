"""Convert the published MoveNet networks to our layer names: backbone, pyramid and heads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

HEADS = {
    "center_0": "centre",
    "kpt_heatmap_0": "peaks",
    "kpt_regress_0": "point_offsets",
    "kpt_offset_0": "offset",
    "box_scale_0": "size",
    "box_offset_0": "centre_offset",
}
"""Names of their heads to names of our maps; their vectors are (y, x), ours (x, y)."""
VECTORS = ("point_offsets", "offset", "size", "centre_offset")


def movenet_state(tensors: dict[str, NDArray[Any]]) -> dict[str, Tensor]:
    """State dict of the network of recipe ``movenet`` with the backbone of that size.

    Args:
        tensors: tensors of the graph model by name; see `read_tfjs`.

    Raises:
        ValueError: it is not one of MoveNet's three networks.
    """
    layers = _layers(tensors)
    try:
        state = dict(_backbone(layers)) | dict(_pyramid(layers)) | dict(_heads(layers))
    except KeyError as error:
        raise ValueError(f"not one of MoveNet's networks: it has no layer {error}") from None
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}


def _layers(tensors: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Kernels and biases by a short name: ``block_1_expand/weight``, ``center_0/conv2d_4/bias``."""
    short: dict[str, NDArray[Any]] = {}
    for name, value in tensors.items():
        parts = name.removeprefix("StatefulPartitionedCall/").split("/")
        head = parts[0] if parts[0] in HEADS else ""
        if len(parts) < 2 or (not head and "feature_extractor" not in parts[0]):
            continue
        last = parts[-1]
        inner = [
            part for part in parts[1:-1] if part not in ("model_1", "model", "Conv2D", "separable_conv2d", "BiasAdd")
        ]
        layer = "/".join([*([head] if head else []), inner[0] if inner else parts[-2]])
        kind = _kind(parts, last)
        if value.ndim == 4 or kind == "bias":
            short[f"{layer}/{kind}"] = value
    return short


def _kind(parts: list[str], last: str) -> str:
    """Role of a tensor in its layer: weight, depth-wise weight or bias."""
    if "BiasAdd" in parts or last.endswith("bn_offset"):
        return "bias"
    if "separable_conv2d" in parts and last == "ReadVariableOp":
        return "depthwise"
    return "weight"


def _kernel(value: NDArray[Any]) -> NDArray[Any]:
    """(height, width, in, out) to (out, in, height, width)."""
    return value.transpose(3, 2, 0, 1)


def _depthwise(value: NDArray[Any]) -> NDArray[Any]:
    """(height, width, channels, 1) to (channels, 1, height, width)."""
    return value.transpose(2, 3, 0, 1)


State = Iterator[tuple[str, NDArray[Any]]]


def _conv(name: str, layers: dict[str, NDArray[Any]], layer: str, depthwise: bool = False) -> State:
    turn = _depthwise if depthwise else _kernel
    yield f"{name}.weight", turn(layers[f"{layer}/weight"])
    yield f"{name}.bias", layers[f"{layer}/bias"]


def _backbone(layers: dict[str, NDArray[Any]]) -> State:
    yield from _conv("backbone.stem", layers, "Conv1")
    for number in range(17):
        theirs, ours = f"block_{number}" if number else "expanded_conv", f"backbone.blocks.{number}"
        if number:
            yield from _conv(f"{ours}.expand", layers, f"{theirs}_expand")
        yield from _conv(f"{ours}.depthwise", layers, f"{theirs}_depthwise", depthwise=True)
        yield from _conv(f"{ours}.project", layers, f"{theirs}_project")
    yield from _conv("backbone.last", layers, "Conv_1")


def _pyramid(layers: dict[str, NDArray[Any]]) -> State:
    for step, suffix in enumerate(("", "_1", "_2", "_3")):
        yield from _conv(f"neck.neck.lateral.{step}", layers, f"conv2d{suffix}")
    for step, suffix in enumerate(("", "_1", "_2")):
        yield f"neck.neck.mix.{step}.0.weight", _depthwise(layers[f"separable_conv2d{suffix}/depthwise"])
        yield from _conv(f"neck.neck.mix.{step}.1", layers, f"separable_conv2d{suffix}")


def _heads(layers: dict[str, NDArray[Any]]) -> State:
    for theirs, ours in HEADS.items():
        own = {name: value for name, value in layers.items() if name.startswith(f"{theirs}/")}
        if not own:
            continue
        swap = _swapped if ours in VECTORS else _as_is
        for name, value in own.items():
            _, layer, kind = name.split("/")
            if layer.startswith("conv2d"):
                turned = _kernel(value) if kind == "weight" else value
                yield f"head.branches.{ours}.3.{kind}", swap(turned)
            elif kind == "depthwise":
                yield f"head.branches.{ours}.0.weight", _depthwise(value)
            else:
                yield f"head.branches.{ours}.1.{kind}", _kernel(value) if kind == "weight" else value


def _as_is(value: NDArray[Any]) -> NDArray[Any]:
    return value


def _swapped(value: NDArray[Any]) -> NDArray[Any]:
    """Channels y, x, y, x, ... as x, y, x, y, ..."""
    return value.reshape(-1, 2, *value.shape[1:])[:, ::-1].reshape(value.shape)
