"""INT8 by post-training quantisation: the network only; decoding stays in 32 bits, chosen by the names of its nodes."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.engines.outputs import INPUT
from posekit.exporting.results import ExportError
from posekit.extras import require

NETWORK = "/graph/net/"
"""Prefix of the names of the network's nodes; all others belong to the flip test and decoding."""
DATA = ("Parameter", "Result", "Constant")
"""OpenVINO's kinds of nodes that compute nothing."""


def quantized_openvino(model: Any, images: NDArray[np.uint8]) -> Any:
    """An ``openvino.Model`` with 8-bit convolutions and matrices.

    Args:
        model: in 32 bits; is changed.
        images: (N, H, W, 3) to find the ranges of values with.

    Raises:
        ModuleNotFoundError: NNCF is not installed; the message names the extra.
        ExportError: nothing was quantised.
    """
    nncf = require("nncf", "INT8 for OpenVINO")
    nncf.set_log_level(logging.ERROR)
    samples = nncf.Dataset([{INPUT: image[None]} for image in images])
    kept = [
        node.get_friendly_name()
        for node in model.get_ops()
        if node.get_type_name() not in DATA and not _of_network(node.get_friendly_name())
    ]
    quantised = nncf.quantize(
        model,
        samples,
        subset_size=len(images),
        ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
    )
    _check(any(node.get_type_name() == "FakeQuantize" for node in quantised.get_ops()))
    return quantised


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


def _of_network(name: str) -> bool:
    return name.startswith(NETWORK)


def quantized_onnx(model: Any, images: NDArray[np.uint8]) -> Any:
    """An ``onnx.ModelProto`` with 8-bit convolutions and matrices, as pairs of quantisation and its inverse (QDQ).

    Args:
        model: an ``onnx.ModelProto`` in 32 bits.
        images: (N, H, W, 3) to find the ranges of values with.

    Raises:
        ExportError: nothing was quantised.
    """
    onnx = require("onnx", "INT8 for ONNX Runtime")
    quantization = require("onnxruntime.quantization", "INT8 for ONNX Runtime")
    kept = [node.name for node in model.graph.node if not _of_network(node.name)]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, str(source))
        quantization.quantize_static(
            str(source),
            str(target),
            _Reader(images),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            nodes_to_exclude=kept,
            op_types_to_quantize=["Conv", "ConvTranspose", "MatMul", "Gemm"],
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
        quantised = onnx.load(str(target))
    _check(any(node.op_type == "QuantizeLinear" for node in quantised.graph.node))
    return quantised


class _Reader:
    """Calibration images one by one, as ONNX Runtime's quantisation asks for them."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next input, or ``None`` at the end."""
        image = next(self.images, None)
        return None if image is None else {INPUT: image[None]}
