"""`posekit.load`: a path, a name or a hub id to a predictor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from posekit.engines.spec import Engine, InferenceSpec
from posekit.extras import require
from posekit.geometry.framing import Letterbox
from posekit.pipelines.chain import Chain
from posekit.pipelines.predictor import PosePredictor, Predictor
from posekit.zoo.cascade import is_cascade, is_exported
from posekit.zoo.catalogue import catalogue, checksum
from posekit.zoo.errors import WeightsError
from posekit.zoo.exported import exported_runtime, open_cascade, open_exported
from posekit.zoo.folder import find_model, read_spec
from posekit.zoo.layout import ONNX, TENSORS

Runtime = Literal["auto", "torch", "onnx", "openvino"]


def load(
    model: str | Path | Engine,
    *,
    runtime: Runtime = "auto",
    device: str = "auto",
    batch: int | None = None,
    flip_test: bool | None = None,
    scales: tuple[float, ...] | None = None,
    tiles: bool = False,
    half: bool = False,
    threads: int | None = None,
) -> PosePredictor:
    """Load a trained model, ready to be called with images.

    Args:
        model: a run folder, a weights folder, a hub id ``owner/name``, or a model of posekit such as ``body-s``; a file
            that `posekit export` wrote; two joined by a plus, ``body-s+body-crop-s``, are a `Chain`; or the folder of a
            trained cascade; or your own `Engine`: an object with a ``spec`` that turns images of its size into `Poses`.
        runtime: runtime of the network. ``auto`` takes that of an exported file. A weights folder with a `model.onnx`
            is run by ONNX Runtime, which needs no torch, unless a device other than the CPU, a flip test that it does
            not contain, or ``half`` is asked for; other folders by torch.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "mps", ...
        batch: crops, or views of full images, in a batch; ``None``: 32 on a GPU; 8 crops or 2 views on a CPU, where
            more are no faster and take memory.
        flip_test: average with the mirrored image; ``None`` does as in training.
        scales: for one-stage models: scales of multi-scale testing; 1 fits the image into the network input, above 1 it
            is cut into tiles. ``None``: 1 only.
        tiles: for one-stage models: also cut the image, at its original size, into tiles.
        half: compute in 16 bits; slower on most CPUs.
        threads: of ONNX Runtime and OpenVINO; ``None``: as OMP_NUM_THREADS says, else the runtime chooses.

    Returns:
        Call it: ``poses = posekit.load("runs/mine")("photo.jpg")[0]``. A model of crops takes a box for each instance
        besides the images, others find the instances themselves.

    Raises:
        WeightsError: no model there, a damaged one, or a `model.onnx` of other weights.
        ValueError: ``scales`` or ``tiles`` for a model that takes boxes, or these or ``flip_test`` for a cascade;
            another flip test than that of an exported file; a runtime that the model has no file for.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}: expected at least 1, or nothing to leave it to the runtime")
    if not isinstance(model, str | Path):
        return Predictor(model, batch)
    if is_chain(model):
        return _chain(str(model), runtime, device, batch, flip_test, scales, tiles, half, threads)
    if is_cascade(Path(model)):
        if scales is not None or tiles or flip_test:
            raise ValueError(
                f"{model} is a cascade, which searches all scales anyway: leave out scales, tiles and flip_test"
            )
        if runtime in ("auto", "onnx") and device in ("auto", "cpu") and is_exported(Path(model)):
            return open_cascade(Path(model), threads)
        from posekit.zoo.mtcnn import load_mtcnn

        return load_mtcnn(model, device=device)
    if runtime not in ("auto", "torch", "onnx", "openvino"):
        raise ValueError(f"no runtime {runtime!r} (known: auto, torch, onnx, openvino)")
    file = _exported_file(model, runtime, device, flip_test, half)
    if file is None:
        return _predictor(_torch_engine(model, device, half, flip_test, scales, tiles), batch)
    engine = open_exported(file, device, threads)
    spec = engine.spec
    if not exported_runtime(model):
        spec = read_spec(file.parent)
        _check_weights(file, engine.metadata.weights)
    engine = engine.with_spec(adjusted(spec, flip_test=flip_test, scales=scales, tiles=tiles))
    return _predictor(engine, batch)


GPU_BATCH = 32
"""Crops or views in a batch on a GPU by default."""


def _predictor(engine: Engine, batch: int | None) -> Predictor:
    """The predictor of an engine; a GPU gets larger batches than a CPU."""
    # Torch's engine has a device, ONNX Runtime's a provider; other engines run on the CPU.
    runs_on = (str(getattr(engine, name, "cpu")).lower() for name in ("device", "provider"))
    on_cpu = all("cpu" in name for name in runs_on)
    return Predictor(engine, batch if batch is not None or on_cpu else GPU_BATCH)


def _check_weights(file: Path, exported: str) -> None:
    """Refuse the ONNX file of a weights folder that was made from other tensors than those beside it.

    Args:
        file: in the folder.
        exported: SHA-256 of the tensors it was made from; empty if unknown.

    Raises:
        WeightsError: it was made from others.
    """
    tensors = file.with_name(TENSORS)
    if exported and tensors.is_file() and checksum(tensors) != exported:
        raise WeightsError(
            f"{file}: exported from other weights than {tensors.name} beside it: remove it, or export again with --out "
            f"{file}"
        )


def _exported_file(model: str | Path, runtime: Runtime, device: str, flip_test: bool | None, half: bool) -> Path | None:
    """The exported file to open; ``None`` for torch.

    Raises:
        WeightsError: no such model.
        ValueError: the model has no file for the runtime that was asked for.
    """
    own = exported_runtime(model)
    if own is not None:
        if runtime not in ("auto", own):
            raise ValueError(f"{model} is a file for {own}, and runtime {runtime!r} was asked for")
        if half:
            raise ValueError(f"{model}: an exported file has its own precision: leave out half, or export with --half")
        return Path(model)
    folder = find_model(model)
    there = (folder / ONNX).is_file()
    if runtime == "openvino":
        raise ValueError(f"{model} is a folder: export it with --to openvino, and name the .xml file")
    if runtime == "onnx" and not there:
        raise ValueError(f"{folder} has no {ONNX}: export it, and name the file, or give --out {folder / ONNX}")
    if runtime == "onnx":
        return folder / ONNX
    if runtime == "torch" or not there or half or device not in ("auto", "cpu"):
        return None
    return folder / ONNX if flip_test in (None, read_spec(folder).flip_test) else None


def is_chain(model: str | Path) -> bool:
    """Whether a name means two models in a row, ``FINDER+POSE``, and not a path with a plus in it."""
    return "+" in str(model) and not Path(model).exists()


def _chain(
    names: str,
    runtime: Runtime,
    device: str,
    batch: int | None,
    flip_test: bool | None,
    scales: tuple[float, ...] | None,
    tiles: bool,
    half: bool,
    threads: int | None,
) -> Chain:
    """Two models in a row; what concerns full images is for the first, the flip test for the second."""
    parts = parts_of_chain(names)
    first = load(
        parts[0], runtime=runtime, device=device, batch=batch, scales=scales, tiles=tiles, half=half, threads=threads
    )
    second = load(
        parts[1], runtime=runtime, device=device, batch=batch, flip_test=flip_test, half=half, threads=threads
    )
    return Chain(first, second)


def parts_of_chain(names: str) -> tuple[str, str]:
    """The two models of a chain; a plus in the path of one of them is told apart by which paths there are.

    Raises:
        ValueError: not two names, or more than one way to read them.
    """
    words = names.split("+")
    ways = [("+".join(words[:n]), "+".join(words[n:])) for n in range(1, len(words))]
    if len(ways) > 1:
        ways = [way for way in ways if all(part in catalogue() or Path(part).exists() for part in way)]
    if len(ways) != 1 or not all(ways[0]):
        raise ValueError(f"{names}: a chain is two models, FINDER+POSE; got {sum(map(bool, words))}")
    return ways[0]


def _torch_engine(
    model: str | Path,
    device: str,
    half: bool,
    flip_test: bool | None,
    scales: tuple[float, ...] | None,
    tiles: bool,
) -> Engine:
    find_model(model)  # A missing model is reported before torch is imported, which takes seconds.
    asked = (
        " in 16 bits"
        if half
        else f" on {device}"
        if device not in ("auto", "cpu")
        else f" {'with' if flip_test else 'without'} the flip test"
        if flip_test is not None
        else ""
    )
    require("torch", f"{model}{asked}")
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
