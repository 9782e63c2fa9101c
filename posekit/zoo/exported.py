"""Exported models: files of other runtimes, found by their name. Torch-free."""

from __future__ import annotations

from pathlib import Path

from posekit.engines.onnx import OnnxEngine, OnnxMaps
from posekit.engines.openvino import OpenVinoEngine
from posekit.engines.spec import SpecError
from posekit.pipelines.mtcnn.cascade import MTCNN, Engines
from posekit.zoo.cascade import STAGES, exported_file_of, read_cascade_config
from posekit.zoo.errors import WeightsError

SUFFIXES = {".onnx": "onnx", ".xml": "openvino"}
"""Ending of an exported file: its runtime."""


def exported_runtime(model: str | Path) -> str | None:
    """The runtime of an exported file, by its ending; ``None`` for a folder or a name."""
    path = Path(model)
    return None if path.is_dir() else SUFFIXES.get(path.suffix.lower())


def open_exported(file: str | Path, device: str = "auto", threads: int | None = None) -> OnnxEngine | OpenVinoEngine:
    """The engine of an exported file.

    Args:
        file: written by `posekit export`.
        device: see `OnnxEngine` and `OpenVinoEngine`.
        threads: of the runtime; ``None``: as OMP_NUM_THREADS says, else the runtime chooses.

    Raises:
        WeightsError: no such file, or not one of ours.
        ValueError: an unknown device, or one that is not there.
        ModuleNotFoundError: the runtime is not installed; the message names the extra.
    """
    runtime = exported_runtime(file)
    if runtime is None:
        raise WeightsError(f"{file}: not an exported model; expected a file that ends in {' or '.join(SUFFIXES)}")
    try:
        if runtime == "onnx":
            return OnnxEngine(file, device, threads=threads)
        return OpenVinoEngine(file, device, threads=threads)
    except SpecError as error:
        raise WeightsError(str(error)) from None


def open_cascade(folder: Path, threads: int | None = None) -> MTCNN:
    """The cascade of a folder with three ONNX files.

    Raises:
        WeightsError: a file is missing or damaged.
    """
    config, _ = read_cascade_config(folder)
    try:
        engines = [OnnxMaps(exported_file_of(folder, stage), threads) for stage in STAGES]
    except SpecError as error:
        raise WeightsError(str(error)) from None
    return MTCNN(Engines(*engines), config)
