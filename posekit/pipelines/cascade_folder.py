"""A trained cascade as a folder: a safetensors file for each network, and `config.json`. No pickle.

The files of networks appear one by one while the cascade is trained, so a folder says how far that came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from posekit.data.errors import shown
from posekit.models.mtcnn import Nets
from posekit.models.weights import fill
from posekit.pipelines.cascade import Cascade
from posekit.pipelines.weights import LICENSES, WeightsError
from posekit.recipe import explain

FORMAT = 1
STAGES = ("proposal", "refinement", "output")
"""Networks in the order in which they run and are trained; fields of `Nets`."""

_CASCADE = TypeAdapter(Cascade)


def is_cascade(folder: Path) -> bool:
    """Whether a folder's ``config.json`` says that it holds a cascade."""
    try:
        return bool(json.loads((folder / "config.json").read_bytes()).get("kind") == "mtcnn")
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def file_of(folder: Path, stage: str) -> Path:
    """Where a network's tensors are."""
    return folder / f"{stage}.safetensors"


def save_stage(folder: Path, stage: str, net: nn.Module) -> Path:
    """Write a network's tensors; the file appears when it is whole.

    Returns:
        The file.
    """
    file = file_of(folder, stage)
    beside = file.with_suffix(".tmp")
    beside.write_bytes(save({name: value.contiguous().cpu() for name, value in net.state_dict().items()}))
    beside.replace(file)
    return file


def fill_stage(folder: Path, stage: str, net: nn.Module) -> None:
    """Read a network's tensors.

    Raises:
        WeightsError: the file is missing or damaged, or holds the tensors of another network.
    """
    file = file_of(folder, stage)
    if not file.is_file():
        missing = ", ".join(file_of(folder, name).name for name in STAGES if not file_of(folder, name).is_file())
        raise WeightsError(f"{folder}: {missing} missing; the cascade is not trained to its end: repeat its command")
    try:
        fill(net, load(file.read_bytes()), (), str(file))
    except SafetensorError as error:
        raise WeightsError(
            f"{file}: damaged or not safetensors ({error}); copy it again, or delete it and train"
        ) from None
    except ValueError as error:
        raise WeightsError(str(error)) from None


def save_config(folder: Path, cascade: Cascade, about: Mapping[str, Any]) -> None:
    """Write ``config.json``.

    Args:
        folder: of the weights.
        cascade: sizes and thresholds to use them with.
        about: what else is known: how they were trained, what was measured.
    """
    config = {
        "format": FORMAT,
        "library": "posekit",
        "kind": cascade.kind,
        "cascade": _CASCADE.dump_python(cascade, mode="json"),
        **about,
        "licenses": LICENSES,
    }
    beside = folder / "config.json.tmp"
    beside.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(folder / "config.json")


def read_config(folder: Path) -> tuple[Cascade, dict[str, Any]]:
    """Sizes and thresholds, and all that ``config.json`` says.

    Raises:
        WeightsError: it is no configuration of a cascade.
    """
    file = folder / "config.json"
    try:
        config = json.loads(file.read_bytes())
        cascade = _CASCADE.validate_python(config["cascade"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ValidationError):
            raise WeightsError(f"{file}: cascade: {explain(error)}") from None
        raise WeightsError(f"{file}: not a cascade's config ({type(error).__name__}: {error})") from None
    if config.get("format") != FORMAT:
        raise WeightsError(
            f"{file}: format {shown(config.get('format'))}, this posekit reads {FORMAT}; upgrade the older of the two"
        )
    return cascade, config


def read_cascade(folder: Path) -> tuple[Nets, Cascade]:
    """The three networks, in evaluation mode, and the sizes and thresholds to use them with.

    Raises:
        WeightsError: a file is missing or damaged, or holds the tensors of another network.
    """
    cascade, _ = read_config(folder)
    nets = Nets.drawn()
    for stage in STAGES:
        fill_stage(folder, stage, getattr(nets, stage))
    return nets.to("cpu"), cascade
