"""INT8 by post-training quantisation: the network only; decoding stays in 32 bits, chosen by the names of its nodes."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.engines.outputs import INPUT
from posekit.exporting.layers import LAYERS, NETWORK, is_one_of, layers_of, of_network
from posekit.exporting.results import ExportError
from posekit.extras import require

DATA = ("Parameter", "Result", "Constant")
"""OpenVINO's kinds of nodes that compute nothing."""
BETWEEN = ("Add", "Mul", "Relu", "Clip", "Resize", "Concat", "MaxPool", "GlobalAveragePool")
"""ONNX's kinds of nodes that ONNX Runtime computes in 8 bits between layers."""
ACTIVATIONS = ("Relu", "Clip")
"""Those of them that only limit what a layer gives."""
QUANTISED_ON_LOAD = ("Conv", "ConvTranspose", "Gemm")
"""ONNX's kinds of layers that ONNX Runtime quantises by itself between 8-bit values."""
FEW = 64
"""Smallest number of weights of a channel for which these are stored in 8 bits by themselves."""
TOP = 127
"""Largest magnitude of a quantised weight."""


def quantized_openvino(model: Any, images: NDArray[np.uint8], floats: Collection[str] = ()) -> Any:
    """An ``openvino.Model`` with 8-bit convolutions and matrices.

    Biases are corrected layer by layer, from the first to the last, so that each layer's outputs keep their mean.

    Args:
        model: in 32 bits; is changed.
        images: (N, H, W, 3) to find the ranges of values with.
        floats: names of layers that stay in 32 bits.

    Raises:
        ModuleNotFoundError: NNCF is not installed; the message names the extra.
        ExportError: nothing was quantised.
    """
    nncf = require("nncf", "INT8 for OpenVINO")
    nncf.set_log_level(logging.ERROR)
    _fold_constants(model)
    layers = set(floats)
    kept = [
        node.get_friendly_name()
        for node in model.get_ops()
        if node.get_type_name() not in DATA and _stays(node.get_friendly_name(), layers)
    ]
    quantised = nncf.quantize(
        model,
        nncf.Dataset([{INPUT: image[None]} for image in images]),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(images),
        fast_bias_correction=False,
        ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
    )
    _check(any(node.get_type_name() == "FakeQuantize" for node in quantised.get_ops()))
    return quantised


def _fold_constants(model: Any) -> None:
    """Compute what depends on no image: NNCF takes weights and biases for such only where they are constants.

    ONNX's are reshaped for OpenVINO's convolutions: depthwise ones stayed in 32 bits, and no bias was corrected.
    """
    passes = require("openvino.passes", "INT8 for OpenVINO")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


def _stays(name: str, floats: set[str]) -> bool:
    """Whether a node stays in 32 bits."""
    return not of_network(name) or is_one_of(name, floats)


def _check(some: bool) -> None:
    """Refuse a model of which no layer was quantised: it would pass every comparison.

    Raises:
        ExportError: there is none.
    """
    if not some:
        raise ExportError(
            f"no layer was quantised: expected nodes of the network, whose names start with {NETWORK}, with "
            "convolutions or matrices among them; this model cannot become INT8"
        )


def quantized_onnx(model: Any, images: NDArray[np.uint8], floats: Collection[str] = ()) -> Any:
    """An ``onnx.ModelProto`` with 8-bit layers and what lies between them, as pairs of quantisation and inverse (QDQ).

    Activations are unsigned: ONNX Runtime computes those with x86's 8-bit instructions. Ranges follow the images with a
    moving average, so that a single extreme value does not set the step of all.

    Args:
        model: an ``onnx.ModelProto`` in 32 bits.
        images: (N, H, W, 3) to find the ranges of values with.
        floats: names of layers that stay in 32 bits.

    Raises:
        ExportError: nothing was quantised.
    """
    onnx = require("onnx", "INT8 for ONNX Runtime")
    quantization = require("onnxruntime.quantization", "INT8 for ONNX Runtime")
    shapes = require("onnxruntime.quantization.shape_inference", "INT8 for ONNX Runtime")
    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / f"{name}.onnx" for name in ("float", "prepared", "int8"))
        onnx.save(model, str(source))
        shapes.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        kept = _kept_in_onnx(onnx.load(str(prepared)).graph.node, set(floats))
        quantization.quantize_static(
            str(prepared),
            str(target),
            _Reader(images),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            per_channel=True,
            nodes_to_exclude=kept,
            op_types_to_quantize=[*LAYERS, *BETWEEN],
            extra_options={
                "ActivationSymmetric": False,
                "WeightSymmetric": True,
                "CalibMovingAverage": True,
                "CalibMovingAverageConstant": 0.05,
            },
        )
        quantised = onnx.load(str(target))
    _keep_floats(onnx, quantised, set(floats))
    made = {name for node in quantised.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    _check(any(node.op_type in LAYERS and node.input[1] in made for node in quantised.graph.node))
    return quantised


def _kept_in_onnx(nodes: Iterable[Any], floats: set[str]) -> list[str]:
    """Names of the nodes that stay in 32 bits.

    An activation behind such a layer does, too: ONNX Runtime drops it where it is quantised, since the range of what
    follows does the same, but where a layer in 32 bits follows, nothing does.
    """
    kept: list[str] = []
    outputs: set[str] = set()
    for node in nodes:
        if _stays(node.name, floats) or (node.op_type in ACTIVATIONS and node.input[0] in outputs):
            kept.append(node.name)
            outputs.update(node.output)
    return kept


def _keep_floats(onnx: Any, model: Any, floats: set[str]) -> None:
    """Give layers in 32 bits that read 8-bit values these with a scale for each channel, all the same, in place.

    Otherwise ONNX Runtime quantises such a layer when it opens the file, with one scale for all channels of its weight
    (its optimisation "WeightBiasQuantization"): a depthwise layer then lost most points.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    numbers = {node.name: place for place, node in enumerate(model.graph.node)}
    added = []
    for node in model.graph.node:
        maker = (
            makers.get(node.input[0]) if is_one_of(node.name, floats) and node.op_type in QUANTISED_ON_LOAD else None
        )
        if maker is None or maker.op_type != "DequantizeLinear":
            continue
        channels, name = _channels(node, tensors[node.input[1]].dims), f"{node.name}/input"
        for source, kind in ((maker.input[1], "scale"), (maker.input[2], "zero")):
            value = onnx.numpy_helper.to_array(tensors[source])
            repeated = np.broadcast_to(value.reshape(-1), (channels,)).copy()
            model.graph.initializer.append(onnx.numpy_helper.from_array(repeated, f"{name}_{kind}"))
        inputs = [maker.input[0], f"{name}_scale", f"{name}_zero"]
        made = onnx.helper.make_node("DequantizeLinear", inputs, [name], f"{name}_float", axis=1)
        added.append((numbers[node.name], made))
        node.input[0] = name
    for place, made in reversed(added):
        model.graph.node.insert(place, made)


def _channels(node: Any, weight: Sequence[int]) -> int:
    """Channels of the input of a convolution or a matrix with a weight of some shape."""
    flags = {attribute.name: attribute.i for attribute in node.attribute}
    if node.op_type == "Conv":
        return int(weight[1] * flags.get("group", 1))
    return int(weight[1] if flags.get("transB", 0) else weight[0])


class _Reader:
    """Calibration images one by one, as ONNX Runtime's quantisation asks for them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next input, or ``None`` at the end."""
        image = next(self.images, None)
        return None if image is None else {INPUT: image[None]}


def with_8_bit_weights(model: Any) -> Any:
    """A copy of an ``onnx.ModelProto`` whose layers' weights are stored in 8 bits and computed with in 32.

    Weights with few numbers for each channel, those of depthwise layers, stay in 32, unless there are no others: they
    cost most and are small.

    Raises:
        ExportError: no layer has weights.
    """
    onnx = require("onnx", "INT8 for ONNX Runtime")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in made.graph.initializer}
    layers = layers_of(made)
    axes: dict[str, int] = {}
    for node in made.graph.node:
        layer = layers.get(node.name)
        if layer is not None and layer.weight is not None:
            axes.setdefault(node.input[layer.weight], layer.axis)
    large = {name: axis for name, axis in axes.items() if np.prod(tensors[name].dims) >= FEW * tensors[name].dims[axis]}
    nodes = [_stored(onnx, made, tensors[name], axis) for name, axis in (large or axes).items()]
    _check(bool(nodes))
    nodes += made.graph.node
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def _stored(onnx: Any, model: Any, tensor: Any, axis: int) -> Any:
    """Store a tensor in 8 bits; returns the node that gives it in 32 under its old name."""
    name, values = tensor.name, onnx.numpy_helper.to_array(tensor)
    rounded, scale = rounded_weight(values, axis)
    tensor.CopyFrom(onnx.numpy_helper.from_array(rounded, f"{name}_int8"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(scale, f"{name}_scale"))
    zero = onnx.numpy_helper.from_array(np.zeros(len(scale), np.int8), f"{name}_zero")
    model.graph.initializer.append(zero)
    return onnx.helper.make_node(
        "DequantizeLinear",
        [f"{name}_int8", f"{name}_scale", f"{name}_zero"],
        [name],
        f"{name}_float",
        axis=axis % values.ndim,
    )


def rounded_weight(values: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A weight in 8 bits, and the scale of each output channel: the largest magnitude becomes 127.

    Args:
        values: the weight.
        axis: of its output channels.
    """
    others = tuple(number for number in range(values.ndim) if number != axis % values.ndim)
    largest = np.abs(values).max(others, keepdims=True)
    scale = np.maximum(largest / TOP, np.finfo(np.float32).tiny).astype(np.float32)
    rounded = np.clip(np.rint(values / scale), -TOP, TOP).astype(np.int8)
    return rounded, scale.reshape(-1)
