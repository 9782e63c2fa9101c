"""An ONNX graph as a model of OpenVINO: an .xml file with its .bin file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posekit.engines.outputs import KEY, Metadata, dump_metadata
from posekit.extras import require


def openvino_model(onnx: Any) -> Any:
    """The graph as an ``openvino.Model``.

    Args:
        onnx: an ``onnx.ModelProto`` that `onnx_model` made.

    Raises:
        ModuleNotFoundError: OpenVINO is not installed; the message names the extra.
    """
    openvino = require("openvino", "export to OpenVINO")
    model = openvino.Core().read_model(model=onnx.SerializeToString())
    return model


def save_openvino(model: Any, file: Path, metadata: Metadata) -> None:
    """Write the .xml file, and its .bin file beside it.

    Args:
        model: an ``openvino.Model``.
        file: ending in .xml.
        metadata: stored with the model.
    """
    openvino = require("openvino", "export to OpenVINO")
    model.set_rt_info(dump_metadata(metadata), [KEY])
    openvino.save_model(model, str(file), compress_to_fp16=metadata.precision == "fp16")
