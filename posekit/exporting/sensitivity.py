"""Which layers cost the points most when they become 8-bit: each is rounded alone, and the points are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.engines.outputs import INPUT
from posekit.exporting.layers import Layer, layers_of
from posekit.exporting.quantize import rounded_weight
from posekit.extras import require

FARTHEST = 0.02
"""Largest distance that counts, as a share of the image's longer side: a point that jumps elsewhere counts no more."""

Range = tuple[float, float]


def sensitivities(model: Any, images: NDArray[np.uint8]) -> dict[str, float]:
    """How far points move when one layer alone has rounded inputs and weights.

    Args:
        model: an ``onnx.ModelProto`` in 32 bits.
        images: (N, H, W, 3) of the model's size; their labels are not needed.

    Returns:
        Name of the layer to the mean distance as a share of the image's longer side, weighted with the points' scores;
        all layers of the network, in the order of the graph.
    """
    onnx = require("onnx", "INT8")
    layers = layers_of(model)
    nodes = {node.name: node for node in model.graph.node}
    read = {nodes[name].input[number] for name, layer in layers.items() for number in layer.inputs}
    before, ranges = _ranges(onnx, model, sorted(read), images)
    found = {}
    for name, layer in layers.items():
        alone = onnx.ModelProto()
        alone.CopyFrom(model)
        _round(onnx, alone, layer, ranges)
        session = _session(alone)
        after = np.stack([session.run(["xy"], {INPUT: image[None]})[0][0] for image in images])
        found[name] = _moved(before, after, max(images.shape[1:3]))
    return found


def _moved(before: dict[str, NDArray[np.float32]], after: NDArray[np.float32], side: int) -> float:
    """Mean distance of points as a share of a side, weighted with their scores before."""
    distance = np.linalg.norm(after - before["xy"], axis=-1) / side
    weight = before["score"].astype(np.float64)
    return float((np.minimum(distance, FARTHEST) * weight).sum() / max(weight.sum(), 1e-12))


def _session(model: Any) -> Any:
    onnxruntime = require("onnxruntime", "INT8")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _ranges(
    onnx: Any, model: Any, names: list[str], images: NDArray[np.uint8]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, Range]]:
    """Points and scores of images, and the mean lowest and highest value of some tensors, zero included."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    there = {output.name for output in watched.graph.output}
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names if name not in there
    )
    session = _session(watched)
    points: dict[str, list[NDArray[np.float32]]] = {"xy": [], "score": []}
    ends = []
    for image in images:
        found = dict(zip((*points, *names), session.run([*points, *names], {INPUT: image[None]}), strict=True))
        for name, values in points.items():
            values.append(found[name][0])
        ends.append([(min(found[name].min(), 0.0), max(found[name].max(), 0.0)) for name in names])
    mean = np.mean(ends, axis=0)
    ranges = {name: (float(low), float(high)) for name, (low, high) in zip(names, mean, strict=True)}
    return {name: np.stack(values) for name, values in points.items()}, ranges


def _round(onnx: Any, model: Any, layer: Layer, ranges: dict[str, Range]) -> None:
    """Round the inputs and the weight of a layer, in place; other readers of these tensors are left alone."""
    place, node = next((i, node) for i, node in enumerate(model.graph.node) if node.name == layer.name)
    added = []
    for number in layer.inputs:
        source, name = node.input[number], f"{layer.name}/rounded_{number}"
        low, high = ranges[source]
        scale = np.float32(max((high - low) / 255, 1e-12))
        zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(np.asarray(value), f"{name}_{kind}")
            for kind, value in (("scale", scale), ("zero", zero))
        )
        steps = [f"{name}_scale", f"{name}_zero"]
        added.append(onnx.helper.make_node("QuantizeLinear", [source, *steps], [f"{name}_8"], f"{name}_quantise"))
        added.append(onnx.helper.make_node("DequantizeLinear", [f"{name}_8", *steps], [name], f"{name}_float"))
        node.input[number] = name
    if layer.weight is not None:
        tensor = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[layer.weight])
        values = onnx.numpy_helper.to_array(tensor)
        rounded, scales = rounded_weight(values, layer.axis)
        shape = [-1 if axis == layer.axis % values.ndim else 1 for axis in range(values.ndim)]
        node.input[layer.weight] = f"{layer.name}/rounded_weight"
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(rounded * scales.reshape(shape), node.input[layer.weight])
        )
    for number, new in enumerate(added):
        model.graph.node.insert(place + number, new)
