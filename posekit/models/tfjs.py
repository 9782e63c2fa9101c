"""Read the weights of TensorFlow.js graph models: a JSON file and binary files next to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STORED = {"float16": np.float16, "uint8": np.uint8, "uint16": np.uint16}
PLAIN = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "uint8": np.uint8}


def read_tfjs(path: str | Path) -> dict[str, NDArray[Any]]:
    """Tensors of a graph model by name, dequantised.

    Args:
        path: the JSON file; its binary files are in the same folder.

    Returns:
        Convolution kernels are (height, width, in, out), depth-wise ones (height, width, channels, 1).

    Raises:
        FileNotFoundError: the file, or a binary that it names, is missing.
        ValueError: not a graph model, an unknown number type, or binary files of another length.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: expected the .json of a TensorFlow.js graph model")
    try:
        groups = json.loads(path.read_bytes())["weightsManifest"]
        parts = [(group["paths"], [_Entry(entry) for entry in group["weights"]]) for group in groups]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a TensorFlow.js graph model ({type(error).__name__}: {error})") from None
    tensors: dict[str, NDArray[Any]] = {}
    for files, entries in parts:
        data = b"".join(_bytes(path.parent / file, path) for file in files)
        wanted = sum(entry.bytes for entry in entries)
        if wanted != len(data):
            raise ValueError(f"{path}: its tensors take {wanted} bytes, but {', '.join(files)} has {len(data)}")
        offset = 0
        for entry in entries:
            tensors[entry.name] = entry.read(data, offset)
            offset += entry.bytes
    return tensors


def _bytes(file: Path, named_by: Path) -> bytes:
    if not file.is_file():
        raise FileNotFoundError(f"{named_by} names {file.name}, which is not in the same folder: copy both files there")
    return file.read_bytes()


class _Entry:
    """Storage of one tensor in the binary file."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name: str = entry["name"]
        self.shape = tuple(int(n) for n in entry["shape"])
        self.plain = np.dtype(PLAIN[entry["dtype"]])
        quantised = entry.get("quantization")
        self.stored = np.dtype(STORED[quantised["dtype"]]) if quantised else self.plain
        self.scale = float((quantised or {}).get("scale", 1.0))
        self.least = float((quantised or {}).get("min", 0.0))
        self.bytes = int(np.prod(self.shape, dtype=np.int64)) * self.stored.itemsize

    def read(self, data: bytes, offset: int) -> NDArray[Any]:
        count = self.bytes // self.stored.itemsize
        raw = np.frombuffer(data, self.stored, count, offset).reshape(self.shape)
        if self.stored == self.plain:
            return raw.copy()
        value = raw.astype(np.float32)
        if self.stored.kind == "u":
            value = value * np.float32(self.scale) + np.float32(self.least)
        return value.astype(self.plain)
