"""A temporal network as a folder: ``model.onnx``, with which it is used, and ``model.safetensors`` beside it."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_model, save_model
from torch.jit import TracerWarning  # type: ignore[attr-defined]

from posekit.engines.temporal import INPUTS, KEY, OUTPUT, OnnxTemporal, TemporalSpec, spec_text
from posekit.exporting.onnx import OPSET
from posekit.extras import require
from posekit.geometry.root import root_of
from posekit.geometry.skeleton import Skeleton
from posekit.models.temporal import Temporal, TemporalNet
from posekit.zoo.layout import CONFIG, TENSORS
from posekit.zoo.temporal import GRAPH

PARITY = 1e-4
"""Largest difference, object sizes, between PyTorch and ONNX Runtime."""


def write_temporal(
    net: TemporalNet, folder: Path, skeleton: Skeleton, *, lifts: bool, about: dict[str, Any] | None = None
) -> float:
    """Write a network, and compare the exported file with it.

    Args:
        net: in evaluation mode, on the CPU.
        folder: made if missing.
        skeleton: of its points.
        lifts: whether it was trained on depths.
        about: how it was trained; JSON values for ``config.json``.

    Returns:
        The largest difference between PyTorch and ONNX Runtime on random tracks, object sizes.

    Raises:
        ModuleNotFoundError: the package onnx is not installed.
        RuntimeError: the difference exceeds `PARITY`.
    """
    from posekit import __version__

    onnx = require("onnx", "export to ONNX")
    folder.mkdir(parents=True, exist_ok=True)
    spec = TemporalSpec(
        points=skeleton.points, window=net.config.window, ahead=net.config.ahead, lifts=lifts, version=__version__
    )
    model = onnx.load_model_from_string(_traced(net))
    onnx.helper.set_model_props(model, {KEY: spec_text(spec)})
    model.producer_name, model.producer_version = "posekit", __version__
    onnx.checker.check_model(model)
    onnx.save(model, str(folder / GRAPH))
    save_model(net, str(folder / TENSORS))
    config = {
        "temporal": TypeAdapter(Temporal).dump_python(net.config, mode="json"),
        "skeleton": TypeAdapter(Skeleton).dump_python(skeleton, mode="json"),
        "lifts": lifts,
        "version": __version__,
        **(about or {}),
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    off = difference(net, OnnxTemporal(folder / GRAPH))
    if off > PARITY:
        raise RuntimeError(
            f"{folder / GRAPH}: differs from the network by {off:.2g} object sizes, more than {PARITY:g}: "
            "try another version of onnxruntime"
        )
    return off


def read_temporal(folder: Path) -> tuple[TemporalNet, Skeleton]:
    """The network of a folder, in evaluation mode, and the skeleton of its points."""
    config = json.loads((folder / CONFIG).read_bytes())
    skeleton = TypeAdapter(Skeleton).validate_python(config["skeleton"])
    net = TypeAdapter(Temporal).validate_python(config["temporal"]).build(skeleton.flip, root_of(skeleton.points))
    load_model(net, str(folder / TENSORS))
    return net.eval(), skeleton


def difference(net: TemporalNet, exported: OnnxTemporal) -> float:
    """Largest difference between a network and its exported file on random tracks of two lengths, object sizes."""
    worst = 0.0
    for batch, frames in ((1, net.config.window), (3, net.config.window + 7)):
        given = _random_tracks(net, batch, frames)
        with torch.inference_mode():
            right = net(*given).numpy()
        found = exported(*(value.numpy() for value in given))
        worst = max(worst, float(np.abs(found - right).max()))
    return worst


def _random_tracks(net: TemporalNet, batch: int, frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs with missing points and uneven times."""
    rng = np.random.default_rng(0)
    points = rng.normal(0, 0.5, (batch, frames, len(net.flip), 3))
    score = rng.random(points.shape[:3]) * (rng.random(points.shape[:3]) > 0.1)
    step = rng.uniform(0.01, 0.1, (batch, frames))
    first, second, third = (torch.from_numpy(array.astype(np.float32)) for array in (points, score, step))
    return first, second, third


def _traced(net: TemporalNet) -> bytes:
    """The content of an ONNX file, for any number of tracks and of frames."""
    file = io.BytesIO()
    axes = {0: "batch", 1: "frames"}
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=TracerWarning)
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        torch.onnx.export(
            net,
            _random_tracks(net, 2, net.config.window + 3),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes={**dict.fromkeys(INPUTS, axes), OUTPUT: {0: "batch", 1: "shown"}},
        )
    return file.getvalue()
