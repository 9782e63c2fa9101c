"""The checksum of a model, whatever form it has: to tell whether two results are of the same model. Torch-free."""

from __future__ import annotations

import hashlib
from pathlib import Path

from posekit.zoo.cascade import is_cascade
from posekit.zoo.catalogue import checksum
from posekit.zoo.exported import exported_runtime
from posekit.zoo.folder import find_model
from posekit.zoo.load import is_chain, parts_of_chain

ENDINGS = (".safetensors", ".onnx", ".json")
"""Files of a folder that decide what a model gives: tensors, graph, config."""


def fingerprint(model: str | Path) -> str:
    """SHA-256 of the files of a model, hexadecimal.

    Args:
        model: as for `posekit.load`: a folder, a file, a name, or two joined by a plus.

    Raises:
        WeightsError: no such model.
        ValueError: a chain of other than two models.
    """
    parts = parts_of_chain(str(model)) if is_chain(model) else (model,)
    files = [file for part in parts for file in _files(part)]
    return hashlib.sha256("\n".join(map(checksum, files)).encode()).hexdigest()


def _files(model: str | Path) -> list[Path]:
    if exported_runtime(model) is not None:
        file = Path(model)
        weights = file.with_suffix(".bin")
        return [file, weights] if file.suffix == ".xml" and weights.is_file() else [file]
    folder = Path(model) if is_cascade(Path(model)) else find_model(model)
    return sorted(file for file in folder.iterdir() if file.suffix in ENDINGS and file.is_file())
