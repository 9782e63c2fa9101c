"""`posekit export --model RUN --to onnx`: a trained model as a file for another runtime, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import tyro
from rich.console import Console
from rich.table import Table

from posekit.cli.kinds import Choice, Files, OneFile, Switch
from posekit.words import in_shell


@dataclass(frozen=True)
class Options:
    """Write a model as one file for another runtime, with decoding inside, and compare it with the original."""

    model: str
    "a run folder, a weights folder, a hub id, or a model of posekit (`posekit models list`)"
    to: Literal["onnx", "openvino"] = "onnx"
    "onnx: ONNX Runtime, TensorRT, browsers; openvino: Intel's and other CPUs, an .xml file with a .bin file"
    out: OneFile = None
    "the file to write; default: NAME.onnx or NAME.xml in the folder of the run, else in the current folder"
    half: Switch = False
    "store weights in 16 bits: half the size"
    int8: Files = ()
    """label files: quantise weights and activations to 8 bits, with ranges found on these images; accuracy is measured
    on those of --images, or on the same"""
    max_drop: float = 0.01
    "for 8 bits: largest loss of PCK@0.05 and of AP, as a fraction, with which the file is kept"
    flip_test: Choice = None
    "flip test inside the graph, at twice the cost; default: as in training"
    raw: Switch = False
    "also give the maps that are decoded, as outputs map_NAME"
    nms: Switch = False
    "for full images: drop duplicates inside the graph, where the model suppresses boxes"
    images: Files = ()
    """label files, images or folders to compare on; default: the images of --int8, or the run's validation data, or
    synthetic images"""
    count: int = 64
    "images that are compared"
    triton: OneFile = None
    "a folder: also write the checked file there as a model repository of NVIDIA's Triton server (with --to onnx)"


def run(argv: Sequence[str]) -> int:
    """Export and print; returns the exit status."""
    options = tyro.cli(Options, args=list(argv), prog="posekit export")
    from posekit.api.export import export
    from posekit.exporting.choices import TIGHT
    from posekit.exporting.files import parts_of

    console = Console(highlight=False)
    made = export(
        options.model,
        options.to,
        out=options.out,
        half=options.half,
        int8=options.int8,
        max_drop=options.max_drop,
        flip_test=options.flip_test,
        raw=options.raw,
        nms=options.nms,
        images=options.images,
        count=options.count,
        triton=options.triton,
        say=lambda sentence: console.print(sentence, markup=False, soft_wrap=True),
    )
    if made.parity is not None:
        parity = made.parity
        console.print(
            f"same as the original: {parity.instances} instances in {parity.images} images ({made.images}); points "
            f"differ by at most {parity.points_px:.2g} px (99 %: {parity.points_px_99:.2g} px), scores by "
            f"{parity.score:.2g}",
            markup=False,
            soft_wrap=True,
        )
    if made.figures:
        table = Table("metric", *made.figures, "change")
        original, exported = made.figures.values()
        names = [name for name in (TIGHT, "AP") if name in original]
        for name in [*names, *(name for name in original if name not in names)]:
            before, after = original[name], exported.get(name, float("nan"))
            table.add_row(name, f"{before:.4f}", f"{after:.4f}", f"{after - before:+.4f}")
        console.print(table)
        console.print(f"{made.tried[-1].choice.name}; {len(made.tried)} tried", markup=False, soft_wrap=True)
    size = sum(part.stat().st_size for part in parts_of(made.file))
    console.print(
        f"{made.file}, {size / 1e6:.1f} MB, report in {made.report}; next: posekit predict PHOTO --model "
        f"{in_shell(made.file)}",
        markup=False,
        soft_wrap=True,
    )
    if made.repository is not None:
        console.print(
            f"{made.repository}; next: tritonserver --model-repository {in_shell(made.repository.parent)}",
            markup=False,
            soft_wrap=True,
        )
    return 0
