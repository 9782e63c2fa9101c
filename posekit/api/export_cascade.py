"""Export of a cascade (MTCNN): three ONNX files and its config, checked against the original."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from posekit.data.image import read_image
from posekit.data.image_files import image_files
from posekit.exporting.images import spread
from posekit.exporting.parity import BOUNDS, Parity, compare_found
from posekit.extras import require
from posekit.zoo.cascade import is_cascade, save_cascade_config
from posekit.zoo.exported import open_cascade

WHEELS = (".whl", ".zip")
"""Endings of facenet-pytorch's files, which hold a cascade too."""


def holds_cascade(model: str | Path) -> bool:
    """Whether a model is a cascade: a folder of ours, or facenet-pytorch's wheel."""
    return is_cascade(Path(model)) or Path(model).suffix.lower() in WHEELS


def export_cascade_to(
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
    from posekit.exporting.cascade import export_cascade
    from posekit.zoo.mtcnn import load_mtcnn, read_mtcnn

    files = image_files(images)
    chosen = [read_image(files[number]) for number in spread(np.arange(len(files)), count).tolist()]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".posekit-export-") as beside:
        folder = Path(beside)
        say(f"{model}: exporting three networks to onnx")
        original = load_mtcnn(model, device="cpu")
        save_cascade_config(folder, original.config, {"weights": str(Path(model).name)})
        export_cascade(read_mtcnn(model), folder)
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
