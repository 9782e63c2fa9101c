"""The layers of a network that can become 8-bit, in an ONNX graph, and which of their inputs are weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NETWORK = "/graph/net/"
"""Prefix of the names of the network's nodes; all others belong to the flip test and decoding."""
LAYERS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
"""ONNX's kinds of layers with weights."""


@dataclass(frozen=True)
class Layer:
    """A layer of the network.

    Args:
        name: of its node.
        inputs: numbers of its inputs that depend on the image.
        weight: number of the input that is the weight; ``None`` where two tensors are multiplied.
        axis: of the weight's output channels.
    """

    name: str
    inputs: tuple[int, ...]
    weight: int | None
    axis: int


def of_network(name: str) -> bool:
    """Whether a node belongs to the network, by its name."""
    return name.startswith(NETWORK)


def is_one_of(name: str, layers: set[str]) -> bool:
    """Whether a node is one of the layers; of one with a bias OpenVINO makes two nodes, ``NAME`` and ``NAME/...``."""
    return name in layers or name.rpartition("/")[0] in layers


def layers_of(model: Any) -> dict[str, Layer]:
    """The layers of an ``onnx.ModelProto`` by name, in the order of the graph."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {
        node.name: _layer(node, weights)
        for node in model.graph.node
        if node.op_type in LAYERS and of_network(node.name)
    }


def _layer(node: Any, weights: set[str]) -> Layer:
    weight = next((number for number in (1, 0) if node.input[number] in weights), None)
    inputs = tuple(number for number in (0, 1) if number != weight)
    return Layer(node.name, inputs, weight, _axis(node, weight))


def _axis(node: Any, weight: int | None) -> int:
    """The axis of the weight along which output channels lie."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    flags: Mapping[str, int] = {attribute.name: attribute.i for attribute in node.attribute}
    last = weight == 1
    if flags.get("transB" if last else "transA", 0):
        last = not last
    return -1 if last else -2
