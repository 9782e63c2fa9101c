"""`posekit.export`: a trained model as a file for another runtime, checked against the original."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from posekit.api.export_cascade import export_cascade, holds_cascade
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.known_skeletons import known_name
from posekit.data.source import Data
from posekit.engines.spec import InferenceSpec
from posekit.evaluation.sets import read_set
from posekit.exporting.files import ENDINGS, check_target
from posekit.exporting.images import drawn, from_files, from_labels
from posekit.exporting.results import Compared, Exported, ExportError
from posekit.exporting.triton import place_in, write_triton
from posekit.extras import require
from posekit.words import nearest
from posekit.zoo.exported import exported_runtime
from posekit.zoo.folder import find_model, read_config, read_spec
from posekit.zoo.layout import ONNX
from posekit.zoo.load import is_chain

__all__ = ["ExportError", "Exported", "export"]

Kind = Literal["onnx", "openvino"]
IMAGES = 64
"""Images that are compared."""
LABELS = (".json", ".yaml", ".yml", ".zip")
"""Endings of label files."""


def export(
    model: str | Path,
    to: Kind = "onnx",
    *,
    out: str | Path | None = None,
    half: bool = False,
    int8: str | Path | Sequence[str | Path] = (),
    max_drop: float = 0.01,
    flip_test: bool | None = None,
    raw: bool = False,
    nms: bool = False,
    images: str | Path | Sequence[str | Path] = (),
    count: int = IMAGES,
    triton: str | Path | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Exported:
    """Write a model as one file for another runtime: uint8 images in, points in their pixels and scores out.

    The file is compared with the original on images with and without content. One that differs is not kept, only its
    report, NAME.failed.json; an older export stays. Layers that were trained in 8 bits (``quantise.bits``) are written
    so, and the accuracy of the file is compared instead, as with ``int8``.

    Args:
        model: a run folder, a weights folder, a hub id, or a model of posekit; or a cascade, which becomes a folder of
            three ONNX files and is compared on photos with faces.
        to: "onnx" (ONNX Runtime and others) or "openvino" (an .xml file with a .bin file).
        out: the file; ``None``: NAME.onnx or NAME.xml in the folder of the run, or in the current folder for other
            models. A file that was not exported is never replaced.
        half: store weights in 16 bits, half the size; computed in 32 unless the runtime chooses otherwise.
        int8: label files: 8-bit weights and activations, with ranges found on these images and accuracy measured on
            them. Where that loses too much, the layers that cost most stay in 32 bits, and then weights alone are
            stored in 8.
        max_drop: for INT8: largest loss of PCK@0.05 and AP, as fractions, with which the file is kept.
        flip_test: average with the mirrored image, inside the graph; ``None`` does as in training.
        raw: also give the maps that are decoded, as outputs ``map_NAME``.
        nms: for full images: drop duplicates inside the graph, by its operator for boxes; suppressed instances have the
            instance score -1. Only for models whose suppression is that of boxes.
        images: label files, image files or folders to compare on; none: those of ``int8``, or the run's validation data
            if it is there, or synthetic ones. Label files here are also what the accuracy of INT8 is measured on.
        count: images that are compared.
        triton: a folder in which the checked file is also written as a model repository of Triton; for ONNX only.
        say: prints a line on the progress.

    Returns:
        What was written.

    Raises:
        WeightsError: there is no such model.
        ExportError: the file's points or scores are not those of the original, or INT8 costs more than ``max_drop``.
        ValueError: half and int8 together, or either for a model trained in 8 bits, which needs labelled images; no
            images to compare, an ``out`` with another ending, or a file or a folder
            of the repository that would replace another one; ``triton`` with OpenVINO or a cascade; ``nms`` for a
            model that suppresses nothing, or by anything but boxes.
        ModuleNotFoundError: a package is missing; the message names the extra.
    """
    if exported_runtime(model) and not is_chain(model):
        raise ValueError(f"{model} is exported already: name the run or the weights folder that it was made from")
    quantize, sources = _paths(int8), _paths(images)
    _check_options(to, half and bool(quantize), count, max_drop)
    if triton is not None and (to != "onnx" or holds_cascade(model)):
        raise ValueError("a repository of Triton holds one ONNX file: leave out --triton, or export with --to onnx")
    if holds_cascade(model):
        if to != "onnx" or half or quantize or raw or flip_test or nms:
            raise ValueError(
                f"{model} is a cascade: only --to onnx, without --half, --int8, --raw, --flip-test and --nms"
            )
        return export_cascade(model, out, sources, count, say)
    if is_chain(model):
        raise ValueError(f"{model} are two models: export each, and name the files in a row, A.onnx+B.onnx")
    folder = find_model(model)
    trained = _trained_in_8_bits(folder, half or bool(quantize))
    precision = "int8" if quantize or trained else "fp16" if half else "fp32"
    file = _target(model, folder, to, out, precision)
    if triton is not None:
        place_in(triton, file)
    require("torch", "export")
    from posekit.exporting.making import Making

    making = Making(folder, to, precision, flip_test, raw, say, nms)
    _check_own_file(file, folder, making.spec)
    if trained:
        on = _measured(making.spec, making.data, sources, count, max_drop)
    else:
        on = _compared(making.spec, making.data, quantize, sources, count, max_drop)
    made = making.make(file, on)
    repository = None if triton is None else write_triton(file, triton)
    return Exported(file, made.report, made.parity, made.figures, on.said, repository, made.tried)


def _check_options(to: str, two: bool, count: int, max_drop: float) -> None:
    """Refuse options without a meaning.

    Raises:
        ValueError: an unknown runtime, two precisions, no image to compare, or a loss that is no fraction.
    """
    if to not in ENDINGS:
        raise ValueError(nearest(to, list(ENDINGS), "runtime to export to"))
    if two:
        raise ValueError("half and int8 are two precisions: choose one")
    if count < 1:
        raise ValueError(f"count is {count}: an export is compared on at least 1 image")
    if not 0 <= max_drop <= 1:
        raise ValueError(f"max_drop is {max_drop:g}: expected a fraction from 0 to 1")


def _check_own_file(file: Path, folder: Path, spec: InferenceSpec) -> None:
    """Refuse another flip test than the model's in the file that `posekit.load` takes in place of the weights.

    Raises:
        ValueError: it would be there.
    """
    if file.resolve() == (folder / ONNX).resolve() and spec.flip_test != read_spec(folder).flip_test:
        raise ValueError(
            f"{file} is what is run in place of the weights beside it, so its flip test must be theirs: leave out "
            "--flip-test, or give another --out"
        )


def _trained_in_8_bits(folder: Path, other: bool) -> bool:
    """Whether a network was trained with rounding, so that its file has 8-bit layers.

    Args:
        folder: of the weights.
        other: another precision was asked for.

    Raises:
        ValueError: it was trained with fewer bits, or another precision was asked for.
    """
    recipe = read_config(folder).get("recipe") or {}
    bits = (recipe.get("quantise") or {}).get("bits")
    if bits is None:
        return False
    if bits != 8:
        raise ValueError(f"{folder} was trained with {bits} bits, and runtimes have 8: train with --quantise.bits 8")
    if other:
        raise ValueError(f"{folder} was trained in 8 bits, which its file keeps: leave out --int8 and --half")
    return True


def _target(model: str | Path, folder: Path, to: Kind, out: str | Path | None, precision: str) -> Path:
    """The file to write; see `check_target`."""
    name = read_spec(folder).name + ("" if precision == "fp32" else f"-{precision}")
    own = Path(model).is_dir() and os.access(model, os.W_OK)
    file = Path(out) if out is not None else (Path(model) if own else Path()) / f"{name}{ENDINGS[to]}"
    check_target(file, to)
    return file


def _compared(
    spec: InferenceSpec, data: Data, quantize: list[Path], sources: list[Path], count: int, max_drop: float
) -> Compared:
    """What the file is compared on: see `export`.

    Args:
        spec: of the model.
        data: of the run.
        quantize: label files for INT8.
        sources: label files, or images and folders; may be empty.
        count: images.
        max_drop: of INT8.

    Raises:
        ValueError: label files beside images, or images without labels for INT8.
    """
    files = [path for path in sources if path.suffix.lower() in LABELS]
    if files and len(files) != len(sources):
        raise ValueError("images: give label files, or image files and folders, but not both")
    if quantize:
        if sources and not files:
            raise ValueError("the accuracy of INT8 is measured on labelled images: give label files as images")
        ranges = _labels(spec, quantize)
        test = _labels(spec, files) if files else ranges
        _check_points(spec, test)
        said = f"{len(test)} labelled instances"
        return Compared(said, from_labels(spec, test, count), ranges, test, max_drop)
    if files:
        return Compared(", ".join(map(str, files)), from_labels(spec, _labels(spec, files), count))
    if sources:
        return Compared(", ".join(map(str, sources)), from_files(spec, sources, count))
    reason = "no others were given (--images)"
    if data.val and all(path.exists() for path in data.val):
        try:
            return Compared("the run's validation data", from_labels(spec, read_set(data, data.val, "val"), count))
        except DataError as error:
            reason = f"the run's validation data cannot be read ({error})"
    return Compared(f"synthetic images, since {reason}", drawn(spec, count))


def _measured(spec: InferenceSpec, data: Data, sources: list[Path], count: int, max_drop: float) -> Compared:
    """Labelled images to measure a network on that was trained in 8 bits: those given, or the run's validation data.

    Raises:
        ValueError: there are none.
    """
    files = [path for path in sources if path.suffix.lower() in LABELS]
    if len(files) != len(sources) or not (files or (data.val and all(path.exists() for path in data.val))):
        gone = [str(path) for path in data.val if not path.exists()]
        own = f"; its run's validation data are not here ({', '.join(gone)})" if gone and not sources else ""
        raise ValueError(
            f"the file of a network that was trained in 8 bits is measured on labelled images{own}: give label files "
            "(--images labels.json)"
        )
    test = _labels(spec, files) if files else read_set(data, data.val, "val")
    _check_points(spec, test)
    return Compared(f"{len(test)} labelled instances", from_labels(spec, test, count), test=test, max_drop=max_drop)


def _check_points(spec: InferenceSpec, test: Dataset) -> None:
    """Refuse labels of other points than the model's: no accuracy can be measured on them.

    Raises:
        DataError: names or their order differ.
    """
    ours, theirs = spec.skeleton.points, test.skeleton.points
    if ours != theirs:
        raise DataError(
            f"{test.file or 'the labels'}: {len(theirs)} points ({', '.join(theirs)}), and the model finds {len(ours)} "
            f"({', '.join(ours)}); accuracy is measured on labels of the same points in the same order"
        )


def _labels(spec: InferenceSpec, files: list[Path]) -> Dataset:
    return read_set(Data(skeleton=known_name(spec.skeleton)), files, "val")


def _paths(some: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(some)] if isinstance(some, str | Path) else [Path(path) for path in some]
