"""Networks that were trained in 8 bits: their weights are stored as the integers that training rounded them to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.extras import require


def with_stored_integers(model: Any) -> Any:
    """A copy of an ``onnx.ModelProto`` in which constants that are quantised are stored so, in a quarter of the space.

    PyTorch's exporter keeps a rounded weight in 32 bits, with a QuantizeLinear behind it.

    Args:
        model: with pairs of QuantizeLinear and DequantizeLinear.
    """
    onnx = require("onnx", "export to ONNX")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    known = _constants(onnx, graph)
    kept = []
    for node in graph.node:
        if node.op_type != "QuantizeLinear" or not all(name in known for name in node.input):
            kept.append(node)
            continue
        axis = next((flag.i for flag in node.attribute if flag.name == "axis"), 1)
        values, scale, zero = (known[name] for name in node.input)
        integers = quantised(values, scale, zero, axis)
        graph.initializer.append(onnx.numpy_helper.from_array(integers, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    _drop_unused(graph)
    return made


def quantised(values: NDArray[Any], scale: NDArray[Any], zero: NDArray[Any], axis: int) -> NDArray[Any]:
    """What ONNX's QuantizeLinear gives, in the type of ``zero``.

    Args:
        values: any shape.
        scale: () or (values.shape[axis],).
        zero: of the same shape, integers.
        axis: of the scales, if there are several.
    """
    shape = [1] * values.ndim
    if scale.ndim and values.ndim:
        shape[axis] = -1
    steps = np.rint(values / scale.reshape(shape)) + zero.reshape(shape)
    limits = np.iinfo(zero.dtype)
    return np.asarray(np.clip(steps, limits.min, limits.max).astype(zero.dtype))


def _constants(onnx: Any, graph: Any) -> dict[str, NDArray[Any]]:
    """Values that do not depend on the image, by name: initialisers, constants, and other names of these."""
    known = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            known[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Identity" and node.input[0] in known:
            known[node.output[0]] = known[node.input[0]]
    return known


def _drop_unused(graph: Any) -> None:
    """Drop initialisers, constants and identities that nothing reads any more, in place."""
    read = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if node.op_type not in ("Constant", "Identity") or any(name in read for name in node.output):
            kept.append(node)
            read |= set(node.input)
    nodes, tensors = kept[::-1], [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
