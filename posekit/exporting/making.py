"""One export: a weights folder becomes a file that is compared with it, and is kept only if it is the same."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.source import Data
from posekit.engines.outputs import Metadata
from posekit.engines.spec import InferenceSpec
from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import Measured, average_precision, measure
from posekit.exporting.files import parts_of, report_of, write_report
from posekit.exporting.graph import Graph
from posekit.exporting.images import from_labels, plateaus
from posekit.exporting.onnx import onnx_model, save_onnx
from posekit.exporting.openvino import openvino_model, save_openvino
from posekit.exporting.parity import BOUNDS, Parity, compare
from posekit.exporting.quantize import quantized_onnx, quantized_openvino
from posekit.exporting.results import TIGHT, Compared, ExportError, Figures
from posekit.extras import installed_version
from posekit.pipelines.predictor import Predictor
from posekit.zoo.catalogue import checksum
from posekit.zoo.exported import open_exported
from posekit.zoo.layout import TENSORS
from posekit.zoo.load import adjusted
from posekit.zoo.weights import load_weights

UNFINISHED = ".posekit-export-"
"""Start of the name of the folder in which an export is made and checked."""
CALIBRATION = 200
"""Images for the ranges of INT8."""
ADVICE = {
    "fp32": "What helps: another runtime (--to), or another version of it; please report it with that file.",
    "fp16": "What helps: leave out --half; the weights or scores of this model need more than 16 bits.",
    "int8": "What helps: more, and more varied images (--int8); training with --quantise.bits 8; or --half, which "
    "halves the size with hardly a change.",
}
"""What to do about a file that is not what the original is, by precision."""
LEAST = 0.05
"""PCK@0.05 or AP of the original from which they show what INT8 costs."""
PACKAGES = ("posekit", "torch", "onnx", "onnxruntime", "openvino", "nncf")
"""Those whose versions are in the report."""


class Making:
    """A model, and what it becomes.

    Args:
        folder: of the weights.
        to: "onnx" or "openvino".
        precision: "fp32", "fp16" or "int8".
        flip_test: inside the graph; ``None``: as the model has it.
        raw: also give the maps that are decoded.
        say: prints a line on the progress.
    """

    def __init__(
        self, folder: Path, to: str, precision: str, flip_test: bool | None, raw: bool, say: Callable[[str], None]
    ) -> None:
        weights = load_weights(folder)
        codec = weights.recipe.full_codec
        self.folder, self.to, self.precision, self.say = folder, to, precision, say
        self.spec: InferenceSpec = adjusted(weights.spec, flip_test=flip_test)
        self.data: Data = weights.recipe.data
        # Codecs without depth have no such field, or a depth of zero.
        self.depth = float(getattr(weights.recipe.codec, "depth", 0.0) or 0.0)
        self.original = TorchEngine(weights.net, codec, self.spec)
        self.graph = Graph(weights.net, codec, self.spec.flip, raw=raw).eval()

    def make(self, file: Path, on: Compared) -> tuple[Path, Parity | None, Figures]:
        """Write the file in a folder of its own, check it there, and move it where it belongs.

        Returns:
            The report, the differences from the original, and for INT8 metrics of both instead.

        Raises:
            ExportError: it is not what the original is.
        """
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._make(file, on)
        except OSError as error:
            if error.filename is not None:
                raise
            # Writers of models say that the disk is full, but not where.
            raise OSError(error.errno, error.strerror or str(error), str(file)) from error

    def _make(self, file: Path, on: Compared) -> tuple[Path, Parity | None, Figures]:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=UNFINISHED) as beside:
            made = Path(beside) / file.name
            self._write(made, None if on.ranges is None else from_labels(self.spec, on.ranges, CALIBRATION))
            parity, figures, faults = self._check(made, on)
            report = report_of(file, passed=not faults)
            report_of(file, passed=False).unlink(missing_ok=True)
            if not faults:
                for part in parts_of(file):
                    part.unlink(missing_ok=True)
            write_report(report, made, self._document(on.said, parity, figures, faults))
            if faults:
                said = "; ".join(faults[:3])
                raise ExportError(f"{file} was not written: {said}; all is in {report}. {ADVICE[self.precision]}")
            # The file that is named comes last: until then nothing can be opened.
            for part in reversed(parts_of(made)):
                shutil.move(part, file.parent / part.name)
        return report, parity, figures

    def _write(self, file: Path, calibration: NDArray[np.uint8] | None) -> None:
        """Write the model to a file."""
        from posekit import __version__

        metadata = Metadata(self.spec, self.precision, checksum(self.folder / TENSORS), __version__)
        self.say(f"{self.folder}: exporting to {self.to}, {self.precision}")
        graph = onnx_model(self.graph, self.spec.size, metadata)
        if self.to == "onnx":
            save_onnx(graph if calibration is None else quantized_onnx(graph, calibration), file, metadata)
        else:
            model = openvino_model(graph)
            save_openvino(model if calibration is None else quantized_openvino(model, calibration), file, metadata)

    def _check(self, file: Path, on: Compared) -> tuple[Parity | None, Figures, list[str]]:
        """Differences, metrics, and what is wrong."""
        exported = open_exported(file)
        if on.test is None:
            self.say(f"comparing on {len(on.images)} images, at batches of 1 and 7")
            bound = BOUNDS[self.precision]
            parity = compare(self.original, exported, on.images, bound, plateaus(self.spec), self.depth)
            return parity, {}, list(parity.faults)
        self.say(f"measuring before and after on {len(on.test)} labelled instances")
        figures = {
            name: _figures(measure(Predictor(engine), on.test), on.test)
            for name, engine in (("fp32", self.original), ("int8", exported))
        }
        return None, figures, too_low(figures["fp32"], figures["int8"], on.max_drop)

    def _document(self, images: str, parity: Parity | None, figures: Figures, faults: list[str]) -> dict[str, Any]:
        """What the report says of the comparison."""
        document: dict[str, Any] = {
            "model": self.spec.name,
            "to": self.to,
            "precision": self.precision,
            "flip test": self.spec.flip_test,
            "passed": not faults,
            "faults": faults,
            "images": images,
            "machine": platform.machine(),
            "versions": {name: installed_version(name) for name in PACKAGES},
        }
        if parity is not None:
            bound = asdict(BOUNDS[self.precision])
            document |= {"bound": bound, "parity": {k: v for k, v in asdict(parity).items() if k != "faults"}}
        return document | ({"figures": figures} if figures else {})


def too_low(before: Mapping[str, float], after: Mapping[str, float], max_drop: float) -> list[str]:
    """Which metrics lose more than allowed, in words; and that none could be measured."""
    compared = [key for key in (TIGHT, "AP") if key in before]
    if not compared:
        return [f"neither {TIGHT} nor AP can be measured on these labels, so nothing shows what INT8 costs"]
    if max(before[key] for key in compared) < LEAST:
        told = ", ".join(f"{key} {before[key]:.4f}" for key in compared)
        return [
            f"the original itself finds too little on these labels to show what INT8 costs ({told}): give labels of "
            "the kind that it was trained on (--images, or --int8)"
        ]
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
