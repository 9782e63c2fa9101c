"""Export of a cascade (MTCNN): three ONNX files and its config, checked against the original."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from posekit.data.image import read_image
from posekit.data.image_files import image_files
from posekit.exporting.files import report_of, write_report
from posekit.exporting.images import spread
from posekit.exporting.parity import BOUNDS, Parity, compare_found
from posekit.exporting.results import Exported, ExportError
from posekit.extras import require
from posekit.zoo.cascade import is_cascade, save_cascade_config
from posekit.zoo.exported import open_cascade

WHEELS = (".whl", ".zip")
"""Endings of facenet-pytorch's files, which hold a cascade too."""


def holds_cascade(model: str | Path) -> bool:
    """Whether a model is a cascade: a folder of ours, or facenet-pytorch's wheel."""
    return is_cascade(Path(model)) or Path(model).suffix.lower() in WHEELS


def export_cascade(
    model: str | Path,
    out: str | Path | None,
    images: Sequence[str | Path],
    count: int,
    say: Callable[[str], None],
) -> Exported:
    """Export a cascade into a folder, and write its report.

    Args:
        model: the folder of a cascade, or facenet-pytorch's wheel.
        out: the folder; ``None``: that of the cascade.
        images: photos with faces, to compare on.
        count: of these photos.
        say: prints a line.

    Raises:
        ExportError: it does not find the same faces; nothing but the report is written.
        ValueError: no folder, no images, or a folder with other files.
    """
    if out is None and not Path(model).is_dir():
        raise ValueError(f"{model}: give the folder for the three files (--out FOLDER)")
    folder, parity = _written(model, Path(model if out is None else out), images, count, say)
    report = report_of(folder, passed=parity.passed)
    report_of(folder, passed=False).unlink(missing_ok=True)
    said = ", ".join(map(str, images))
    write_report(
        report,
        folder,
        {"model": "mtcnn", "to": "onnx", "passed": parity.passed, "images": said, "parity": asdict(parity)},
    )
    if not parity.passed:
        raise ExportError(f"{folder} was not written: {'; '.join(parity.faults[:3])}; all is in {report}")
    return Exported(folder, report, parity, {}, said)


def _written(
    model: str | Path,
    out: Path,
    images: Sequence[str | Path],
    count: int,
    say: Callable[[str], None],
) -> tuple[Path, Parity]:
    """Write ``proposal.onnx``, ``refinement.onnx``, ``output.onnx`` and ``config.json`` into a folder.

    Args:
        model: the folder of a cascade, or facenet-pytorch's wheel.
        out: the folder; it does not exist or is empty, or is the cascade's own.
        images: photos with faces, to compare on.
        count: of these photos.
        say: prints a line.

    Returns:
        The folder, and the differences; nothing is written if these are too large.

    Raises:
        ValueError: no images, or a folder with other files.
    """
    if not images:
        raise ValueError("a cascade is compared on photos with faces: give some with --images")
    own = out.resolve() == Path(model).resolve()
    if not own and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} is not an empty folder: give another --out")
    require("torch", "export")
    from posekit.exporting.cascade import write_cascade
    from posekit.zoo.mtcnn import load_mtcnn, read_mtcnn

    files = image_files(images)
    chosen = [read_image(files[number]) for number in spread(np.arange(len(files)), count).tolist()]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".posekit-export-") as beside:
        folder = Path(beside)
        say(f"{model}: exporting three networks to onnx")
        original = load_mtcnn(model, device="cpu")
        save_cascade_config(folder, original.config, {"weights": str(Path(model).name)})
        write_cascade(read_mtcnn(model), folder)
        exported = open_cascade(folder)
        say(f"comparing on {len(chosen)} photos")
        parity = compare_found(
            [original(image)[0] for image in chosen],
            [exported(image)[0] for image in chosen],
            BOUNDS["fp32"],
            max(max(image.shape[:2]) for image in chosen),
        )
        if parity.passed:
            out.mkdir(exist_ok=True)
            for file in folder.iterdir():
                if not (own and file.suffix == ".json"):
                    shutil.move(file, out / file.name)
    return out, parity
