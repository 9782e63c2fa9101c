"""`posekit.load`: a path or a hub id to a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from posekit.engines.spec import Engine, InferenceSpec
from posekit.extras import require
from posekit.geometry.framing import Letterbox
from posekit.pipelines.chain import Chain
from posekit.pipelines.predictor import PosePredictor, Predictor
from posekit.zoo.cascade import is_cascade
from posekit.zoo.folder import find_model

Runtime = Literal["auto", "torch"]


def load(
    model: str | Path | Engine,
    *,
    runtime: Runtime = "auto",
    device: str = "auto",
    batch: int = 32,
    flip_test: bool | None = None,
    scales: tuple[float, ...] | None = None,
    tiles: bool = False,
    half: bool = False,
) -> PosePredictor:
    """Load a trained model, ready to be called with images.

    Args:
        model: a run folder, a weights folder, a hub id ``owner/name``, or a model of posekit such as ``body-s``; two
            joined by a plus, ``body-s+body-crop-s``, are a `Chain`; or the folder of a trained cascade; or your own
            `Engine`: an object with a ``spec`` that turns images of its size into `Poses`.
        runtime: runtime of the network; ``auto`` chooses by the kind of model.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "mps", ...
        batch: crops, or views of full images, in a batch.
        flip_test: average with the mirrored image; ``None`` does as in training.
        scales: for one-stage models: scales of multi-scale testing; 1 fits the image into the network input, above 1 it
            is cut into tiles. ``None``: 1 only.
        tiles: for one-stage models: also cut the image, at its original size, into tiles.
        half: compute in 16 bits; slower on most CPUs.

    Returns:
        Call it: ``poses = posekit.load("runs/mine")("photo.jpg")[0]``. A model of crops takes a box for each instance
        besides the images, others find the instances themselves.

    Raises:
        WeightsError: no model there, or a damaged one.
        ValueError: ``scales`` or ``tiles`` for a model that takes boxes, or these or ``flip_test`` for a cascade.
    """
    if not isinstance(model, str | Path):
        return Predictor(model, batch)
    if is_chain(model):
        return _chain(str(model), runtime, device, batch, flip_test, scales, tiles, half)
    if is_cascade(Path(model)):
        if scales is not None or tiles or flip_test:
            raise ValueError(
                f"{model} is a cascade, which searches all scales anyway: leave out scales, tiles and flip_test"
            )
        from posekit.zoo.mtcnn import load_mtcnn

        return load_mtcnn(model, device=device)
    if runtime not in ("auto", "torch"):
        raise ValueError(f"no runtime {runtime!r} (known: auto, torch)")
    return Predictor(_torch_engine(model, device, half, flip_test, scales, tiles), batch)


def is_chain(model: str | Path) -> bool:
    """Whether a name means two models in a row, ``FINDER+POSE``, and not a path with a plus in it."""
    return "+" in str(model) and not Path(model).exists()


def _chain(
    names: str,
    runtime: Runtime,
    device: str,
    batch: int,
    flip_test: bool | None,
    scales: tuple[float, ...] | None,
    tiles: bool,
    half: bool,
) -> Chain:
    """Two models in a row; what concerns full images is for the first, the flip test for the second."""
    parts = names.split("+")
    if len(parts) != 2 or not all(parts):
        raise ValueError(f"{names}: a chain is two models, FINDER+POSE; got {sum(map(bool, parts))}")
    first = load(parts[0], runtime=runtime, device=device, batch=batch, scales=scales, tiles=tiles, half=half)
    second = load(parts[1], runtime=runtime, device=device, batch=batch, flip_test=flip_test, half=half)
    return Chain(first, second)


def _torch_engine(
    model: str | Path,
    device: str,
    half: bool,
    flip_test: bool | None,
    scales: tuple[float, ...] | None,
    tiles: bool,
) -> Engine:
    find_model(model)  # A missing model is reported before torch is imported, which takes seconds.
    require("torch", f"{model}")
    from posekit.engines.torch import TorchEngine
    from posekit.zoo.weights import load_weights

    weights = load_weights(model)
    spec = adjusted(weights.spec, flip_test=flip_test, scales=scales, tiles=tiles)
    return TorchEngine(weights.net, weights.recipe.full_codec, spec, device, half=half, optimise=True)


def adjusted(
    spec: InferenceSpec,
    *,
    flip_test: bool | None = None,
    scales: tuple[float, ...] | None = None,
    tiles: bool = False,
) -> InferenceSpec:
    """A model's spec with the user's changes; see `load`.

    Raises:
        ValueError: scales or tiles for a model that takes boxes.
    """
    if flip_test is not None:
        spec = replace(spec, flip_test=flip_test)
    if scales is None and not tiles:
        return spec
    if not isinstance(spec.framing, Letterbox):
        raise ValueError(f"{spec.name} works on crops around boxes: scales and tiles are for one-stage models")
    framing = replace(spec.framing, scales=scales or spec.framing.scales, tiles=tiles or spec.framing.tiles)
    return replace(spec, framing=framing)
