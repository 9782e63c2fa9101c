"""Results of any libraries, files of COCO's form, beside the same labels: what each has, and what all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posekit.data.coco import to_content, to_results
from posekit.data.dataset import Dataset
from posekit.data.errors import DataError
from posekit.data.prediction_files import LoadedPredictions, load_predictions
from posekit.data.predictions import Predictions, file_of_each, match_predictions, order_of_points
from posekit.geometry.keypoints import IGNORE, Poses
from posekit.metrics.weighted_ap import Precision, precision_of

Float = NDArray[np.floating]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Results:
    """One file beside a data set of M trainable instances in I images.

    Args:
        name: of the library or model.
        file: of the results.
        matched: a pose for each instance where there is one.
        image: (P,) position of each pose's image in the set; -1 where the set does not have it.
        poses: (P, K) all poses, with the set's points; a point that the file does not have has the score 0.
    """

    name: str
    file: Path
    matched: Predictions
    image: NDArray[np.int64]
    poses: Poses

    @property
    def found(self) -> Bool:
        """(M,) instances that have a pose."""
        assert self.matched.found is not None
        return np.asarray(self.matched.found)

    @property
    def points(self) -> Bool:
        """(K,) points that the file has."""
        assert self.matched.points is not None
        return np.asarray(self.matched.points)

    def has_image(self, images: int) -> Bool:
        """(I,) images in which there is a pose."""
        return np.bincount(self.image[self.image >= 0], minlength=images) > 0


@dataclass(frozen=True, eq=False)
class Shared:
    """What several files are compared on.

    Args:
        scenes: the images, with all their instances: what AP is computed on. Points that a file does not have are
            unlabelled.
        common: the same; instances that a file does not have are ignored: what errors of points are computed on.
        images: (I',) positions of the images in the whole set.
        instances: (M',) positions of the common instances among the trainable ones of the whole set.
        said: what each file lacks.
    """

    scenes: Dataset
    common: Dataset
    images: NDArray[np.int64]
    instances: NDArray[np.int64]
    said: tuple[str, ...]


def read_results(path: Path, dataset: Dataset, name: str, skeleton: str | None = None) -> Results:
    """Read a file of results and match it with the labels; see `posekit.data.predictions.read_predictions`.

    Raises:
        DataError: the file is invalid, fits no instance, or the set holds crops instead of images.
    """
    if any(record.to_source is not None for record in dataset.images):
        raise DataError(
            f"{dataset.file}: holds crops of images; results are compared in the pixels of the images: give the label "
            "file of the full images"
        )
    loaded = load_predictions(path)
    matched = match_predictions(path, loaded, dataset, skeleton)
    return Results(name, path, matched, file_of_each(path, loaded, dataset), _poses(path, loaded, dataset, skeleton))


def _poses(path: Path, loaded: LoadedPredictions, dataset: Dataset, skeleton: str | None) -> Poses:
    order = order_of_points(path, loaded, dataset, skeleton)
    there = order >= 0
    xy = loaded.poses[:, order, :2] * there[:, None]
    return Poses(xy, np.clip(loaded.poses[:, order, 2], 0, 1) * there, loaded.score)


def shared(dataset: Dataset, files: Sequence[Results], every: bool = False) -> Shared:
    """What all files have.

    Args:
        dataset: the labels.
        files: at least one.
        every: take every image, as if a file without a pose in it had found nothing there; else only images in which
            every file has a pose.

    Raises:
        DataError: they have no image, instance or point in common.
    """
    have = np.stack([one.has_image(dataset.scenes) for one in files])
    images = np.arange(dataset.scenes) if every else np.flatnonzero(have.all(0))
    inside = np.isin(dataset.image_of_instance(), images)
    common = np.flatnonzero(inside & np.stack([one.found for one in files]).all(0))
    points = np.asarray(np.stack([one.points for one in files]).all(0))
    rows = dataset.rows[common]
    if not len(common) or not (dataset.visibility[rows][:, points] > 0).any():
        names = ", ".join(str(one.file) for one in files)
        raise DataError(
            f"{names}: have no labelled instance of {dataset.file or 'the data'} in common to be compared on"
        )
    role = dataset.role.copy()
    role[np.setdiff1d(dataset.rows, rows)] = IGNORE
    alike = replace(
        dataset, role=role, visibility=np.where(points, dataset.visibility, 0).astype(dataset.visibility.dtype)
    )
    scenes = replace(alike, role=dataset.role).of_images(images)
    # Instances of which only points are labelled that some file does not have drop out as well.
    left = (alike.visibility[rows] > 0).any(1)
    return Shared(scenes, alike.of_images(images), images, common[left], tuple(_lacks(dataset, files, have, points)))


def _lacks(dataset: Dataset, files: Sequence[Results], have: Bool, points: Bool) -> list[str]:
    """What each file does not have, in words; one sentence a file."""
    told = []
    for one, images in zip(files, have, strict=True):
        parts = [
            f"{int((~images).sum())} of {dataset.scenes} images without a pose" if not images.all() else "",
            f"{int((~one.found).sum())} of {len(dataset)} labelled instances without one"
            if not one.found.all()
            else "",
            f"no {', '.join(p for p, there in zip(dataset.skeleton.points, one.points, strict=True) if not there)}"
            if not one.points.all()
            else "",
            f"{int((one.image < 0).sum())} poses of images that are not labelled" if (one.image < 0).any() else "",
        ]
        lacking = "; ".join(part for part in parts if part)
        told.append(f"{one.name}: {lacking or 'has a pose for every labelled instance'}")
    return told


def precisions(one: Results, scenes: Dataset, images: NDArray[np.int64]) -> dict[str, Precision]:
    """AP, AP50 and AP75 of a file on some images.

    Args:
        one: the file.
        scenes: these images with all their labels.
        images: their positions in the whole set.
    """
    renumbered = tuple(replace(record, id=number) for number, record in enumerate(scenes.images))
    truth = to_content(replace(scenes, images=renumbered), Path())
    place = np.searchsorted(images, one.image)
    inside = np.isin(one.image, images)
    entries = to_results(one.poses[inside], 0, scenes.category_id)
    results = [entry | {"image_id": int(number)} for entry, number in zip(entries, place[inside].tolist(), strict=True)]
    whole = precision_of(truth, results, scenes.skeleton.oks_sigmas)
    return {"AP": whole, "AP50": whole.at(0), "AP75": whole.at(5)}
