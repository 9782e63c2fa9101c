"""`posekit.predict`: image files to poses, drawings and tables."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posekit.api.predictions import DrawnPoints, PredictedImage, Predictions
from posekit.data.box_files import read_boxes
from posekit.data.errors import DataError, listed
from posekit.data.image import read_image
from posekit.data.image_files import image_files, output_names
from posekit.geometry.keypoints import Poses
from posekit.geometry.skeleton import Skeleton
from posekit.pipelines.mapped import Mapped
from posekit.pipelines.predictor import PosePredictor
from posekit.skeletons import SKELETONS
from posekit.visualize.draw import FAINT, draw_poses
from posekit.visualize.legend import entries, with_legend
from posekit.words import nearest, plural
from posekit.zoo.catalogue import default_model
from posekit.zoo.load import load

QUALITY = 95
"""Quality of the JPEG drawings."""


@dataclass(frozen=True)
class Drawing:
    """How poses are drawn.

    Args:
        points: score threshold of points that are drawn.
        instances: score threshold of instances that are drawn, for models that find them without boxes; ``None``: the
            one of the model.
    """

    points: float = 0.3
    instances: float | None = None


def predict(
    sources: str | Path | Sequence[str | Path],
    model: str | Path | PosePredictor | None = None,
    *,
    boxes: str | Path | None = None,
    out: str | Path | None = None,
    pictures: bool = True,
    drawing: Drawing | None = None,
    device: str = "auto",
    batch: int | None = None,
    scales: tuple[float, ...] | None = None,
    tiles: bool = False,
    flip_test: bool | None = None,
    points: str | None = None,
    seen: Callable[[int, int], None] = lambda done, total: None,
) -> Predictions:
    """Find the points in image files.

    Unreadable images and boxes without extent are left out and listed in ``faults``; the others are predicted. Input
    files are never overwritten.

    Args:
        sources: image files, folders, or glob patterns.
        model: a run folder, a weights folder, a hub id, an exported file, a model of posekit, or what `posekit.load`
            gave; ``None``: people, by `DEFAULT`, or by its second model if there are ``boxes``.
        boxes: COCO file with a box for each instance, matched by image path; ``None``: each image is one box. For
            models of crops.
        out: folder for ``results.json`` and the drawings; ``None`` writes nothing. If no image can be read, nothing is
            written.
        pictures: write images with the points drawn, if there is an ``out``; images without boxes in ``boxes`` have no
            drawing.
        drawing: score thresholds of the drawings.
        device: "auto" (a GPU if there is one), "cpu", "cuda", "mps", if ``model`` is a name.
        batch: crops, or views of full images, in a batch; see `posekit.load`.
        scales: see `posekit.load`.
        tiles: see `posekit.load`.
        flip_test: see `posekit.load`.
        points: name of a known skeleton, such as ``lsp14``, that the points are mapped to, by name and by stated rules.
        seen: called with the number of finished images and of all images.

    Returns:
        The poses of each image.

    Raises:
        DataError: a source has no image, or the box file is invalid.
        WeightsError: there is no such model.
        ValueError: no source, boxes for a model that finds instances itself, an ``out`` among the sources, or
            ``points`` that cannot be made from the model's.
    """
    named = [sources] if isinstance(sources, str | Path) else list(sources)
    boxes = None if boxes is None else Path(boxes)
    out = None if out is None else Path(out)
    _check_out(named, out)
    if not named:
        raise ValueError("no image was named: give image files, folders or glob patterns")
    files = image_files(named, skip=out)
    if model is None:
        model = default_model(boxes is not None)
    if isinstance(model, str | Path):
        predictor = load(model, device=device, batch=batch, scales=scales, tiles=tiles, flip_test=flip_test)
    else:
        predictor = model
    if points is not None:
        predictor = Mapped(predictor, known_skeleton(points))
    if boxes is not None and not predictor.needs_boxes:
        raise ValueError(f"{predictor.name} finds instances itself: leave out the boxes (--boxes)")
    jobs, notes = _jobs(files, boxes, out if pictures else None)
    drawing = drawing or Drawing()
    asked = drawing.instances if drawing.instances is not None else predictor.instance_threshold
    work = _Work(predictor.skeleton, drawing, None if predictor.needs_boxes else asked)
    images = tuple(work.run(predictor, jobs, lambda done: seen(done, len(files))))
    name = str(model) if isinstance(model, str | Path) else predictor.name
    if out is not None and images:
        notes += _replaced(out / "results.json", files, name)
    result = Predictions(
        name, predictor.skeleton, images, tuple(work.faults), notes, work.unread, DrawnPoints(*work.drawn)
    )
    if out is not None and images:
        result.write_json(out / "results.json")
    return result


def known_skeleton(name: str) -> Skeleton:
    """A known skeleton by name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in SKELETONS:
        raise ValueError(nearest(name, list(SKELETONS), "skeleton"))
    return SKELETONS[name]


def _check_out(sources: Sequence[str | Path], out: Path | None) -> None:
    """Refuse the folder of the images as the folder for results: the next run would read the drawings as images.

    Raises:
        ValueError: it is one of the source folders, or named like a file.
    """
    if out is None:
        return
    if out.suffix.lower() in (".csv", ".json", ".jpg", ".png"):
        raise ValueError(
            f"--out {out} is the folder for results, but looks like a file name; for a table use --csv {out.stem}.csv"
        )
    if any(Path(source).is_dir() and os.path.realpath(source) == os.path.realpath(out) for source in sources):
        raise ValueError(f"--out {out} is the folder of the images: choose another one, such as {out / 'predictions'}")


def _replaced(file: Path, files: Sequence[Path], model: str) -> tuple[str, ...]:
    """A note if ``results.json`` holds results of other images or of another model."""
    try:
        old = json.loads(file.read_bytes())
        models = {str(entry["model"]) for entry in old}
        others = {str(entry["path"]) for entry in old} - set(map(str, files))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ()
    if others:
        what = f"of {plural(len(others), 'other image')}; their pictures stay in {file.parent}"
    elif models - {model}:
        what = f"of another model ({listed(sorted(models - {model}))})"
    else:
        return ()
    return (f"{file} held results {what}; it is replaced: choose another --out to keep both",)


@dataclass(eq=False)
class _Job:
    """One image to predict."""

    file: Path
    image_id: int
    boxes: NDArray[np.float64] | None
    faults: tuple[str, ...]
    target: Path | None
    image: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))


def _jobs(files: Sequence[Path], boxes: Path | None, drawings: Path | None) -> tuple[list[_Job], tuple[str, ...]]:
    """The work to do, complete before the first image is read, and notes on images without boxes."""
    targets: Sequence[Path | None] = [None] * len(files)
    if drawings is not None:
        # JPEG for photos: a PNG takes ten times as long and is five times as large. PNG for PNG: lossless.
        photos = all(file.suffix.lower() in (".jpg", ".jpeg") for file in files)
        targets = output_names(files, drawings, ".jpg" if photos else ".png")
    if boxes is None:
        numbered = enumerate(zip(files, targets, strict=True), 1)
        return [_Job(file, n, None, (), target) for n, (file, target) in numbered], ()
    read = read_boxes(boxes, files)
    if all(found.image_id is None for found in read):
        what = "does not list the image" if len(files) == 1 else f"lists none of the {len(files)} images"
        raise DataError(f"{boxes} {what}: do its file_names belong to other images?")
    jobs = [
        _Job(file, found.image_id or 0, found.boxes, found.faults, target if len(found.boxes) else None)
        for file, found, target in zip(files, read, targets, strict=True)
    ]
    without = [job.file.name for job in jobs if job.boxes is not None and not len(job.boxes) and not job.faults]
    if not without:
        return jobs, ()
    what = "1 image has" if len(without) == 1 else f"{len(without)} of {len(files)} images have"
    return jobs, (f"{what} no boxes in {boxes}, nothing is predicted there: {listed(without)}",)


class _Work:
    """Predict images one after another and collect failures.

    Args:
        skeleton: of the points.
        drawing: which scores are drawn.
        threshold: score threshold of instances that are drawn; ``None`` for a model that takes boxes.
    """

    def __init__(self, skeleton: Skeleton, drawing: Drawing, threshold: float | None) -> None:
        self.skeleton, self.drawing, self.threshold = skeleton, drawing, threshold
        self.faults: list[str] = []
        self.unread = 0
        self.drawn = [0, 0, 0, 0]
        self.legend = entries(skeleton)

    def run(
        self, predictor: PosePredictor, jobs: Sequence[_Job], seen: Callable[[int], None]
    ) -> Iterator[PredictedImage]:
        waiting: deque[_Job] = deque()
        asked: deque[NDArray[np.float64]] = deque()

        def images() -> Iterator[NDArray[np.uint8]]:
            for job in jobs:
                self.faults += job.faults
                try:
                    job.image = read_image(job.file)
                except DataError as error:
                    self.faults.append(str(error))
                    self.unread += 1
                    continue
                waiting.append(job)
                if job.boxes is not None:
                    asked.append(job.boxes)
                yield job.image

        def boxes() -> Iterable[NDArray[np.float64]]:
            while True:
                yield asked.popleft()

        given = any(job.boxes is not None for job in jobs)
        for done, poses in enumerate(predictor.stream(images(), boxes() if given else None), 1):
            job = waiting.popleft()
            yield self._noted(job, poses)
            job.image = np.zeros((0, 0, 3), np.uint8)  # A view would keep the pixels.
            seen(done)

    def _noted(self, job: _Job, poses: Poses) -> PredictedImage:
        height, width = job.image.shape[:2]
        found = PredictedImage(job.file, job.image_id, height, width, poses)
        if job.target is None:
            return found
        shown = poses if self.threshold is None else poses.above(self.threshold)
        self._count(shown.score)
        drawn = draw_poses(job.image, shown.xy, shown.score, self.skeleton, threshold=self.drawing.points)
        drawn = with_legend(drawn, self.legend)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        picture = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
        # OpenCV warns of options of another format.
        quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY] if job.target.suffix == ".jpg" else []
        if not cv2.imwrite(str(job.target), picture, quality):
            raise OSError(f"{job.target}: could not be written")
        return replace(found, drawing=job.target)

    def _count(self, score: NDArray[np.floating]) -> None:
        """Add a drawing to the counts of `DrawnPoints`."""
        below = score < self.drawing.points
        hidden = score < self.drawing.points * FAINT
        for n, count in enumerate((len(score), score.size, int((below & ~hidden).sum()), int(hidden.sum()))):
            self.drawn[n] += count
