"""An exported file as a model repository of NVIDIA's Triton Inference Server: plain folders and one text file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from posekit.engines.onnx import OnnxEngine
from posekit.engines.outputs import KEY, dump_metadata
from posekit.engines.spec import SpecError

CONFIG = "config.pbtxt"
LARGEST = 32
"""Largest batch that the server makes of waiting requests."""
TYPES = {
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(float)": "TYPE_FP32",
    "tensor(float16)": "TYPE_FP16",
    "tensor(int64)": "TYPE_INT64",
    "tensor(bool)": "TYPE_BOOL",
}
"""Element types: ONNX Runtime's name to Triton's."""


def write_triton(file: str | Path, folder: str | Path, *, max_batch: int = LARGEST) -> Path:
    """Write ``FOLDER/NAME/config.pbtxt`` and ``FOLDER/NAME/1/model.onnx``; NAME is that of the file.

    Requests are batched dynamically. The spec is in the configuration as well, as the parameter ``posekit``, where
    clients can ask for it: framing, NMS and calibration are left to them, as with the file itself.

    Args:
        file: an ONNX file that `posekit export` wrote.
        folder: the repository, with any number of models; made where there is none.
        max_batch: largest batch that the server makes of waiting requests.

    Returns:
        ``FOLDER/NAME``.

    Raises:
        SpecError: not an ONNX file of ours, or an output of a type that is not known here.
        ValueError: ``max_batch`` is below 1, or ``FOLDER/NAME`` is there and was not written by posekit.

    Source: Triton's documentation of the model repository and the model configuration. Never loaded by a server in
    the tests: these parse the configuration by its published schema.
    """
    file = Path(file)
    if max_batch < 1:
        raise ValueError(f"the largest batch must be at least 1; got {max_batch}")
    engine = OnnxEngine(file, "cpu")
    place = place_in(folder, file)
    config = _config(file.stem, engine, max_batch)
    (place / "1").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place / "1" / "model.onnx")
    (place / CONFIG).write_text(config, encoding="ascii")
    return place


def place_in(folder: str | Path, file: Path) -> Path:
    """The folder of a model in a repository.

    Raises:
        ValueError: it is there and was not written by posekit, or the repository is a file.
    """
    place = Path(folder) / file.stem
    if Path(folder).is_file():
        raise ValueError(f"{folder} is a file; the model repository is a folder")
    if not place.exists():
        return place
    config = place / CONFIG
    if not config.is_file() or f"key: {_quoted(KEY)}" not in config.read_text(encoding="utf-8", errors="replace"):
        raise ValueError(f"{place} exists and was not written by posekit: give another folder, or move it")
    return place


def _config(name: str, engine: OnnxEngine, max_batch: int) -> str:
    """The model's configuration in protobuf's text format."""
    ports = [
        *(_port("input", each, engine.file) for each in engine.session.get_inputs()),
        *(_port("output", each, engine.file) for each in engine.session.get_outputs()),
    ]
    return "\n".join(
        [
            f"name: {_quoted(name)}",
            'backend: "onnxruntime"',
            f"max_batch_size: {max_batch}",
            *ports,
            "dynamic_batching {\n}",
            "parameters {",
            f"  key: {_quoted(KEY)}",
            f"  value {{\n    string_value: {_quoted(dump_metadata(engine.metadata))}\n  }}",
            "}\n",
        ]
    )


def _port(kind: str, port: Any, where: str) -> str:
    """An input or output; its first axis is the batch, which is not written, and -1 is an axis of any length.

    Raises:
        SpecError: a type that is not known here.
    """
    if port.type not in TYPES:
        raise SpecError(f"{where}: {kind} {port.name} is {port.type}; expected one of {', '.join(TYPES)}")
    dims = ", ".join(str(size) if isinstance(size, int) else "-1" for size in port.shape[1:])
    return f"{kind} {{\n  name: {_quoted(port.name)}\n  data_type: {TYPES[port.type]}\n  dims: [{dims}]\n}}"


def _quoted(text: str) -> str:
    """A string of protobuf's text format, in ASCII: other bytes become octal escapes."""
    known = {ord('"'): '\\"', ord("\\"): "\\\\"}
    return '"' + "".join(known.get(b, chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in text.encode()) + '"'
