"""A model as a folder: found by a path or a hub id, with its `config.json`. Torch-free.

`config.json` holds the `InferenceSpec` (skeleton, size, framing, NMS, calibration, figures, licences) and the recipe
that builds the network; the network's tensors lie beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posekit.data.errors import shown
from posekit.engines.spec import InferenceSpec, SpecError, dump_spec, parse_spec
from posekit.zoo.catalogue import catalogue, find_in_catalogue, no_such
from posekit.zoo.errors import WeightsError
from posekit.zoo.hub import is_hub_id, snapshot
from posekit.zoo.layout import CONFIG, FORMAT, TENSORS

IMAGENET = "imagenet"
"""The ``weights`` of a backbone that are ImageNet's."""


def find_model(place: str | Path) -> Path:
    """Find a weights folder: by its path, by a run folder (its ``best``), by a name of the catalogue, or by a hub id.

    Raises:
        WeightsError: there is no model; the message says what was expected.
    """
    path = Path(place)
    for folder in (path, path / "best"):
        if (folder / CONFIG).is_file():
            return folder
    if path.exists():
        hint = "the run has no best/ yet" if (path / "recipe.json").is_file() else "a run folder holds best/config.json"
        raise WeightsError(f"{path}: no model there (expected {CONFIG} and {TENSORS}); {hint}")
    if (known := find_in_catalogue(str(place))) is not None:
        return known
    if is_hub_id(str(place)):
        return snapshot(str(place))
    raise WeightsError(
        f"{path}: no such folder; give a run folder, a weights folder, a hub id owner/name, or a model of posekit; "
        f"{no_such(str(place))}"
    )


def backbone_model(weights: str | None) -> Path | None:
    """The model that a backbone's ``weights`` name, as in `find_model`; ``None``: unset, a file, or ImageNet's.

    Raises:
        WeightsError: there is neither a file nor a model of that name.
    """
    if weights is None or weights == IMAGENET or Path(weights).is_file():
        return None
    if weights in catalogue() or (weights and Path(weights).is_dir()):
        return find_model(weights)
    raise WeightsError(
        f"--model.backbone.weights {weights!r}: there is no such file, folder or model; give a model of posekit, a run "
        f"folder, or a file of weights (.safetensors, .pth); {no_such(weights)}"
    )


def read_config(folder: Path) -> dict[str, Any]:
    """The content of ``config.json``.

    Raises:
        WeightsError: it is missing, not JSON, or of another version.
    """
    file = folder / CONFIG
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{file}: not a posekit config ({type(error).__name__}: {error})") from None
    if not isinstance(config, dict) or config.get("library") != "posekit":
        raise WeightsError(f'{file}: not a posekit config: it has no "library": "posekit"')
    if config.get("format") != FORMAT:
        raise WeightsError(
            f"{file}: format {shown(config.get('format'))}, this posekit reads {FORMAT}; upgrade the older of the two"
        )
    return config


def read_spec(folder: Path) -> InferenceSpec:
    """The spec of the model in a weights folder.

    Raises:
        WeightsError: ``config.json`` is missing, damaged or incomplete.
    """
    config = read_config(folder)
    if "spec" not in config:
        raise WeightsError(f"{folder / CONFIG}: it has no spec; copy the whole folder again")
    try:
        return parse_spec(config["spec"], f"{folder / CONFIG}: spec")
    except SpecError as error:
        raise WeightsError(str(error)) from None


def write_spec(folder: Path, spec: InferenceSpec) -> None:
    """Write another spec into the folder's ``config.json``; the rest is not changed."""
    write_config(folder, read_config(folder) | {"spec": dump_spec(spec)})


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write ``config.json``; it is replaced at once, so an interruption leaves the old file."""
    beside = folder / f"{CONFIG}.tmp"
    beside.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(folder / CONFIG)
