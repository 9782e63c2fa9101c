"""`posekit.evaluate`: the metrics of a model on labelled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.source import Data
from posekit.evaluation.measure import Measured, average_precision, measure
from posekit.evaluation.sets import read_set
from posekit.pipelines.mapped import Mapped
from posekit.pipelines.predictor import PosePredictor
from posekit.zoo.load import load

if TYPE_CHECKING:
    from posekit.engines.spec import InferenceSpec


@dataclass(frozen=True)
class Reading:
    """How to read label files that leave something open.

    Args:
        images: folder of the images.
        category: category to use, if a file has several.
        skeleton: name of a known skeleton with the same number of points.
    """

    images: str | Path | None = None
    category: str | None = None
    skeleton: str | None = None


def evaluate(
    model: str | Path | PosePredictor,
    data: str | Path | Sequence[str | Path] | Dataset,
    *,
    reading: Reading | None = None,
    metric: str = "",
    flip_test: bool | None = None,
    decode: Sequence[str] = (),
    scales: tuple[float, ...] | None = None,
    tiles: bool = False,
    map_points: bool = False,
    device: str = "auto",
    progress: bool = False,
) -> Measured:
    """Measure a model on labelled images.

    Args:
        model: a run folder, a weights folder, a hub id, an exported file, or what `posekit.load` gave.
        data: label files (COCO JSON, YOLO data.yaml, packs), or a data set.
        reading: folder of the images, category and skeleton, where label files leave them open.
        metric: main metric; empty: the one that chose the best checkpoint.
        flip_test: average with the mirrored image; ``None`` does as in training.
        decode: fields of the codec to change for decoding, as ``field=value``.
        scales: see `posekit.load`.
        tiles: see `posekit.load`.
        map_points: map the model's points to those of the data, by name and by stated rules.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "mps".
        progress: show a progress bar.

    Returns:
        The metrics of the skeleton's protocols, and COCO's AP and AR; for models of crops AP and AR use the given boxes
        and the scores of the poses.

    Raises:
        DataError: the data is invalid, or its points are not those of the model.
        WeightsError: there is no such model.
    """
    predictor = (
        open_model(model, flip_test=flip_test, decode=decode, scales=scales, tiles=tiles, device=device)
        if isinstance(model, str | Path)
        else model
    )
    dataset = data if isinstance(data, Dataset) else read_labels(data, reading or Reading())
    if map_points:
        predictor = Mapped(predictor, dataset.skeleton)
    check_points(predictor, dataset)
    measured = measure(predictor, dataset, metric=metric, progress=progress)
    if not predictor.needs_boxes:
        return measured
    return replace(measured, figures=measured.figures | average_precision(measured, dataset))


def read_labels(data: str | Path | Sequence[str | Path], reading: Reading) -> Dataset:
    """The labelled images of some files."""
    files = [Path(file) for file in ([data] if isinstance(data, str | Path) else data)]
    images = None if reading.images is None else Path(reading.images)
    source = Data(images=images, category=reading.category, skeleton=reading.skeleton)
    return read_set(source, files, "val")


def check_points(predictor: PosePredictor, dataset: Dataset) -> None:
    """Refuse a set without labelled points, or with other points than the model.

    Raises:
        DataError: names or their order differ, or nothing is labelled.
    """
    if not len(dataset):
        raise DataError(f"{dataset.file or 'the data'}: no instance with a labelled point; at least one is needed")
    ours, theirs = list(predictor.skeleton.points), list(dataset.skeleton.points)
    if ours != theirs:
        raise DataError(
            f"the model finds {ours}, the data labels {theirs}: take a model of these points, or map them with "
            "--map-points"
        )


def open_model(
    model: str | Path,
    *,
    flip_test: bool | None = None,
    decode: Sequence[str] = (),
    scales: tuple[float, ...] | None = None,
    tiles: bool = False,
    device: str = "auto",
    raw: bool = False,
) -> PosePredictor:
    """Load a model for evaluation.

    Args:
        model: a run folder, a weights folder, or a hub id.
        flip_test: see `evaluate`.
        decode: see `evaluate`.
        scales: see `evaluate`.
        tiles: see `evaluate`.
        device: see `evaluate`.
        raw: leave out calibration and rescoring, to fit new ones.

    Raises:
        RecipeError: ``decode`` names no field of the codec, or asks for other maps than the network gives.
        WeightsError: there is no such model.
    """
    if not decode and not raw:
        return load(model, device=device, flip_test=flip_test, scales=scales, tiles=tiles)
    from posekit.engines.torch import TorchEngine
    from posekit.pipelines.predictor import Predictor
    from posekit.recipe import decoding
    from posekit.zoo.load import adjusted
    from posekit.zoo.weights import load_weights

    weights = load_weights(model)
    spec: InferenceSpec = adjusted(weights.spec, flip_test=flip_test, scales=scales, tiles=tiles)
    if raw:
        spec = replace(spec, calibration=None, rescorer=None)
    codec = (decoding(weights.recipe, decode) if decode else weights.recipe).full_codec
    return Predictor(TorchEngine(weights.net, codec, spec, device, optimise=True))
