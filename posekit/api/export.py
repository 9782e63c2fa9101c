"""`posekit.export`: a trained model as a file for another runtime, checked against the original."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posekit.api.export_cascade import export_cascade_to, holds_cascade
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.source import Data
from posekit.engines.outputs import Metadata
from posekit.engines.spec import InferenceSpec
from posekit.evaluation.measure import Measured, average_precision, measure
from posekit.evaluation.sets import read_set
from posekit.exporting.files import ENDINGS, check_target, parts_of, report_of, write_report
from posekit.exporting.images import drawn, from_files, from_labels, plateaus
from posekit.exporting.parity import BOUNDS, Parity, compare
from posekit.exporting.triton import place_in, write_triton
from posekit.extras import require
from posekit.pipelines.predictor import Predictor
from posekit.words import nearest
from posekit.zoo.catalogue import checksum
from posekit.zoo.exported import exported_runtime, open_exported
from posekit.zoo.folder import find_model, read_spec
from posekit.zoo.layout import ONNX, TENSORS
from posekit.zoo.load import adjusted, is_chain

Kind = Literal["onnx", "openvino"]
UNFINISHED = ".posekit-export-"
"""Start of the name of the folder in which an export is made and checked."""
IMAGES = 64
"""Images that are compared."""
CALIBRATION = 200
"""Images for the ranges of INT8."""
LABELS = (".json", ".yaml", ".yml", ".zip")
"""Endings of label files."""
TIGHT = "pck@0.05"
"""Metric that shows what INT8 costs: the share of points within 5 % of the box."""


class ExportError(RuntimeError):
    """An exported file that is not what the original is; only its report is kept."""


@dataclass(frozen=True)
class Exported:
    """A file that was written.

    Args:
        file: the model.
        report: JSON with all that was compared.
        parity: differences from the original; ``None`` for INT8.
        figures: for INT8: metrics of the original and of the file on the labelled data.
        images: what was compared, in words.
        repository: folder of the model in a repository of Triton; ``None`` where none was asked for.
    """

    file: Path
    report: Path
    parity: Parity | None
    figures: dict[str, dict[str, float]]
    images: str
    repository: Path | None = None


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
    images: str | Path | Sequence[str | Path] = (),
    count: int = IMAGES,
    triton: str | Path | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Exported:
    """Write a model as one file for another runtime: uint8 images in, points in their pixels and scores out.

    The file is compared with the original on images with and without content. One that differs is not kept, only its
    report, NAME.failed.json; an older export stays.

    Args:
        model: a run folder, a weights folder, a hub id, or a model of posekit; or a cascade, which becomes a folder of
            three ONNX files and is compared on photos with faces.
        to: "onnx" (ONNX Runtime and others) or "openvino" (an .xml file with a .bin file).
        out: the file; ``None``: NAME.onnx or NAME.xml in the folder of the run, or in the current folder for other
            models. A file that was not exported is never replaced.
        half: store weights in 16 bits, half the size; computed in 32 unless the runtime chooses otherwise.
        int8: label files: 8-bit weights and activations, with ranges found on these images and accuracy measured on
            them.
        max_drop: for INT8: largest loss of PCK@0.05 and AP, as fractions, with which the file is kept.
        flip_test: average with the mirrored image, inside the graph; ``None`` does as in training.
        raw: also give the maps that are decoded, as outputs ``map_NAME``.
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
        ValueError: half and int8 together, no images to compare, an ``out`` with another ending, or a file or a folder
            of the repository that would replace another one; ``triton`` with OpenVINO or a cascade.
        ModuleNotFoundError: a package is missing; the message names the extra.
    """
    if exported_runtime(model) and not is_chain(model):
        raise ValueError(f"{model} is exported already: name the run or the weights folder that it was made from")
    quantize = _paths(int8)
    _check_options(to, half and bool(quantize), count, max_drop)
    if triton is not None and (to != "onnx" or holds_cascade(model)):
        raise ValueError("a repository of Triton holds one ONNX file: leave out --triton, or export with --to onnx")
    if holds_cascade(model):
        return _cascade(model, to, out, bool(half or quantize or raw or flip_test), _paths(images), count, say)
    if is_chain(model):
        raise ValueError(f"{model} are two models: export each, and name the files in a row, A.onnx+B.onnx")
    folder = find_model(model)
    precision = "int8" if quantize else "fp16" if half else "fp32"
    file = _target(model, folder, to, out, precision)
    if triton is not None:
        place_in(triton, file)
    require("torch", "export")
    work = _Export(folder, to, precision, flip_test, raw, say)
    labels = _labels(work.spec, quantize) if quantize else None
    test = labels
    if quantize and images:
        if not all(path.suffix.lower() in LABELS for path in _paths(images)):
            raise ValueError("the accuracy of INT8 is measured on labelled images: give label files as images")
        test = _labels(work.spec, _paths(images))
    said, inputs = _inputs(work.spec, work.recipe_data, _paths(images), test, count)
    _check_own_file(file, folder, work.spec)
    report, parity, figures = _made(work, file, said, inputs, labels, test, max_drop)
    repository = None if triton is None else write_triton(file, triton)
    return Exported(file, report, parity, figures, said, repository)


def _made(
    work: _Export,
    file: Path,
    said: str,
    inputs: NDArray[np.uint8],
    labels: Dataset | None,
    test: Dataset | None,
    max_drop: float,
) -> tuple[Path, Parity | None, dict[str, dict[str, float]]]:
    """Write the file in a folder of its own, check it there, and move it where it belongs.

    Args:
        work: the export.
        file: where it belongs.
        said: what the images are, in words.
        inputs: images to compare on.
        labels: for INT8, to find the ranges with.
        test: for INT8, to measure on.
        max_drop: for INT8.

    Returns:
        The report, the differences, and metrics.

    Raises:
        ExportError: it is not what the original is.
    """
    with tempfile.TemporaryDirectory(dir=_parent(file), prefix=UNFINISHED) as beside:
        made = Path(beside) / file.name
        work.write(made, None if labels is None else from_labels(work.spec, labels, CALIBRATION))
        parity, figures, faults = work.check(made, inputs, test, max_drop)
        report = report_of(file, passed=not faults)
        report_of(file, passed=False).unlink(missing_ok=True)
        if not faults:
            for part in parts_of(file):
                part.unlink(missing_ok=True)
        write_report(report, made, _document(work, said, parity, figures, faults))
        if faults:
            raise ExportError(f"{file} was not written: {'; '.join(faults[:3])}; all is in {report}")
        # The file that is named comes last: until then nothing can be opened.
        for part in reversed(parts_of(made)):
            shutil.move(part, file.parent / part.name)
    return report, parity, figures


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


def _cascade(
    model: str | Path,
    to: Kind,
    out: str | Path | None,
    more: bool,
    images: list[Path],
    count: int,
    say: Callable[[str], None],
) -> Exported:
    """Export a cascade.

    Raises:
        ExportError: it does not find the same faces.
        ValueError: options that a cascade does not have.
    """
    if to != "onnx" or more:
        raise ValueError(f"{model} is a cascade: only --to onnx, without --half, --int8, --raw and --flip-test")
    if out is None and not Path(model).is_dir():
        raise ValueError(f"{model}: give the folder for the three files (--out FOLDER)")
    folder, parity = export_cascade_to(model, Path(model if out is None else out), images, count, say)
    report = report_of(folder, passed=parity.passed)
    said = ", ".join(map(str, images))
    document: dict[str, Any] = {"model": "mtcnn", "to": to, "passed": parity.passed, "images": said}
    write_report(report, folder, {**document, "parity": asdict(parity)})
    if not parity.passed:
        raise ExportError(f"{folder} was not written: {'; '.join(parity.faults[:3])}; all is in {report}")
    return Exported(folder, report, parity, {}, said)


class _Export:
    """One export: the model, and what it becomes."""

    def __init__(
        self, folder: Path, to: Kind, precision: str, flip_test: bool | None, raw: bool, say: Callable[[str], None]
    ) -> None:
        from posekit.engines.torch import TorchEngine
        from posekit.exporting.graph import Graph
        from posekit.zoo.weights import load_weights

        weights = load_weights(folder)
        self.folder, self.to, self.precision, self.say = folder, to, precision, say
        self.spec: InferenceSpec = adjusted(weights.spec, flip_test=flip_test)
        self.recipe_data: Data = weights.recipe.data
        self.original = TorchEngine(weights.net, weights.recipe.full_codec, self.spec)
        self.graph = Graph(weights.net, weights.recipe.full_codec, self.spec.flip, raw=raw).eval()

    def write(self, file: Path, calibration: NDArray[np.uint8] | None) -> None:
        """Write the model to a file."""
        from posekit import __version__
        from posekit.exporting.onnx import onnx_model, save_onnx
        from posekit.exporting.openvino import openvino_model, save_openvino
        from posekit.exporting.quantize import quantized_onnx, quantized_openvino

        metadata = Metadata(self.spec, self.precision, checksum(self.folder / TENSORS), __version__)
        self.say(f"{self.folder}: exporting to {self.to}, {self.precision}")
        graph = onnx_model(self.graph, self.spec.size, metadata)
        if self.to == "onnx":
            save_onnx(graph if calibration is None else quantized_onnx(graph, calibration), file, metadata)
        else:
            model = openvino_model(graph)
            save_openvino(model if calibration is None else quantized_openvino(model, calibration), file, metadata)

    def check(
        self, file: Path, images: NDArray[np.uint8], labels: Dataset | None, max_drop: float
    ) -> tuple[Parity | None, dict[str, dict[str, float]], list[str]]:
        """Differences, metrics, and what is wrong."""
        exported = open_exported(file)
        if labels is None:
            self.say(f"comparing on {len(images)} images, at batches of 1 and 7")
            parity = compare(self.original, exported, images, BOUNDS[self.precision], plateaus(self.spec))
            return parity, {}, list(parity.faults)
        self.say(f"measuring before and after on {len(labels)} labelled instances")
        figures = {
            name: _figures(measure(Predictor(engine), labels), labels)
            for name, engine in (("fp32", self.original), ("int8", exported))
        }
        return None, figures, too_low(figures["fp32"], figures["int8"], max_drop)


def too_low(before: Mapping[str, float], after: Mapping[str, float], max_drop: float) -> list[str]:
    """Which metrics lose more than allowed, in words; and that none could be measured."""
    compared = [key for key in (TIGHT, "AP") if key in before]
    if not compared:
        return [f"neither {TIGHT} nor AP can be measured on these labels, so nothing shows what INT8 costs"]
    change = {key: (before[key], after.get(key, float("nan"))) for key in compared}
    return [
        f"{key} falls by {old - new:.4f}, more than --max-drop {max_drop:g} ({old:.4f} to {new:.4f})"
        for key, (old, new) in change.items()
        if not old - new <= max_drop
    ]


def _figures(measured: Measured, dataset: Dataset) -> dict[str, float]:
    """Metrics with AP, for models of crops too."""
    known = measured.figures | ({} if "AP" in measured.figures else average_precision(measured, dataset))
    return {name: float(value) for name, value in known.items() if np.isfinite(value)}


def _inputs(
    spec: InferenceSpec, data: Data, images: list[Path], labels: Dataset | None, count: int
) -> tuple[str, NDArray[np.uint8]]:
    """The images to compare on, in words and cut."""
    if labels is not None:
        return f"{len(labels)} labelled instances", from_labels(spec, labels, count)
    if images:
        files = [path for path in images if path.suffix.lower() in LABELS]
        if files and len(files) != len(images):
            raise ValueError("images: give label files, or image files and folders, but not both")
        if files:
            return ", ".join(map(str, files)), from_labels(spec, _labels(spec, files), count)
        return ", ".join(map(str, images)), from_files(spec, images, count)
    reason = "no others were given (--images)"
    if data.val and all(path.exists() for path in data.val):
        try:
            return "the run's validation data", from_labels(spec, read_set(data, data.val, "val"), count)
        except DataError as error:
            reason = f"the run's validation data cannot be read ({error})"
    return f"synthetic images, since {reason}", drawn(spec, count)


def _labels(spec: InferenceSpec, files: list[Path]) -> Dataset:
    return read_set(Data(skeleton=_known(spec)), files, "val")


def _known(spec: InferenceSpec) -> str | None:
    """Name of the model's skeleton, if it is a known one."""
    from posekit.skeletons import SKELETONS

    known = SKELETONS.get(spec.skeleton.name)
    return spec.skeleton.name if known is not None and known.points == spec.skeleton.points else None


def _target(model: str | Path, folder: Path, to: Kind, out: str | Path | None, precision: str) -> Path:
    """The file to write; see `check_target`."""
    name = read_spec(folder).name + ("" if precision == "fp32" else f"-{precision}")
    own = Path(model).is_dir() and os.access(model, os.W_OK)
    file = Path(out) if out is not None else (Path(model) if own else Path()) / f"{name}{ENDINGS[to]}"
    check_target(file, to)
    return file


def _parent(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.parent


def _paths(some: str | Path | Sequence[str | Path]) -> list[Path]:
    return [Path(some)] if isinstance(some, str | Path) else [Path(path) for path in some]


def _document(
    work: _Export, images: str, parity: Parity | None, figures: dict[str, dict[str, float]], faults: list[str]
) -> dict[str, Any]:
    """What the report says of the comparison."""
    document: dict[str, Any] = {
        "model": work.spec.name,
        "to": work.to,
        "precision": work.precision,
        "flip test": work.spec.flip_test,
        "passed": not faults,
        "faults": faults,
        "images": images,
        "machine": platform.machine(),
        "versions": {name: _version(name) for name in ("posekit", "torch", "onnx", "onnxruntime", "openvino", "nncf")},
    }
    if parity is not None:
        bound = asdict(BOUNDS[work.precision])
        document |= {"bound": bound, "parity": {k: v for k, v in asdict(parity).items() if k != "faults"}}
    if figures:
        document["figures"] = figures
    return document


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
