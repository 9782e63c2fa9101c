"""A network with its decoding as an ONNX graph."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.jit import TracerWarning  # type: ignore[attr-defined]

from posekit.engines.outputs import INPUT, KEY, Metadata, dump_metadata
from posekit.exporting.graph import Graph
from posekit.extras import require

OPSET = 18
TRACED_WITH = 2
"""Images in the batch that the graph is traced with; any number of them can be run."""
LARGE = 1024
"""Smallest tensor, in numbers, that is stored in 16 bits."""


def onnx_model(graph: Graph, size: tuple[int, int], metadata: Metadata) -> Any:
    """The graph as an ONNX model, with any number of images.

    Weights of precision ``fp16`` are stored in 16 bits, and computed with in 32 unless the runtime chooses otherwise.

    Args:
        graph: in evaluation mode, on the CPU.
        size: (height, width) of the images.
        metadata: stored with the model, under the key ``posekit``.

    Returns:
        An ``onnx.ModelProto``: padding merged into convolutions, and tensors that 16 bits hold exactly stored in 16.

    Raises:
        ModuleNotFoundError: the package onnx is not installed; the message names the extra.
    """
    onnx = require("onnx", "export to ONNX")
    importlib.import_module("onnx.reference")
    batch = {0: "batch"}
    model = onnx.load_model_from_string(traced(graph, _example(size), batch, batch))
    _merge_padding(onnx, model)
    if not metadata.precision.startswith("int8"):  # Quantisation takes weights that are stored as they are.
        _store_halves(onnx, model, exact=metadata.precision != "fp16")
    onnx.helper.set_model_props(model, {KEY: dump_metadata(metadata)})
    model.producer_name, model.producer_version = "posekit", metadata.version
    onnx.checker.check_model(model)
    return model


def _example(size: tuple[int, int]) -> torch.Tensor:
    """Images to trace a graph with."""
    image = np.random.default_rng(0).integers(0, 256, (TRACED_WITH, *size, 3), dtype=np.uint8)
    return torch.from_numpy(image)


def traced(net: nn.Module, image: torch.Tensor, free: Mapping[int, str], free_outputs: Mapping[int, str]) -> bytes:
    """The content of an ONNX file, as PyTorch's exporter writes it.

    Args:
        net: takes images and gives tensors by name, which become the names of the outputs.
        image: to trace it with.
        free: axes of the images that may have any length, and their names.
        free_outputs: likewise of all outputs.
    """
    file = io.BytesIO()
    with torch.inference_mode(), warnings.catch_warnings():
        # The exporter warns that it is the older one (the newer takes ten times as long), and about traced shapes.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=TracerWarning)
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        names = list(net(image))
        torch.onnx.export(
            _Listed(net),
            (image,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=names,
            dynamic_axes={INPUT: free, **dict.fromkeys(names, free_outputs)},
        )
    return file.getvalue()


class _Listed(nn.Module):
    """The outputs as a tuple, which the exporter takes.

    The name of its attribute starts the names of all nodes, by which `posekit.exporting.quantize` finds the network's.
    """

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.graph(image).values())


def _merge_padding(onnx: Any, model: Any) -> None:
    """Zero padding before a convolution becomes that of the convolution, which may differ by side."""
    nodes = {name: node for node in model.graph.node for name in node.output}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    readers: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    for output in model.graph.output:
        readers[output.name] = readers.get(output.name, 0) + 1
    merged = []
    for conv in model.graph.node:
        pad = nodes.get(conv.input[0]) if conv.op_type == "Conv" else None
        if pad is None or pad.op_type != "Pad" or readers[pad.output[0]] != 1 or any(pad.input[3:]):
            continue
        sides = _constant(onnx, pad.input[1], nodes, tensors)
        value = _constant(onnx, pad.input[2], nodes, tensors) if [*pad.input[2:]] not in ([], [""]) else np.zeros(1)
        mode = next((a.s for a in pad.attribute if a.name == "mode"), b"constant")
        if sides is None or value is None or len(sides) != 8 or mode != b"constant":
            continue
        if sides[[0, 1, 4, 5]].any() or sides.min() < 0 or value.any():
            continue
        own = next((a for a in conv.attribute if a.name == "pads"), None)
        if own is None:
            own = conv.attribute.add()
            own.CopyFrom(onnx.helper.make_attribute("pads", [0, 0, 0, 0]))
        own.ints[:] = (np.asarray(own.ints) + sides[[2, 3, 6, 7]]).tolist()
        conv.input[0] = pad.input[0]
        merged.append(pad)
    for pad in merged:
        model.graph.node.remove(pad)


def _constant(onnx: Any, name: str, nodes: dict[str, Any], tensors: dict[str, Any]) -> np.ndarray[Any, Any] | None:
    """The value of an input that does not depend on the image; ``None`` if it does, or is not given."""
    if name in tensors:
        return np.asarray(onnx.numpy_helper.to_array(tensors[name]))
    if name not in nodes:
        return None
    node = nodes[name]
    inputs = {other: _constant(onnx, other, nodes, tensors) for other in node.input if other}
    if any(value is None for value in inputs.values()):
        return None
    outputs = onnx.reference.ReferenceEvaluator(node).run(None, inputs)
    return np.asarray(outputs[list(node.output).index(name)])


def _store_halves(onnx: Any, model: Any, *, exact: bool) -> None:
    """Store large tensors in 16 bits; the runtime makes them 32 bits when it opens the file.

    Args:
        onnx: the package.
        model: is changed.
        exact: only where that changes no number.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = np.asarray(onnx.numpy_helper.to_array(tensor))
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < LARGE or (exact and not np.array_equal(half.astype(np.float32), values)):
            continue
        if not np.isfinite(half).all():
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(half, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def save_onnx(model: Any, file: Path, metadata: Metadata) -> None:
    """Write an ``onnx.ModelProto`` with its metadata to a file."""
    onnx = require("onnx", "export to ONNX")
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {KEY: dump_metadata(metadata)})
    onnx.save(model, str(file))
