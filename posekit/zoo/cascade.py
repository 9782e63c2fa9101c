"""A trained cascade as a folder: a safetensors file for each network, and `config.json`. Torch-free.

The files of networks appear one by one while the cascade is trained, so a folder says how far that came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from posekit.pipelines.mtcnn.cascade import SIDES, Cascade
from posekit.validation import explain
from posekit.zoo.folder import CONFIG, FORMAT, WeightsError, read_config, write_config

STAGES = tuple(SIDES)
"""Networks in the order in which they run and are trained: proposal, refinement, output."""

_CASCADE = TypeAdapter(Cascade)


def is_cascade(folder: Path) -> bool:
    """Whether a folder's ``config.json`` says that it holds a cascade."""
    try:
        return bool(json.loads((folder / CONFIG).read_bytes()).get("kind") == "mtcnn")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def file_of(folder: Path, stage: str) -> Path:
    """Where a network's tensors are."""
    return folder / f"{stage}.safetensors"


def save_cascade_config(folder: Path, cascade: Cascade, about: Mapping[str, Any]) -> None:
    """Write ``config.json``.

    Args:
        folder: of the weights.
        cascade: sizes and thresholds to use them with.
        about: what else is known: how they were trained, what was measured, licences.
    """
    config = {"format": FORMAT, "library": "posekit", "kind": cascade.kind}
    write_config(folder, config | {"cascade": _CASCADE.dump_python(cascade, mode="json"), **about})


def read_cascade_config(folder: Path) -> tuple[Cascade, dict[str, Any]]:
    """Sizes and thresholds, and all that ``config.json`` says.

    Raises:
        WeightsError: it is no configuration of a cascade.
    """
    config = read_config(folder)
    try:
        return _CASCADE.validate_python(config["cascade"]), config
    except ValidationError as error:
        raise WeightsError(f"{folder / CONFIG}: cascade: {explain(error)}") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(f"{folder / CONFIG}: not a cascade's config ({type(error).__name__}: {error})") from None
