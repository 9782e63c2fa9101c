"""A trained cascade as a folder: a safetensors file for each network, and `config.json`. Torch-free.

The files of the networks appear one by one during training, so a folder shows its progress.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from posekit.pipelines.mtcnn.cascade import SIDES, Cascade
from posekit.validation import explain
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import read_config, write_config
from posekit.zoo.layout import CONFIG, FORMAT

STAGES = tuple(SIDES)
"""Networks in the order in which they run and are trained: proposal, refinement, output."""

_CASCADE = TypeAdapter(Cascade)


def is_cascade(folder: Path) -> bool:
    """Whether a folder holds a cascade, according to its ``config.json``."""
    try:
        return bool(json.loads((folder / CONFIG).read_bytes()).get("kind") == "mtcnn")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def file_of(folder: Path, stage: str) -> Path:
    """The file of a network's tensors."""
    return folder / f"{stage}.safetensors"


def exported_file_of(folder: Path, stage: str) -> Path:
    """The file of an exported network."""
    return folder / f"{stage}.onnx"


def is_exported(folder: Path) -> bool:
    """Whether a cascade's folder holds all its networks as ONNX files."""
    return all(exported_file_of(folder, stage).is_file() for stage in STAGES)


def save_cascade_config(folder: Path, cascade: Cascade, about: Mapping[str, Any]) -> None:
    """Write ``config.json``.

    Args:
        folder: of the weights.
        cascade: sizes and thresholds to use them with.
        about: other entries: training options, metrics, licences.
    """
    config = {"format": FORMAT, "library": "posekit", "kind": cascade.kind}
    write_config(folder, config | {"cascade": _CASCADE.dump_python(cascade, mode="json"), **about})


def read_cascade_config(folder: Path) -> tuple[Cascade, dict[str, Any]]:
    """Sizes and thresholds, and the whole content of ``config.json``.

    Raises:
        WeightsError: it is not the config of a cascade.
    """
    config = read_config(folder)
    try:
        return _CASCADE.validate_python(config["cascade"]), config
    except ValidationError as error:
        raise WeightsError(f"{folder / CONFIG}: cascade: {explain(error)}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(f"{folder / CONFIG}: not a cascade's config ({type(error).__name__}: {error})") from None
