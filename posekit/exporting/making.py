"""One export: a weights folder becomes a file that is compared with it, and is kept only if it is the same."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posekit.data.dataset import Dataset
from posekit.data.source import Data
from posekit.engines.outputs import Metadata
from posekit.engines.spec import Engine, InferenceSpec
from posekit.engines.torch import TorchEngine
from posekit.evaluation.measure import average_precision, measure
from posekit.exporting.choices import HALF, TRAINED, Choice, Tried, change, choices, too_low, unmeasurable
from posekit.exporting.files import parts_of, report_of, write_report
from posekit.exporting.graph import Graph
from posekit.exporting.images import from_labels, plateaus, spread
from posekit.exporting.onnx import onnx_model, save_onnx
from posekit.exporting.openvino import openvino_model, save_openvino
from posekit.exporting.parity import BOUNDS, Parity, compare
from posekit.exporting.quantize import quantized_onnx, quantized_openvino, with_8_bit_weights
from posekit.exporting.results import Compared, ExportError, Figures
from posekit.exporting.sensitivity import sensitivities
from posekit.exporting.suppression import Suppressing, check_suppression, with_suppression
from posekit.exporting.trained_rounding import with_stored_integers
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
SENSITIVITY = 24
"""Images of these on which the layers of INT8 are compared."""
ADVICE = {
    "fp32": "What helps: another runtime (--to), or another version of it; please report it with that file.",
    "fp16": "What helps: leave out --half; the weights or scores of this model need more than 16 bits.",
    "trained": "What helps: more labelled images (--images), since with few of them single points decide; a longer "
    "training in 8 bits; another runtime (--to), which adds otherwise; or a larger --max-drop.",
    "int8": "What helps: more, and more varied images (--int8); training with --quantise.bits 8 and exporting that "
    "without --int8; or --half, which halves the size with hardly a change.",
}
"""What to do about a file that is not what the original is, by precision."""
PACKAGES = ("posekit", "torch", "onnx", "onnxruntime", "openvino", "nncf")
"""Those whose versions are in the report."""


@dataclass(frozen=True)
class Made:
    """What was found of a file.

    Args:
        report: the file with all that was compared.
        parity: differences from the original; ``None`` for INT8.
        figures: for INT8: metrics of the original (``fp32``, or ``trained`` in 8 bits) and of the file (``int8``).
        tried: for INT8: the forms that were measured.
    """

    report: Path
    parity: Parity | None
    figures: Figures = field(default_factory=dict)
    tried: tuple[Tried, ...] = ()


class Making:
    """A model, and what it becomes.

    Args:
        folder: of the weights.
        to: "onnx" or "openvino".
        precision: "fp32", "fp16" or "int8"; the last also for a network that was trained in 8 bits.
        flip_test: inside the graph; ``None``: as the model has it.
        raw: also give the maps that are decoded.
        say: prints a line on the progress.
        nms: suppress duplicates in the graph.

    Raises:
        ValueError: ``nms``, and the suppression cannot be part of the graph.
    """

    def __init__(
        self,
        folder: Path,
        to: str,
        precision: str,
        flip_test: bool | None,
        raw: bool,
        say: Callable[[str], None],
        nms: bool = False,
    ) -> None:
        weights = load_weights(folder)
        codec = weights.recipe.full_codec
        self.folder, self.to, self.precision, self.say = folder, to, precision, say
        self.spec: InferenceSpec = adjusted(weights.spec, flip_test=flip_test)
        self.data: Data = weights.recipe.data
        # Codecs without depth have no such field, or a depth of zero.
        self.depth = float(getattr(weights.recipe.codec, "depth", 0.0) or 0.0)
        original = TorchEngine(weights.net, codec, self.spec)
        if nms:
            check_suppression(self.spec)
            self.spec = replace(self.spec, nms_in_graph=True)
        self.original: Engine = Suppressing(original) if nms else original
        self.graph = Graph(weights.net, codec, self.spec.flip, raw=raw).eval()

    def make(self, file: Path, on: Compared) -> Made:
        """Write the file in a folder of its own, check it there, and move it where it belongs.

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

    def _make(self, file: Path, on: Compared) -> Made:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=UNFINISHED) as beside:
            made = Path(beside) / file.name
            if on.ranges is not None:
                made, found, faults = self._choose(Path(beside), file, on.ranges, on)
            elif on.test is not None:
                found, faults = self._as_trained(made, file, on.test, on.max_drop)
            else:
                self._write(made, Choice(self.precision, self.precision), None)
                parity, faults = self._compare(made, on)
                found = Made(report_of(file), parity)
            report = report_of(file, passed=not faults)
            report_of(file, passed=False).unlink(missing_ok=True)
            if not faults:
                for part in parts_of(file):
                    part.unlink(missing_ok=True)
            write_report(report, made, self._document(on.said, found, faults))
            if faults:
                said = "; ".join(faults[:3])
                trained = on.test is not None and on.ranges is None
                advice = ADVICE["trained" if trained else self.precision]
                raise ExportError(f"{file} was not written: {said}; all is in {report}. {advice}")
            # The file that is named comes last: until then nothing can be opened.
            for part in reversed(parts_of(made)):
                shutil.move(part, file.parent / part.name)
        return found

    def _as_trained(self, made: Path, file: Path, test: Dataset, max_drop: float) -> tuple[Made, list[str]]:
        """Write and measure a network that was trained in 8 bits: its layers and their steps are part of the graph.

        A runtime computes with integers what training rounds in floats, so single points may differ.
        """
        before = self._figures(self.original, test)
        if faults := unmeasurable(before):
            return Made(report_of(file), None, {"trained": before}), faults
        self._write(made, TRAINED, None)
        tried = self._tried(made, TRAINED, before, test, max_drop)
        figures = {"trained": before, "int8": dict(tried.figures)}
        return Made(report_of(file), None, figures, (tried,)), list(tried.faults)

    def _choose(self, folder: Path, file: Path, ranges: Dataset, on: Compared) -> tuple[Path, Made, list[str]]:
        """Write and measure one form of INT8 after the other, until one loses no more than allowed.

        Where all lose too much, weights in 16 bits are measured as well, for the report.

        Returns:
            The last form that was written, what was measured, and what is wrong with the first if none is good.
        """
        test = ranges if on.test is None else on.test
        images = from_labels(self.spec, ranges, CALIBRATION)
        before = self._figures(self.original, test)
        faults, made = unmeasurable(before), folder / file.name
        tried: list[Tried] = []
        for number, choice in enumerate(() if faults else choices(lambda: self._sensitivities(images))):
            made = self._written(folder / str(number) / file.name, choice, images)
            tried.append(self._tried(made, choice, before, test, on.max_drop))
            if not tried[-1].faults:
                break
        else:
            if tried:
                faults = list(tried[0].faults)
                half = self._written(folder / "half" / file.name, HALF, images)
                tried.append(self._tried(half, HALF, before, test, on.max_drop))
        figures = {"fp32": before} | ({"int8": dict(tried[0 if faults else -1].figures)} if tried else {})
        return made, Made(report_of(file), None, figures, tuple(tried)), faults

    def _tried(self, file: Path, choice: Choice, before: dict[str, float], test: Dataset, max_drop: float) -> Tried:
        after = self._figures(open_exported(file), test)
        faults = tuple(too_low(before, after, max_drop))
        self.say(f"{choice.name}: {change(before, after)}{' (too low)' if faults else ''}")
        return Tried(choice, after, faults)

    def _written(self, file: Path, choice: Choice, images: NDArray[np.uint8]) -> Path:
        file.parent.mkdir()
        self._write(file, choice, images)
        return file

    def _sensitivities(self, images: NDArray[np.uint8]) -> dict[str, float]:
        """What each layer costs by itself."""
        self.say("too much is lost: looking for the layers that cost most")
        chosen = images[spread(np.arange(len(images)), SENSITIVITY)]
        return sensitivities(self._onnx("int8"), chosen)

    def _metadata(self, precision: str) -> Metadata:
        from posekit import __version__

        return Metadata(self.spec, precision, checksum(self.folder / TENSORS), __version__)

    def _onnx(self, precision: str) -> Any:
        """The graph as ONNX."""
        model = onnx_model(self.graph, self.spec.size, self._metadata(precision))
        return with_suppression(model, self.spec, self.to) if self.spec.nms_in_graph else model

    def _write(self, file: Path, choice: Choice, images: NDArray[np.uint8] | None) -> None:
        """Write the model to a file."""
        self.say(f"{self.folder}: exporting to {self.to}, {choice.precision}")
        graph, metadata = self._onnx(choice.precision), self._metadata(choice.precision)
        if choice.precision == "int8-weights":
            graph = with_8_bit_weights(graph)
        if choice == TRAINED:
            graph = with_stored_integers(graph)
        quantised = None if choice.precision != "int8" else images
        if self.to == "onnx":
            model = graph if quantised is None else quantized_onnx(graph, quantised, choice.floats)
            save_onnx(model, file, metadata)
        else:
            model = openvino_model(graph)
            model = model if quantised is None else quantized_openvino(model, quantised, choice.floats)
            save_openvino(model, file, metadata)

    def _compare(self, file: Path, on: Compared) -> tuple[Parity, list[str]]:
        """Differences from the original, and what is wrong."""
        self.say(f"comparing on {len(on.images)} images, at batches of 1 and 7")
        bound = BOUNDS[self.precision]
        parity = compare(self.original, open_exported(file), on.images, bound, plateaus(self.spec), self.depth)
        return parity, list(parity.faults)

    def _figures(self, engine: Engine, test: Dataset) -> dict[str, float]:
        """Metrics with AP, for models of crops too."""
        measured = measure(Predictor(engine), test)
        known = measured.figures | ({} if "AP" in measured.figures else average_precision(measured, test))
        return {name: float(value) for name, value in known.items() if np.isfinite(value)}

    def _document(self, images: str, made: Made, faults: list[str]) -> dict[str, Any]:
        """What the report says of the comparison."""
        document: dict[str, Any] = {
            "model": self.spec.name,
            "to": self.to,
            "precision": made.tried[-1].choice.precision if made.tried and not faults else self.precision,
            "flip test": self.spec.flip_test,
            "suppression in the graph": self.spec.nms_in_graph,
            "passed": not faults,
            "faults": faults,
            "images": images,
            "machine": platform.machine(),
            "versions": {name: installed_version(name) for name in PACKAGES},
        }
        if made.parity is not None:
            bound = asdict(BOUNDS[self.precision])
            document |= {"bound": bound, "parity": {k: v for k, v in asdict(made.parity).items() if k != "faults"}}
        if made.tried:
            document |= {"tried": [asdict(one) for one in made.tried]}
        return document | ({"figures": made.figures} if made.figures else {})
