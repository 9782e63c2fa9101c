"""MTCNN's weights: of a cascade trained here, or the public ones of facenet-pytorch.

The public ones are three files, in a folder or in the wheel; facenet-pytorch is not a dependency, and its files are not
copied here. The package `mtcnn` has the same weights as pickles, which may run code when read; those are refused.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from posekit.engines.torch import TorchMaps, pick_device
from posekit.models.mtcnn import Nets
from posekit.models.weights import fill
from posekit.pipelines.mtcnn.cascade import MTCNN, Cascade, Engines
from posekit.zoo.cascade import STAGES, exported_file_of, file_of, is_cascade, read_cascade_config
from posekit.zoo.errors import WeightsError

VARIABLE = "POSEKIT_MTCNN"
"""Environment variable with the default folder or wheel."""

ADVICE = "get them by `pip download --no-deps facenet-pytorch==2.6.0` and give the wheel or its unpacked folder"

FILES = ("pnet.pt", "rnet.pt", "onet.pt")
LOCATIONS: tuple[tuple[str, ...], ...] = ((), ("data",), ("facenet_pytorch", "data"))
"""Folders that are searched for the files."""

NAMES: tuple[dict[str, str], ...] = (
    {
        "conv1": "backbone.0",
        "prelu1": "backbone.1",
        "conv2": "backbone.3",
        "prelu2": "backbone.4",
        "conv3": "backbone.5",
        "prelu3": "backbone.6",
        "conv4_1": "face",
        "conv4_2": "box",
    },
    {
        "conv1": "backbone.0",
        "prelu1": "backbone.1",
        "conv2": "backbone.3",
        "prelu2": "backbone.4",
        "conv3": "backbone.6",
        "prelu3": "backbone.7",
        "dense4": "backbone.9",
        "prelu4": "backbone.10",
        "dense5_1": "face",
        "dense5_2": "box",
    },
    {
        "conv1": "backbone.0",
        "prelu1": "backbone.1",
        "conv2": "backbone.3",
        "prelu2": "backbone.4",
        "conv3": "backbone.6",
        "prelu3": "backbone.7",
        "conv4": "backbone.9",
        "prelu4": "backbone.10",
        "dense5": "backbone.12",
        "prelu5": "backbone.13",
        "dense6_1": "face",
        "dense6_2": "box",
        "dense6_3": "points",
    },
)
"""Published names of each network's layers, and ours."""

DENSE = ("dense4.weight", "dense5.weight")
"""Layers behind a flattened map of 3 x 3 cells."""


def load_mtcnn(place: str | Path | None = None, config: Cascade | None = None, device: str = "auto") -> MTCNN:
    """A face detector with trained or public weights.

    Args:
        place: see `read_mtcnn`.
        config: sizes and thresholds; ``None`` takes those of the folder, or the published ones.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "mps", ...

    Returns:
        Call it: ``poses = load_mtcnn("facenet_pytorch-2.6.0-py3-none-any.whl")("photo.jpg")[0]``.

    Raises:
        WeightsError: see `read_mtcnn`.
    """
    named = _named(place)
    trained = is_cascade(named)
    default = read_cascade_config(named)[0] if trained else Cascade()
    nets = read_nets(named) if trained else _public(named)
    return MTCNN(engines_of(nets, pick_device(device)), config or default)


def engines_of(nets: Nets, device: str | torch.device = "cpu") -> Engines:
    """The engines of the three networks."""
    return Engines(*(TorchMaps(getattr(nets, stage), device) for stage in STAGES))


def save_stage(folder: Path, stage: str, net: nn.Module) -> Path:
    """Write a network's tensors; the file appears when it is complete, and an exported file of older ones is removed.

    Returns:
        The file.
    """
    file = file_of(folder, stage)
    # An exported file of older weights would be taken in place of these.
    exported_file_of(folder, stage).unlink(missing_ok=True)
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
        raise WeightsError(f"{folder}: {missing} missing; training of the cascade is not finished: repeat its command")
    try:
        fill(net, load(file.read_bytes()), (), str(file))
    except SafetensorError as error:
        raise WeightsError(
            f"{file}: damaged or not safetensors ({error}); copy it again, or delete it and train"
        ) from None
    except ValueError as error:
        raise WeightsError(str(error)) from None


def read_nets(folder: Path) -> Nets:
    """The three trained networks of a folder, in evaluation mode.

    Raises:
        WeightsError: a file is missing or damaged, or holds the tensors of another network.
    """
    nets = Nets.drawn()
    for stage in STAGES:
        fill_stage(folder, stage, getattr(nets, stage))
    return nets.to("cpu")


def read_mtcnn(place: str | Path | None = None) -> Nets:
    """The three networks with trained or public weights, in evaluation mode.

    Args:
        place: the folder of a trained cascade; facenet-pytorch's wheel; or a folder with ``pnet.pt``,
            ``rnet.pt`` and ``onet.pt`` in it or in its ``facenet_pytorch/data``. ``None`` takes the path in the
            environment variable POSEKIT_MTCNN.

    Raises:
        WeightsError: nothing there, a damaged file, or tensors of other networks.
    """
    named = _named(place)
    return read_nets(named) if is_cascade(named) else _public(named)


def _named(place: str | Path | None) -> Path:
    """The given path, or that of the environment variable."""
    named = place or os.environ.get(VARIABLE)
    if not named:
        raise WeightsError(
            f"mtcnn needs weights: give --weights, or set {VARIABLE}; train your own with posekit train mtcnn, "
            f"or take the public ones: {ADVICE}"
        )
    return Path(named)


def _public(place: Path) -> Nets:
    """The networks with the public weights."""
    nets = Nets.drawn()
    modules = (nets.proposal, nets.refinement, nets.output)
    for module, (file, content), names in zip(modules, _found(place), NAMES, strict=True):
        try:
            fill(module, _renamed(_tensors(file, content), names, file), (), file)
        except ValueError as error:
            raise WeightsError(str(error)) from None
    return nets.to("cpu")


def _found(place: Path) -> list[tuple[str, bytes]]:
    """Name and content of each of the three files."""
    if place.suffix not in (".whl", ".zip"):
        return _below(place, place)
    try:
        with zipfile.ZipFile(place) as wheel:
            return _below(zipfile.Path(wheel), place)
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{place}: not a readable wheel ({error}); {ADVICE}") from None


def _below(root: Path | zipfile.Path, place: Path) -> list[tuple[str, bytes]]:
    """The files below a folder, or one inside a wheel."""
    for below in LOCATIONS:
        files = [root.joinpath(*below, file) for file in FILES]
        if all(file.is_file() for file in files):
            return [(f"{place}: {file.name}", file.read_bytes()) for file in files]
    if any(place.rglob("*net.lz4")) or any(place.rglob("mtcnn_weights.npy")):
        raise WeightsError(f"{place}: these are the weights of the package mtcnn, pickles, which are refused; {ADVICE}")
    raise WeightsError(f"{place}: expected {', '.join(FILES)} there or in facenet_pytorch/data; {ADVICE}")


def _tensors(file: str, content: bytes) -> Mapping[str, Tensor]:
    try:
        state = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"{file}: damaged, or not saved by torch ({first}); {ADVICE}") from None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{file}: expected tensors by name, got {type(state).__name__}; {ADVICE}")
    return state


def _renamed(state: Mapping[str, Tensor], names: Mapping[str, str], file: str) -> dict[str, Tensor]:
    """Tensors under our names, in our order of flattened maps."""
    renamed = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        if layer not in names:
            raise ValueError(f"weights {file} do not fit: layer {layer!r} is none of {', '.join(names)}")
        renamed[f"{names[layer]}.{kind}"] = _turned(value) if name in DENSE else value
    return renamed


def _turned(weight: Tensor) -> Tensor:
    """A layer that reads a map flattened as (width, height, channels) made to read (channels, height, width)."""
    if weight.ndim != 2 or weight.shape[1] % 9:
        return weight
    turned: Tensor = weight.unflatten(1, (3, 3, -1)).permute(0, 3, 2, 1).flatten(1)
    return turned
