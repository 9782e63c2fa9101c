"""`posekit data review FILE --by RUN`: labels that a model disagrees with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from posekit.cli.kinds import OneFile, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from posekit.data.dataset import Dataset
    from posekit.data.predictions import Predictions
    from posekit.evaluation.review import Doubt

COLUMNS = 6
"""Columns of review.png: three instances in a row, each with its labels and its predictions."""
MEANING = {
    "swapped": "left and right points are swapped",
    "outlier": "a few points are far from the predictions",
    "opposed": "half of the points or more are far from the predictions: labels or model are wrong there",
}


@dataclass(frozen=True)
class Review:
    """Find labels that a model disagrees with.

    A model trained on the same labels reproduces some of their errors, but large errors are still found.
    """

    file: Annotated[Path, tyro.conf.Positional]
    "label file: COCO JSON, YOLO data.yaml, or a pack"
    by: str
    "model to compare with: a run or weights folder, a hub id, or a .json file of predictions for these images"
    out: Path = Path("review")
    "folder for review.json, review.png and, if left and right are swapped somewhere, a corrected labels.json"
    images: OneFile = None
    "folder of the images, if they are not where the label file says"
    category: Text = None
    "category to use, if a file has several"
    skeleton: Text = None
    "a known skeleton with the same number of points"
    split: str = "train"
    "split of a YOLO data set"
    score_threshold: float = 0.3
    "predicted points with a lower score are not compared"
    apart: float = 0.2
    "largest distance between label and prediction, as a fraction of the longer side of the box"
    samples: int = 24
    "number of instances in review.png, largest distance first"
    device: str = "auto"
    "auto (a GPU if there is one), cpu, cuda, mps"


def review(argv: Sequence[str]) -> int:
    """Compare, print and write the findings; returns the exit status."""
    options = tyro.cli(Review, args=list(argv), prog="posekit data review")
    from posekit.data.agreement import agreement, repaired
    from posekit.data.coco import write_coco
    from posekit.data.named import read_named
    from posekit.evaluation.review import doubts

    console = Console(highlight=False)
    dataset = read_named(
        [options.file],
        images=options.images,
        category=options.category,
        split=options.split,
        skeleton=options.skeleton,
    )
    predictions = _predictions(options, dataset)
    found = agreement(dataset, predictions, score_threshold=options.score_threshold, apart=options.apart)
    told = doubts(dataset, found)
    counts = Counter(doubt.kind for doubt in told)
    console.print(f"{len(dataset)} instances, {len(told)} of them in question", markup=False)
    for kind, meaning in MEANING.items():
        console.print(f"  {counts[kind]:>6} {kind}: {meaning}", markup=False, soft_wrap=True)
    options.out.mkdir(parents=True, exist_ok=True)
    report = options.out / "review.json"
    report.write_text(json.dumps([asdict(doubt) for doubt in told], indent=1) + "\n", encoding="utf-8")
    console.print(f"image, annotation and points of each: {report}", markup=False, soft_wrap=True)
    if told:
        picture = _sheet(dataset, predictions, told[: options.samples], options)
        console.print(f"labels beside predictions: {picture}", markup=False, soft_wrap=True)
    if counts["swapped"]:
        mended = write_coco(repaired(dataset, found), options.out / "labels.json")
        console.print(f"labels with left and right corrected: {mended}", markup=False, soft_wrap=True)
    return 0


def _predictions(options: Review, dataset: Dataset) -> Predictions:
    if options.by.endswith(".json"):
        from posekit.data.predictions import read_predictions

        return read_predictions(options.by, dataset)
    from posekit.evaluation.review import predictions_of
    from posekit.zoo.load import load

    return predictions_of(load(options.by, device=options.device), dataset)


def _sheet(dataset: Dataset, predictions: Predictions, told: Sequence[Doubt], options: Review) -> Path:
    """Draw instances with their labels and, beside each, the predictions."""
    import cv2

    from posekit.evaluation.review import drawn
    from posekit.visualize.draw import sheet
    from posekit.visualize.legend import entries, with_legend

    pictures: list[NDArray[np.uint8]] = []
    captions: list[str] = []
    for doubt in told:
        pictures += drawn(dataset, predictions, doubt, options.score_threshold)
        captions += [f"{Path(doubt.image).name} #{doubt.annotation}", f"predicted: {doubt.kind}"]
    picture = options.out / "review.png"
    page = with_legend(sheet(pictures, COLUMNS, captions), entries(dataset.skeleton, sides=True))
    if not cv2.imwrite(str(picture), cv2.cvtColor(page, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{picture}: could not be written")
    return picture
